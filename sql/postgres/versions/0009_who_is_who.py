"""Users, their external accounts, roles, sessions and keys; and the log of admins' actions.

They are in a separate schema that only the role for signed-in people may read: even hashed, these data are not for
users who query `ops`.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

USERS = """
CREATE SCHEMA IF NOT EXISTS accounts;
COMMENT ON SCHEMA accounts IS 'Who signs in, and what admins did.';

CREATE TABLE accounts.users (
    user_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text CHECK (name = btrim(name) AND char_length(name) BETWEEN 1 AND 64),
    name_key text UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CHECK ((name IS NULL) = (ended_at IS NOT NULL) AND (name IS NULL) = (name_key IS NULL))
);
COMMENT ON TABLE accounts.users IS 'People who may sign in.';
COMMENT ON COLUMN accounts.users.name IS 'Name to show; null once the user was removed.';
COMMENT ON COLUMN accounts.users.name_key IS 'The name without capitals, in one form of Unicode.';

CREATE TABLE accounts.identities (
    identity_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    issuer text NOT NULL CHECK (issuer <> ''),
    subject text NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (issuer, subject)
);
COMMENT ON TABLE accounts.identities IS 'By which account of which sign-in provider a user is known.';
CREATE INDEX ON accounts.identities (user_id);

CREATE TABLE accounts.roles (
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('premium', 'tournament_admin', 'admin')),
    season_id bigint REFERENCES ops.seasons ON DELETE CASCADE,
    division_id bigint REFERENCES ops.divisions ON DELETE CASCADE,
    given_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (user_id, role, season_id, division_id),
    CONSTRAINT roles_of_one_place CHECK (
        num_nonnulls(season_id, division_id) = 0
        OR (role = 'tournament_admin' AND num_nonnulls(season_id, division_id) = 1)
    )
);
COMMENT ON TABLE accounts.roles IS 'What users may do besides what every user may; of all, one season or one division.';
CREATE INDEX ON accounts.roles (season_id);
CREATE INDEX ON accounts.roles (division_id);
"""

SESSIONS = """
CREATE TABLE accounts.links (
    token_hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
COMMENT ON TABLE accounts.links IS 'Addresses that sign a user in once.';
CREATE INDEX ON accounts.links (user_id);

CREATE TABLE accounts.sessions (
    session_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    parent_id bigint REFERENCES accounts.sessions ON DELETE CASCADE,
    token_hash bytea UNIQUE,
    device text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE accounts.sessions IS 'Browsers and programs that are signed in; a program by refresh tokens.';
COMMENT ON COLUMN accounts.sessions.parent_id IS 'Of a program: the session that it was let in from and ends with.';
COMMENT ON COLUMN accounts.sessions.token_hash IS 'SHA-256 of the cookie of a browser; null of a program.';
CREATE INDEX ON accounts.sessions (user_id);
CREATE INDEX ON accounts.sessions (parent_id);

CREATE TABLE accounts.refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES accounts.sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
COMMENT ON TABLE accounts.refresh_tokens IS 'Tokens of programs'' sessions; one that is used twice ends its session.';
CREATE INDEX ON accounts.refresh_tokens (session_id);

CREATE TABLE accounts.signing_keys (
    key_id text PRIMARY KEY,
    private_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE accounts.signing_keys IS 'Keys (Ed25519, JWK) that access tokens are signed with; the newest signs.';

CREATE TABLE accounts.sign_in_attempts (
    state_hash bytea PRIMARY KEY,
    browser_hash bytea NOT NULL,
    provider text NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    next_path text NOT NULL,
    user_id bigint REFERENCES accounts.users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE accounts.sign_in_attempts IS 'Sign-ins that are on their way to a provider and back.';
COMMENT ON COLUMN accounts.sign_in_attempts.user_id IS 'Who adds an account to sign in with; null: somebody signs in.';

CREATE TABLE accounts.used_nonces (
    issuer text NOT NULL,
    nonce text NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, nonce)
);
COMMENT ON TABLE accounts.used_nonces IS 'Answers of OpenID 2.0 providers, so that none is taken twice.';
"""

AUDIT = """
CREATE TABLE accounts.audit_log (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    user_id bigint REFERENCES accounts.users,
    login text,
    act text NOT NULL,
    what text NOT NULL,
    before jsonb,
    after jsonb,
    CHECK (num_nonnulls(user_id, login) = 1)
);
COMMENT ON TABLE accounts.audit_log IS 'What was done with an admin''s right. Rows are only added.';
COMMENT ON COLUMN accounts.audit_log.login IS 'Who did it at the command line, by the name of the operating system.';
CREATE INDEX ON accounts.audit_log (at);
CREATE INDEX ON accounts.audit_log (user_id);

CREATE FUNCTION accounts.keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is only added to.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep_audit_log BEFORE UPDATE OR DELETE OR TRUNCATE ON accounts.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION accounts.keep_audit_log();
"""


def upgrade() -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    for statements in (USERS, SESSIONS, AUDIT):
        op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP SCHEMA accounts CASCADE", execution_options={"no_parameters": True})
