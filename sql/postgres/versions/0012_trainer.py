"""The trainer: owners of players, consent, jobs, uploads, shares, invitations and objections.

PostgreSQL shows the serving roles only the rows of the people in a transaction's settings: `gamestats.own_user_id`,
`gamestats.own_player_id` and `gamestats.own_match_id` (ids separated by commas); `gamestats.sees_all` marks an admin's
transaction.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_PLAYER = "text NOT NULL CHECK (player_id ~ '^[a-z0-9]+_[a-z0-9_.-]+$')"
_MATCH = "text CHECK (match_id ~ '^[0-9A-F]{32}$')"

OWN = """
CREATE FUNCTION ops.is_own(setting text, value text) RETURNS boolean STABLE PARALLEL SAFE LANGUAGE sql
    RETURN value = ANY (string_to_array(current_setting(setting, true), ','));
COMMENT ON FUNCTION ops.is_own IS 'Whether a value is among those that a setting of the transaction lists.';
CREATE FUNCTION ops.sees_all() RETURNS boolean STABLE PARALLEL SAFE LANGUAGE sql
    RETURN coalesce(current_setting('gamestats.sees_all', true), '') = 'yes';
COMMENT ON FUNCTION ops.sees_all IS 'Whether the transaction is of an admin, who sees what is of others.';
"""

ACCOUNTS = f"""
CREATE TABLE accounts.players (
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    game text NOT NULL,
    player_id {_PLAYER},
    state text NOT NULL CHECK (state IN ('linked', 'claimed', 'refused')),
    told_by text NOT NULL CHECK (told_by IN ('sign_in', 'person', 'admin', 'command_line')),
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    PRIMARY KEY (user_id, game, player_id)
);
CREATE UNIQUE INDEX ON accounts.players (game, player_id) WHERE state = 'linked';
COMMENT ON TABLE accounts.players IS 'Which accounts of games are whose; a user may have several.';
COMMENT ON COLUMN accounts.players.state IS
    'linked, claimed (nothing proves it: an admin decides), or refused (by an admin, or taken back by the user).';

CREATE TABLE accounts.invitations (
    invitation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    game text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    guest_id bigint REFERENCES accounts.users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    accepted_at timestamptz,
    expires_at timestamptz NOT NULL,
    CHECK (guest_id <> user_id AND (guest_id IS NULL) = (accepted_at IS NULL))
);
CREATE INDEX ON accounts.invitations (user_id);
CREATE INDEX ON accounts.invitations (guest_id);
COMMENT ON TABLE accounts.invitations IS 'Coaches: who invited whom to see the own pages; to take it back removes it.';
COMMENT ON COLUMN accounts.invitations.expires_at IS 'Until when it can be accepted.';

CREATE TABLE accounts.shares (
    token text PRIMARY KEY CHECK (char_length(token) >= 22),
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    game text NOT NULL,
    match_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, game, match_id)
);
COMMENT ON TABLE accounts.shares IS 'Matches whose page whoever has the link may see.';
"""

JOBS = f"""
CREATE TABLE ops.jobs (
    job_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    job_number bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+$'),
    game text NOT NULL,
    user_id bigint REFERENCES accounts.users ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'processing', 'done', 'failed')),
    payload jsonb NOT NULL DEFAULT '{{}}',
    said text NOT NULL DEFAULT 'waiting',
    result jsonb,
    error text,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    alive_at timestamptz
);
CREATE INDEX ON ops.jobs (job_number) WHERE state IN ('queued', 'processing');
CREATE INDEX ON ops.jobs (user_id, job_number DESC);
COMMENT ON TABLE ops.jobs IS 'What people asked for that takes a while: uploads, exports, erasures, ...';
COMMENT ON COLUMN ops.jobs.said IS 'What is going on, in words for the person.';
COMMENT ON COLUMN ops.jobs.alive_at IS 'When the worker that has it was last known to live.';

CREATE FUNCTION ops.tell_of_job() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('gamestats_jobs', NEW.kind);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_of_job AFTER INSERT ON ops.jobs FOR EACH ROW EXECUTE FUNCTION ops.tell_of_job();

CREATE TABLE ops.rl_uploads (
    upload_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    content_hash text NOT NULL CHECK (content_hash ~ '^[0-9a-f]{{64}}$'),
    file_name text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    job_id uuid NOT NULL REFERENCES ops.jobs ON DELETE CASCADE,
    match_id {_MATCH},
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, content_hash)
);
CREATE INDEX ON ops.rl_uploads (job_id);
CREATE INDEX ON ops.rl_uploads (match_id);
COMMENT ON TABLE ops.rl_uploads IS 'Replays that people sent; a match stays for all who played it, whoever sent it.';
COMMENT ON COLUMN ops.rl_uploads.content_hash IS 'SHA-256 of the file as it was sent; the same is known again.';
"""

CONSENTS = """
ALTER TABLE ops.rl_players
    ADD COLUMN cohorts_at timestamptz,
    ADD COLUMN models_at timestamptz,
    ADD COLUMN comparison_at timestamptz,
    ADD COLUMN consent_text integer CHECK (consent_text > 0),
    ADD COLUMN share_at_ballchasing text CHECK (share_at_ballchasing IN ('public', 'unlisted', 'private'));
