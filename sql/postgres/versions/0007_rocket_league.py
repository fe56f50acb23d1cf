"""Tracked Rocket League players, their ranks, consent and training, and the replays found for them."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Columns with the author of each row and change, and triggers that count changes.
_ENTERED = """
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person()
"""
_PLAYER = "text NOT NULL CHECK (player_id ~ '^[a-z0-9]+_[a-z0-9_.-]+$')"

TABLES = f"""
CREATE TABLE ops.rl_players (
    player_id {_PLAYER} PRIMARY KEY,
    username text NOT NULL CHECK (username = btrim(username) AND username <> ''),
    email_encrypted text,
    wanted_since timestamptz NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    consented_at timestamptz,
    retention_days integer NOT NULL DEFAULT 730 CHECK (retention_days BETWEEN 1 AND 36500),
    {_ENTERED}
);
COMMENT ON TABLE ops.rl_players IS 'Rocket League players that are tracked, with what they agreed to.';
COMMENT ON COLUMN ops.rl_players.player_id IS 'Platform and account, such as steam_76561190000000001.';
COMMENT ON COLUMN ops.rl_players.email_encrypted IS
    'E-mail address, encrypted with GAMESTATS_ENCRYPTION_KEY (Fernet); null where none was given.';
COMMENT ON COLUMN ops.rl_players.wanted_since IS 'Replays of matches before are not fetched.';
COMMENT ON COLUMN ops.rl_players.is_active IS 'Whether new replays are looked for and tables kept up to date.';
COMMENT ON COLUMN ops.rl_players.consented_at IS
    'When the player agreed to the analysis; null: not yet, or not any more, and nothing is made of the player alone.';
COMMENT ON COLUMN ops.rl_players.retention_days IS 'Days after a match for which it stands in the player''s tables.';

CREATE TABLE ops.rl_ranks (
    player_id {_PLAYER} REFERENCES ops.rl_players ON DELETE CASCADE,
    playlist text NOT NULL CHECK (playlist ~ '^[a-z0-9-]+$'),
    tier integer NOT NULL CHECK (tier BETWEEN 1 AND 22),
    division integer CHECK (division BETWEEN 1 AND 4),
    PRIMARY KEY (player_id, playlist),
    {_ENTERED}
);
COMMENT ON TABLE ops.rl_ranks IS 'Ranks that players gave: local replays do not tell them.';
COMMENT ON COLUMN ops.rl_ranks.tier IS '1 (bronze 1) to 22 (supersonic legend).';

CREATE TABLE ops.training_sessions (
    training_session_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    player_id {_PLAYER} REFERENCES ops.rl_players ON DELETE CASCADE,
    code text CHECK (code ~ '^[0-9A-F]{{4}}(-[0-9A-F]{{4}}){{3}}$'),
    skill text NOT NULL CHECK (skill ~ '^[a-z_]+$'),
    completed_at timestamptz NOT NULL,
    duration_s integer NOT NULL CHECK (duration_s BETWEEN 1 AND 86400),
    attempts integer CHECK (attempts >= 0),
    successes integer CHECK (successes BETWEEN 0 AND attempts),
    {_ENTERED}
);
CREATE INDEX ON ops.training_sessions (player_id, completed_at);
COMMENT ON TABLE ops.training_sessions IS 'What players trained.';
COMMENT ON COLUMN ops.training_sessions.code IS 'Training pack; null for free play and the like.';
COMMENT ON COLUMN ops.training_sessions.skill IS 'What was trained, such as saves.';

CREATE TABLE ops.rl_looks (
    player_id text PRIMARY KEY REFERENCES ops.rl_players ON DELETE CASCADE,
    asked_at timestamptz,
    listed_at timestamptz,
    listed_since timestamptz,
    last_error text
);
COMMENT ON TABLE ops.rl_looks IS 'When ballchasing was last asked for the replays of tracked players.';
COMMENT ON COLUMN ops.rl_looks.listed_at IS 'When it last listed them.';
COMMENT ON COLUMN ops.rl_looks.listed_since IS 'Since when they are all listed; more may be wanted since.';
COMMENT ON COLUMN ops.rl_looks.last_error IS 'Why it did not, the last time; null where it did.';

CREATE TABLE ops.rl_replays_found (
    ballchasing_id text PRIMARY KEY CHECK (ballchasing_id = lower(btrim(ballchasing_id)) AND ballchasing_id <> ''),
    match_id text CHECK (match_id ~ '^[0-9A-F]{{32}}$'),
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'archived', 'expired', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text
);
CREATE INDEX ON ops.rl_replays_found (next_at) WHERE state = 'wanted';
COMMENT ON TABLE ops.rl_replays_found IS 'Replays that ballchasing has of tracked players, and what became of them.';
COMMENT ON COLUMN ops.rl_replays_found.match_id IS
    'The match whose statistics landed under this id; null until then. What is missing of it is fetched by this.';
COMMENT ON COLUMN ops.rl_replays_found.state IS
    'wanted (to be fetched), archived, expired (ballchasing has it no more, or cannot read it) or failed (given up).';
COMMENT ON COLUMN ops.rl_replays_found.next_at IS 'When it is tried next.';
"""

_COUNTED = ("rl_players", "rl_ranks", "training_sessions")
CHANGES = """
CREATE TRIGGER note_change BEFORE UPDATE ON ops.{table}
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.note_change();
CREATE TRIGGER bump_inserted AFTER INSERT ON ops.{table} REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
CREATE TRIGGER bump_updated AFTER UPDATE ON ops.{table} REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
CREATE TRIGGER bump_deleted AFTER DELETE ON ops.{table} REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
CREATE TRIGGER bump_truncated AFTER TRUNCATE ON ops.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
INSERT INTO ops.changes (table_name, version, changed_at) VALUES ('{table}', 0, now());
"""

DROP = """
DROP TABLE ops.rl_looks, ops.rl_replays_found, ops.training_sessions, ops.rl_ranks, ops.rl_players;
DELETE FROM ops.changes WHERE table_name IN ('rl_players', 'rl_ranks', 'training_sessions');
"""


def upgrade() -> None:
    _run(TABLES)
    for table in _COUNTED:
        # A name from this file, in a statement without parameters.
        _run(CHANGES.format(table=table))


def downgrade() -> None:
    _run(DROP)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
