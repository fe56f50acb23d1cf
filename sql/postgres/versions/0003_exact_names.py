"""Exact names of time zones, names that the API accepts, and match ids in lower case.

PostgreSQL accepts more time zones than the tables do: names in any case, and rules such as `Europe/Berlin2`. Existing
rows stay as they are, except that match ids are lowered. Tracked players without copied details can be removed.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME_ZONES = """
CREATE FUNCTION ops.exact_time_zone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- Queried only once, because the view reads every file of the time zone database.
    names text[] := ARRAY(SELECT name FROM pg_timezone_names WHERE name !~ '^(posix|right)/');
    meant text := (SELECT zone FROM unnest(names) AS known (zone) WHERE lower(zone) = lower(NEW.time_zone) LIMIT 1);
BEGIN
    IF NEW.time_zone <> ALL (names) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            CONSTRAINT = 'seasons_time_zone_is_exact',
            TABLE = 'seasons',
            SCHEMA = 'ops',
            MESSAGE = format(
                '%s is no name of the time zone database; %s', NEW.time_zone,
                coalesce('write ' || meant, 'write it as in Europe/Berlin, with these capitals, or UTC')
            );
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER exact_time_zone BEFORE INSERT OR UPDATE OF time_zone ON ops.seasons
    FOR EACH ROW EXECUTE FUNCTION ops.exact_time_zone();
"""

# The API takes several names in one request, separated by commas. Inactive players are not polled, so existing ones can
# still be made inactive.
PLAYER_NAMES = """
ALTER TABLE ops.tracked_players ADD CONSTRAINT tracked_players_name_without_comma
    CHECK (NOT is_active OR player_name COLLATE "C" !~ '[,[:cntrl:]]') NOT VALID;
ALTER TABLE ops.roster_entries ADD CONSTRAINT roster_entries_name_without_comma
    CHECK (player_name COLLATE "C" !~ '[,[:cntrl:]]') NOT VALID;
"""

MATCH_IDS = """
CREATE FUNCTION ops.small_match_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'match_overrides' THEN
        NEW.match_id := lower(btrim(NEW.match_id));
    ELSE
        NEW.original_match_id := lower(btrim(NEW.original_match_id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER small_match_id BEFORE INSERT OR UPDATE OF match_id ON ops.match_overrides
    FOR EACH ROW EXECUTE FUNCTION ops.small_match_id();
CREATE TRIGGER small_match_id BEFORE INSERT OR UPDATE OF original_match_id ON ops.scheduled_matches
    FOR EACH ROW EXECUTE FUNCTION ops.small_match_id();

UPDATE ops.scheduled_matches SET original_match_id = lower(original_match_id)
    WHERE original_match_id <> lower(original_match_id);
-- Of several overrides of one match, the one in lower case was in force; otherwise the newest is kept.
UPDATE ops.match_overrides o SET match_id = lower(o.match_id)
    WHERE o.match_id <> lower(o.match_id) AND NOT EXISTS (
        SELECT FROM ops.match_overrides other
        WHERE other.match_id <> o.match_id AND lower(other.match_id) = lower(o.match_id)
            AND (other.match_id = lower(o.match_id)
                OR (other.updated_at, other.match_id) > (o.updated_at, o.match_id))
    );
"""

# PostgreSQL does not see the tables with copied details; the program that checked them names the player in a setting.
MISTAKEN_PLAYERS = """
CREATE OR REPLACE FUNCTION ops.keep_tracked_player() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('gamestats.nothing_taken_of', true) = OLD.tracked_player_id::text THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'Tracked players are not deleted by SQL; set is_active = false for %.', OLD.player_name
        USING ERRCODE = 'restrict_violation',
            DETAIL = 'One of whom nothing was taken up yet is removed with: gamestats players remove PLAYER';
END $$;
COMMENT ON TABLE ops.tracked_players IS
    'Players whose detail is published; made inactive, and removed only while nothing was taken up of them.';
"""

KEEP_PLAYERS = """
CREATE OR REPLACE FUNCTION ops.keep_tracked_player() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Tracked players are never deleted; set is_active = false for %.', OLD.player_name
        USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON TABLE ops.tracked_players IS 'Players whose detail is published; never deleted, only made inactive.';
"""

DROP = """
ALTER TABLE ops.tracked_players DROP CONSTRAINT tracked_players_name_without_comma;
ALTER TABLE ops.roster_entries DROP CONSTRAINT roster_entries_name_without_comma;
DROP TRIGGER exact_time_zone ON ops.seasons;
DROP TRIGGER small_match_id ON ops.match_overrides;
DROP TRIGGER small_match_id ON ops.scheduled_matches;
DROP FUNCTION ops.exact_time_zone, ops.small_match_id;
"""


def upgrade() -> None:
    for statements in (TIME_ZONES, PLAYER_NAMES, MATCH_IDS, MISTAKEN_PLAYERS):
        _run(statements)


def downgrade() -> None:
    for statements in (DROP, KEEP_PLAYERS):
        _run(statements)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