UPDATE ops.rl_players SET cohorts_at = consented_at, models_at = consented_at, comparison_at = consented_at
    WHERE consented_at IS NOT NULL;
COMMENT ON COLUMN ops.rl_players.cohorts_at IS 'When the player agreed to be part of cohorts; null: not, or no more.';
COMMENT ON COLUMN ops.rl_players.models_at IS 'The same of the training of models.';
COMMENT ON COLUMN ops.rl_players.comparison_at IS 'The same of being compared with others.';
COMMENT ON COLUMN ops.rl_players.consent_text IS 'Version of the text that was agreed to; null: at the command line.';
COMMENT ON COLUMN ops.rl_players.share_at_ballchasing IS
    'With which visibility the player''s replays are uploaded to ballchasing; null: they are not.';
"""

KEPT = f"""
CREATE TABLE ops.rl_consents (
    consent_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    player_id {_PLAYER} REFERENCES ops.rl_players ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('analysis', 'cohorts', 'models', 'comparison', 'ballchasing')),
    is_given boolean NOT NULL,
    text_version integer,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text NOT NULL DEFAULT ops.person()
);
CREATE INDEX ON ops.rl_consents (player_id, consent_id);
COMMENT ON TABLE ops.rl_consents IS 'Every consent that was given or taken back, with the text; rows are only added.';

CREATE TABLE ops.rl_objections (
    objection_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    player_id {_PLAYER},
    reason text NOT NULL CHECK (reason = btrim(reason) AND reason <> '' AND char_length(reason) <= 2000),
    contact_encrypted text,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'granted', 'refused')),
    note text,
    created_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by text,
    CHECK ((state = 'open') = (decided_at IS NULL))
);
COMMENT ON TABLE ops.rl_objections IS 'People without an account who do not want to be in the data; an admin decides.';
COMMENT ON COLUMN ops.rl_objections.contact_encrypted IS 'Where they can be answered, encrypted; null where not given.';
"""

CONSENT_LOG = """
CREATE FUNCTION ops.keep_consents() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ops.rl_consents (player_id, purpose, is_given, text_version)
    SELECT NEW.player_id, purpose, is_given, NEW.consent_text
    FROM (VALUES
        ('analysis', 'consented_at'), ('cohorts', 'cohorts_at'), ('models', 'models_at'),
        ('comparison', 'comparison_at'), ('ballchasing', 'share_at_ballchasing')
    ) AS purposes (purpose, of), LATERAL (
        -- A new row has no old one, and no consent was given before.
        SELECT to_jsonb(OLD) ->> of IS NOT NULL AS was_given, to_jsonb(NEW) ->> of IS NOT NULL AS is_given
    ) AS told
    WHERE was_given <> is_given;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_consents AFTER INSERT OR UPDATE ON ops.rl_players
    FOR EACH ROW EXECUTE FUNCTION ops.keep_consents();
"""

_OWN_ROWS = {
    "rl_players": "ops.is_own('gamestats.own_player_id', player_id)",
    "rl_ranks": "ops.is_own('gamestats.own_player_id', player_id)",
    "training_sessions": "ops.is_own('gamestats.own_player_id', player_id)",
    "rl_consents": "ops.is_own('gamestats.own_player_id', player_id)",
    "rl_uploads": "ops.is_own('gamestats.own_user_id', user_id::text)",
    "jobs": "ops.is_own('gamestats.own_user_id', user_id::text)",
}
"""Tables of `ops` with personal rows, and the condition of ownership."""

GUARDED = """
ALTER TABLE ops.{table} ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ops.{table} USING (ops.sees_all() OR {own});
"""
READ = """
DO $$ BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'gamestats_reader') THEN
        CREATE POLICY read ON ops.{table} FOR SELECT TO gamestats_reader USING (true);
    END IF;
END $$;
"""

DROP = """
DROP TRIGGER keep_consents ON ops.rl_players;
DROP FUNCTION ops.keep_consents;
DROP TABLE ops.rl_objections, ops.rl_consents, ops.rl_uploads, ops.jobs;
DROP FUNCTION ops.tell_of_job;
ALTER TABLE ops.rl_players DROP COLUMN cohorts_at, DROP COLUMN models_at, DROP COLUMN comparison_at,
    DROP COLUMN consent_text, DROP COLUMN share_at_ballchasing;
DROP TABLE accounts.shares, accounts.invitations, accounts.players;
DROP FUNCTION ops.is_own, ops.sees_all CASCADE;
"""


def upgrade() -> None:
    for statements in (OWN, ACCOUNTS, JOBS, CONSENTS, KEPT, CONSENT_LOG):
        _run(statements)
    for table, own in _OWN_ROWS.items():
        # Names and conditions from this file, in statements without parameters.
        _run(GUARDED.format(table=table, own=own) + READ.format(table=table))


def downgrade() -> None:
    for table in ("rl_players", "rl_ranks", "training_sessions"):
        _run(f"DROP POLICY own ON ops.{table}; DROP POLICY IF EXISTS read ON ops.{table};")
        _run(f"ALTER TABLE ops.{table} DISABLE ROW LEVEL SECURITY;")
    _run(DROP)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
