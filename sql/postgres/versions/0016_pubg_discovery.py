"""Gives the register of PUBG matches the same columns as other games' registers, and records the latest poll of each
PUBG player."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

REGISTER = """
DROP INDEX ops.matches_discovered_newest_first, ops.matches_discovered_claims;
ALTER TABLE ops.matches_discovered DROP CONSTRAINT matches_discovered_state_check;
UPDATE ops.matches_discovered SET
    state = CASE state WHEN 'registered' THEN 'wanted' ELSE state END,
    claimed_until = CASE WHEN state = 'registered' THEN now() ELSE coalesce(settled_at, discovered_at) END;
ALTER TABLE ops.matches_discovered
    DROP COLUMN listed, DROP COLUMN claim, DROP COLUMN delays, DROP COLUMN settled_at, DROP COLUMN last_seen_at,
    ALTER COLUMN state SET DEFAULT 'wanted',
    ALTER COLUMN claimed_until SET DEFAULT clock_timestamp(),
    ALTER COLUMN claimed_until SET NOT NULL,
    ADD CHECK (state IN ('wanted', 'archived', 'expired', 'passed_over', 'failed'));
ALTER TABLE ops.matches_discovered RENAME COLUMN discovered_at TO found_at;
ALTER TABLE ops.matches_discovered RENAME COLUMN claimed_until TO next_at;
CREATE INDEX ON ops.matches_discovered (priority, next_at) WHERE state = 'wanted';
COMMENT ON COLUMN ops.matches_discovered.state IS
    'wanted (to be archived), archived, expired (the API has forgotten it), passed_over (of a type that its finders do '
    'not want) or failed (given up after some attempts).';
COMMENT ON COLUMN ops.matches_discovered.next_at IS 'When it is tried next; when it was settled if it is not wanted.';
COMMENT ON COLUMN ops.matches_discovered.attempts IS 'Failed attempts that the API did not hold up.';
"""

POLLS = """
CREATE TABLE ops.pubg_polls (
    finder text NOT NULL,
    shard text NOT NULL,
    player text NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (finder, shard, player)
);
COMMENT ON TABLE ops.pubg_polls IS
    'When each finder last asked the API for the matches of a player, who is an account id or else an in-game name.';
"""

UNDO = """
DROP TABLE ops.pubg_polls;
DROP INDEX ops.matches_discovered_priority_next_at_idx;
ALTER TABLE ops.matches_discovered RENAME COLUMN found_at TO discovered_at;
ALTER TABLE ops.matches_discovered RENAME COLUMN next_at TO claimed_until;
ALTER TABLE ops.matches_discovered DROP CONSTRAINT matches_discovered_state_check;
ALTER TABLE ops.matches_discovered
    ADD COLUMN last_seen_at timestamptz,
    ADD COLUMN settled_at timestamptz,
    ADD COLUMN listed integer NOT NULL DEFAULT 0 CHECK (listed >= 0),
    ADD COLUMN claim text,
    ADD COLUMN delays integer NOT NULL DEFAULT 0 CHECK (delays >= 0),
    ALTER COLUMN state SET DEFAULT 'registered',
    ALTER COLUMN claimed_until DROP DEFAULT,
    ALTER COLUMN claimed_until DROP NOT NULL;
UPDATE ops.matches_discovered SET
    state = CASE state WHEN 'wanted' THEN 'registered' ELSE state END,
    settled_at = CASE WHEN state <> 'wanted' THEN claimed_until END;
ALTER TABLE ops.matches_discovered
    ADD CHECK (state IN ('registered', 'archived', 'expired', 'passed_over', 'failed'));
CREATE INDEX matches_discovered_newest_first
    ON ops.matches_discovered (listed, discovered_at DESC, match_id) WHERE state = 'registered';
CREATE INDEX matches_discovered_claims ON ops.matches_discovered (claimed_until)
    WHERE state = 'registered' AND claim IS NOT NULL;
"""


def upgrade() -> None:
    for statements in (REGISTER, POLLS):
        _run(statements)


def downgrade() -> None:
    _run(UNDO)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
