"""Registers of discovery: callers of the API, newest match first, and claims that know their run."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LIMIT = """
ALTER TABLE ops.api_calls ADD COLUMN caller text NOT NULL DEFAULT '';
COMMENT ON COLUMN ops.api_calls.caller IS 'Who called: one who leaves requests to others is held to their own calls.';

-- Existing rows may be defaults; the next answer reports the limit again.
ALTER TABLE ops.api_limits ALTER COLUMN requests DROP NOT NULL;
UPDATE ops.api_limits SET requests = NULL;
COMMENT ON COLUMN ops.api_limits.requests IS 'As the API last said; null while it has said nothing.';
"""

CLAIMS = """
ALTER TABLE ops.matches_discovered
    ADD COLUMN listed integer NOT NULL DEFAULT 0 CHECK (listed >= 0),
    ADD COLUMN claim text,
    ADD COLUMN delays integer NOT NULL DEFAULT 0 CHECK (delays >= 0);
COMMENT ON COLUMN ops.matches_discovered.listed IS
    'Place in the list of matches of the player it was first found by; 0 is the newest.';
COMMENT ON COLUMN ops.matches_discovered.claim IS
    'What the run that has it, or is to have it, bears as its tag gamestats/claim.';
COMMENT ON COLUMN ops.matches_discovered.attempts IS 'Claims since it was found that the API did not hold up.';
COMMENT ON COLUMN ops.matches_discovered.delays IS 'How often in a row the API held it up: down, or its limit used up.';
COMMENT ON COLUMN ops.matches_discovered.claimed_until IS
    'Until when nobody else may claim it: a run that was requested has it, or it waits for its next attempt.';

DROP INDEX ops.matches_discovered_priority_discovered_at_idx;
CREATE INDEX matches_discovered_newest_first
    ON ops.matches_discovered (listed, discovered_at DESC, match_id) WHERE state = 'registered';
CREATE INDEX matches_discovered_claims ON ops.matches_discovered (claimed_until)
    WHERE state = 'registered' AND claim IS NOT NULL;

-- Found by a finder of all types, but passed over by a run that did not know this.
UPDATE ops.matches_discovered SET state = 'registered', settled_at = NULL, claimed_until = NULL
WHERE state = 'passed_over' AND 'tracked_players' = ANY (also_seen_by || discovered_by);
"""

UNDO = """
DROP INDEX ops.matches_discovered_newest_first, ops.matches_discovered_claims;
CREATE INDEX ON ops.matches_discovered (priority, discovered_at) WHERE state <> 'archived';
COMMENT ON COLUMN ops.matches_discovered.attempts IS NULL;
COMMENT ON COLUMN ops.matches_discovered.claimed_until IS
    'Until when a run that was requested has it; a run that never came loses it then.';
ALTER TABLE ops.matches_discovered DROP COLUMN listed, DROP COLUMN claim, DROP COLUMN delays;
DELETE FROM ops.api_limits WHERE requests IS NULL;
COMMENT ON COLUMN ops.api_limits.requests IS NULL;
ALTER TABLE ops.api_limits ALTER COLUMN requests SET NOT NULL;
ALTER TABLE ops.api_calls DROP COLUMN caller;
"""


def upgrade() -> None:
    for statements in (LIMIT, CLAIMS):
        _run(statements)


def downgrade() -> None:
    _run(UNDO)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
