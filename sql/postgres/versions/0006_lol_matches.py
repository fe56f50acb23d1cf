"""Players whose League of Legends matches are fetched, the matches found, and limits with several windows."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LIMITS = """
ALTER TABLE ops.api_limits ADD COLUMN windows text CHECK (
    windows ~ '^[0-9]+:[0-9]+([.][0-9]+)?(,[0-9]+:[0-9]+([.][0-9]+)?)*$'
);
UPDATE ops.api_limits SET windows = requests || ':60' WHERE requests IS NOT NULL;
ALTER TABLE ops.api_limits DROP COLUMN requests;
COMMENT ON TABLE ops.api_limits IS 'Requests an API allows in windows, as it last said, and until when it refuses.';
COMMENT ON COLUMN ops.api_limits.windows IS
    'Requests and seconds of each window, such as 20:1,100:120, as the API last said; null while it has said nothing.';
"""

SEEDS = """
CREATE TABLE ops.lol_seeded_players (
    seeded_player_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    riot_id text NOT NULL CHECK (riot_id ~ '^[^#[:cntrl:]]+#[^#[:cntrl:]]+$' AND riot_id = btrim(riot_id)),
    platform text NOT NULL CHECK (platform ~ '^[a-z]{2,4}[0-9]?$'),
    puuid text CHECK (puuid ~ '^[A-Za-z0-9_-]+$'),
    wanted_since timestamptz NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    added_by text NOT NULL DEFAULT ops.person(),
    removed_at timestamptz,
    asked_at timestamptz,
    listed_at timestamptz,
    last_error text
);
CREATE UNIQUE INDEX lol_seeded_players_riot_id ON ops.lol_seeded_players (platform, lower(riot_id));
COMMENT ON TABLE ops.lol_seeded_players IS 'Players whose League of Legends matches are looked for and fetched.';
COMMENT ON COLUMN ops.lol_seeded_players.puuid IS 'The account, as the API key knows it; null until it is asked for.';
COMMENT ON COLUMN ops.lol_seeded_players.wanted_since IS 'Matches that began before are not wanted.';
COMMENT ON COLUMN ops.lol_seeded_players.removed_at IS 'Since when nobody asks for them any more.';
COMMENT ON COLUMN ops.lol_seeded_players.asked_at IS 'When the API was last asked for them.';
COMMENT ON COLUMN ops.lol_seeded_players.listed_at IS 'When it last listed their matches.';
COMMENT ON COLUMN ops.lol_seeded_players.last_error IS 'Why it did not, the last time; null where it did.';
"""

FOUND = """
CREATE TABLE ops.lol_matches_found (
    match_id text PRIMARY KEY CHECK (match_id ~ '^[A-Z0-9]+_[0-9]+$'),
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'archived', 'expired', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text
);
COMMENT ON TABLE ops.lol_matches_found IS 'Matches of seeded players, and what became of them.';
COMMENT ON COLUMN ops.lol_matches_found.state IS
    'wanted (to be fetched), archived, expired (the API has forgotten it, or its timeline) or failed (given up).';
COMMENT ON COLUMN ops.lol_matches_found.next_at IS 'When it is tried next.';
CREATE INDEX ON ops.lol_matches_found (next_at) WHERE state = 'wanted';
"""

UNDO = """
DROP TABLE ops.lol_seeded_players, ops.lol_matches_found;
ALTER TABLE ops.api_limits ADD COLUMN requests integer CHECK (requests > 0);
UPDATE ops.api_limits SET requests = split_part(windows, ':', 1)::integer WHERE windows ~ '^[1-9][0-9]*:60$';
ALTER TABLE ops.api_limits DROP COLUMN windows;
COMMENT ON TABLE ops.api_limits IS 'Requests an API allows in a window, as it last said, and until when it refuses.';
COMMENT ON COLUMN ops.api_limits.requests IS 'As the API last said; null while it has said nothing.';
"""


def upgrade() -> None:
    for statements in (LIMITS, SEEDS, FOUND):
        _run(statements)


def downgrade() -> None:
    _run(UNDO)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
