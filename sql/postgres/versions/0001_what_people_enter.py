"""Entered data: seasons, rosters, schedule, overrides, tracked players; and the registers of discovery.

Columns that affect later tables are declared in the tables.py of gamestats_assets/pubg/tournament and
gamestats_assets/pubg/players, whose snapshots copy them.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHO = """
CREATE FUNCTION ops.person() RETURNS text STABLE LANGUAGE sql
    RETURN coalesce(nullif(current_setting('gamestats.person', true), ''), session_user::text);
COMMENT ON FUNCTION ops.person() IS
    'Who is writing: the setting gamestats.person where a program knows the person, else the login.';

CREATE FUNCTION ops.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    NEW.changed_by := ops.person();
    RETURN NEW;
END $$;
"""

VERSIONS = """
CREATE TABLE ops.changes (
    table_name text PRIMARY KEY,
    version bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE ops.changes IS 'A number per table that grows with every statement that changed rows of it.';

-- With the owner's rights, because users who may write a table need no right to write its version.
CREATE FUNCTION ops.bump_version() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'TRUNCATE' THEN
        PERFORM 1 FROM changed_rows LIMIT 1;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO ops.changes AS c (table_name, version, changed_at)
    VALUES (TG_TABLE_NAME, 1, clock_timestamp())
    ON CONFLICT (table_name) DO UPDATE SET version = c.version + 1, changed_at = excluded.changed_at;
    RETURN NULL;
END $$;
"""

SEASONS = """
CREATE TABLE ops.seasons (
    season_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    season text NOT NULL UNIQUE CHECK (season ~ '^[a-z0-9_.-]+$'),
    name text NOT NULL CHECK (name = btrim(name) AND name <> ''),
    shard text NOT NULL DEFAULT 'steam' CHECK (shard ~ '^[a-z0-9-]+$'),
    -- A name of the time zone database; PostgreSQL refuses unknown ones.
    time_zone text NOT NULL CHECK (
        time_zone ~ '^(UTC|[A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$'
        AND timestamptz '2026-01-01 00:00:00+00' AT TIME ZONE time_zone IS NOT NULL
    ),
    placement_points integer[] NOT NULL DEFAULT '{10,6,5,4,3,2,1,1}' CHECK (
        coalesce(array_ndims(placement_points), 1) = 1
        AND array_position(placement_points, NULL) IS NULL
        AND 0 <= ALL (placement_points)
    ),
    kill_points integer NOT NULL DEFAULT 1 CHECK (kill_points >= 0),
    player_points_with_placement boolean NOT NULL DEFAULT true,
    tie_breakers text[] NOT NULL DEFAULT '{wins,kills,latest_placement}' CHECK (
        coalesce(array_ndims(tie_breakers), 1) = 1
        AND array_position(tie_breakers, NULL) IS NULL
        AND tie_breakers <@ '{wins,kills,latest_placement,average_placement}'
    ),
    minimum_teams integer NOT NULL DEFAULT 8 CHECK (minimum_teams >= 2),
    slot_window_min integer NOT NULL DEFAULT 45 CHECK (slot_window_min >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person()
);
COMMENT ON TABLE ops.seasons IS 'Seasons and their points rules.';

CREATE TABLE ops.divisions (
    division_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    season_id bigint NOT NULL REFERENCES ops.seasons,
    division text NOT NULL CHECK (division = btrim(division) AND division <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    UNIQUE (season_id, division)
);
COMMENT ON TABLE ops.divisions IS 'Divisions of a season.';

CREATE TABLE ops.groups (
    group_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    division_id bigint NOT NULL REFERENCES ops.divisions,
    group_name text NOT NULL CHECK (group_name = btrim(group_name) AND group_name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    UNIQUE (division_id, group_name),
    UNIQUE (group_id, division_id)
);
COMMENT ON TABLE ops.groups IS 'Groups of a division; a division may have none.';

CREATE TABLE ops.teams (
    team_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    division_id bigint NOT NULL REFERENCES ops.divisions,
    group_id bigint,
    team_name text NOT NULL CHECK (team_name = btrim(team_name) AND team_name <> ''),
    tag text CHECK (tag = btrim(tag) AND tag <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    UNIQUE (division_id, team_name),
    CONSTRAINT teams_group_of_the_division FOREIGN KEY (group_id, division_id)
        REFERENCES ops.groups (group_id, division_id)
);
COMMENT ON TABLE ops.teams IS 'Teams of a division, and the group they play in.';

-- Rosters, rounds and standings of a division or a team belong to its season.
CREATE FUNCTION ops.stay_in_season() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'divisions' THEN
        RAISE EXCEPTION 'Division % cannot move to another season; enter it there anew.', OLD.division
            USING ERRCODE = 'integrity_constraint_violation';
    ELSIF (SELECT count(DISTINCT season_id) FROM ops.divisions
           WHERE division_id IN (OLD.division_id, NEW.division_id)) > 1 THEN
        RAISE EXCEPTION 'Team % cannot move to another season; enter it there anew.', OLD.team_name
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stay_in_season BEFORE UPDATE OF season_id ON ops.divisions
    FOR EACH ROW WHEN (OLD.season_id <> NEW.season_id) EXECUTE FUNCTION ops.stay_in_season();
CREATE TRIGGER stay_in_season BEFORE UPDATE OF division_id ON ops.teams
    FOR EACH ROW WHEN (OLD.division_id <> NEW.division_id) EXECUTE FUNCTION ops.stay_in_season();
"""

ROSTERS = """
CREATE TABLE ops.roster_entries (
    roster_entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id bigint NOT NULL REFERENCES ops.teams,
    account_id text CHECK (account_id ~ '^[a-z0-9_.-]+$' AND account_id NOT LIKE 'ai.%'),
    player_name text NOT NULL CHECK (player_name = btrim(player_name) AND player_name <> ''),
    role text NOT NULL DEFAULT 'player' CHECK (role IN ('player', 'substitute', 'stand_in')),
    valid_from date NOT NULL CHECK (valid_from BETWEEN '2000-01-01' AND '2999-12-31'),
    valid_until date CHECK (valid_until BETWEEN '2000-01-01' AND '2999-12-31'),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    CHECK (valid_until >= valid_from)
);
COMMENT ON TABLE ops.roster_entries IS 'Who plays for which team, and from which day to which, both days included.';
CREATE INDEX ON ops.roster_entries (team_id);
CREATE INDEX ON ops.roster_entries (account_id);

-- A trigger, as an exclusion constraint would need the extension btree_gist and the season in the row.
-- The name replaces an unknown account; names that differ only in case are equal.
CREATE FUNCTION ops.one_roster_a_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mine record;
    other record;
BEGIN
    -- The current row: the check may be deferred to the end of the transaction.
    SELECT e.*, t.team_name, d.season_id INTO mine
    FROM ops.roster_entries e JOIN ops.teams t USING (team_id) JOIN ops.divisions d USING (division_id)
    WHERE e.roster_entry_id = NEW.roster_entry_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- Serialised per season, so that two users who enter the same player at once see each other.
    PERFORM 1 FROM ops.seasons WHERE season_id = mine.season_id FOR NO KEY UPDATE;
    SELECT e.*, t.team_name INTO other
    FROM ops.roster_entries e JOIN ops.teams t USING (team_id) JOIN ops.divisions d USING (division_id)
    WHERE d.season_id = mine.season_id
        AND e.roster_entry_id <> mine.roster_entry_id
        AND coalesce(e.account_id = mine.account_id, lower(e.player_name) = lower(mine.player_name))
        AND daterange(e.valid_from, e.valid_until, '[]') && daterange(mine.valid_from, mine.valid_until, '[]')
    ORDER BY e.valid_from
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'exclusion_violation',
            CONSTRAINT = 'roster_entries_one_roster_a_day',
            TABLE = 'roster_entries',
            SCHEMA = 'ops',
            MESSAGE = format(
                '%s is on the roster of %s already from %s %s; one player may be on one roster a day',
                mine.player_name, other.team_name, other.valid_from,
                coalesce('to ' || other.valid_until, 'on')
            );
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER one_roster_a_day
    AFTER INSERT OR UPDATE OF team_id, account_id, player_name, valid_from, valid_until ON ops.roster_entries
    DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW EXECUTE FUNCTION ops.one_roster_a_day();
"""

ROUNDS = """
CREATE TABLE ops.rounds (
    round_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    division_id bigint NOT NULL REFERENCES ops.divisions,
    group_id bigint,
    round_number integer NOT NULL CHECK (round_number >= 1),
    round_name text NOT NULL CHECK (round_name = btrim(round_name) AND round_name <> ''),
    first_day date NOT NULL CHECK (first_day BETWEEN '2000-01-01' AND '2999-12-31'),
    last_day date NOT NULL CHECK (last_day BETWEEN '2000-01-01' AND '2999-12-31'),
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'active', 'completed', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    CHECK (last_day >= first_day),
    UNIQUE NULLS NOT DISTINCT (division_id, group_id, round_number),
    CONSTRAINT rounds_group_of_the_division FOREIGN KEY (group_id, division_id)
        REFERENCES ops.groups (group_id, division_id)
);
COMMENT ON TABLE ops.rounds IS 'Rounds of a division or of one of its groups: days of the season''s time zone.';

CREATE TABLE ops.round_status_changes (
    round_status_change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_id bigint NOT NULL REFERENCES ops.rounds ON DELETE CASCADE,
    status text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text NOT NULL DEFAULT ops.person()
);
COMMENT ON TABLE ops.round_status_changes IS 'Every status a round had, and since when; a trigger keeps it.';
CREATE INDEX ON ops.round_status_changes (round_id);

CREATE FUNCTION ops.keep_round_status() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ops.round_status_changes (round_id, status) VALUES (NEW.round_id, NEW.status);
    RETURN NULL;
END $$;
CREATE TRIGGER keep_first_status AFTER INSERT ON ops.rounds
    FOR EACH ROW EXECUTE FUNCTION ops.keep_round_status();
CREATE TRIGGER keep_status AFTER UPDATE OF status ON ops.rounds
    FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION ops.keep_round_status();
"""

SCHEDULE = """
CREATE TABLE ops.scheduled_matches (
    scheduled_match_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    round_id bigint NOT NULL REFERENCES ops.rounds,
    match_number integer NOT NULL CHECK (match_number >= 1),
    scheduled_at timestamptz NOT NULL CHECK (scheduled_at BETWEEN '2000-01-01 00:00Z' AND '2999-12-31 00:00Z'),
    map_name text CHECK (map_name = btrim(map_name) AND map_name <> ''),
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'active', 'completed', 'cancelled')),
    is_remake boolean NOT NULL DEFAULT false,
    original_match_id text CHECK (original_match_id ~ '^[A-Za-z0-9_-]+$'),
    remake_reason text CHECK (btrim(remake_reason) <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    UNIQUE (round_id, match_number),
    UNIQUE (scheduled_match_id, round_id),
    CONSTRAINT scheduled_matches_remake_fields
        CHECK (is_remake OR (original_match_id IS NULL AND remake_reason IS NULL))
);
COMMENT ON TABLE ops.scheduled_matches IS 'Slots of the schedule.';

CREATE TABLE ops.match_overrides (
    match_id text PRIMARY KEY CHECK (match_id ~ '^[A-Za-z0-9_-]+$'),
    is_tournament_match boolean,
    round_id bigint REFERENCES ops.rounds,
    scheduled_match_id bigint REFERENCES ops.scheduled_matches,
    validation_status text CHECK (validation_status IN (
        'confirmed', 'unscheduled', 'remake_candidate', 'remake_failed', 'mixed_division', 'not_tournament'
    )),
    reason text NOT NULL CHECK (btrim(reason) <> ''),
    admin text NOT NULL CHECK (btrim(admin) <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person(),
    CONSTRAINT match_overrides_decide_something
        CHECK (num_nonnulls(is_tournament_match, round_id, scheduled_match_id, validation_status) > 0),
    CONSTRAINT match_overrides_no_place_outside_the_tournament
        CHECK (is_tournament_match IS NOT FALSE OR num_nonnulls(round_id, scheduled_match_id) = 0),
    CONSTRAINT match_overrides_slot_of_the_round FOREIGN KEY (scheduled_match_id, round_id)
        REFERENCES ops.scheduled_matches (scheduled_match_id, round_id)
);
COMMENT ON TABLE ops.match_overrides IS 'What an admin decided of a match; a null leaves the derived value.';
"""

PLAYERS = """
CREATE TABLE ops.tracked_players (
    tracked_player_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text UNIQUE CHECK (account_id ~ '^[a-z0-9_.-]+$' AND account_id NOT LIKE 'ai.%'),
    player_name text NOT NULL CHECK (player_name = btrim(player_name) AND player_name <> ''),
    shard text NOT NULL DEFAULT 'steam' CHECK (shard ~ '^[a-z0-9-]+$'),
    is_active boolean NOT NULL DEFAULT true,
    backfill_days integer NOT NULL DEFAULT 180 CHECK (backfill_days >= 0),
    added_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person()
);
COMMENT ON TABLE ops.tracked_players IS 'Players whose detail is published; never deleted, only made inactive.';
CREATE UNIQUE INDEX tracked_players_name_while_account_unknown
    ON ops.tracked_players (shard, player_name) WHERE account_id IS NULL;

CREATE FUNCTION ops.keep_tracked_player() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Tracked players are never deleted; set is_active = false for %.', OLD.player_name
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER keep_tracked_player BEFORE DELETE ON ops.tracked_players
    FOR EACH ROW EXECUTE FUNCTION ops.keep_tracked_player();

CREATE TABLE ops.backfills (
    backfill_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tracked_player_id bigint NOT NULL REFERENCES ops.tracked_players,
    from_day date NOT NULL,
    to_day date NOT NULL,
    matches_found integer CHECK (matches_found >= 0),
    matches_with_telemetry integer CHECK (matches_with_telemetry BETWEEN 0 AND matches_found),
    requested_at timestamptz NOT NULL DEFAULT now(),
    requested_by text NOT NULL DEFAULT ops.person(),
    cancelled_at timestamptz,
    cancelled_by text,
    CHECK (to_day >= from_day),
    CHECK ((cancelled_at IS NULL) = (cancelled_by IS NULL))
);
COMMENT ON TABLE ops.backfills IS
    'Days of history to take up of tracked players: a trigger enters those of a new player, people further ones.';
COMMENT ON COLUMN ops.backfills.matches_found IS 'Matches of the player in those days, when a person asked for them.';
CREATE INDEX ON ops.backfills (tracked_player_id, requested_at);

CREATE FUNCTION ops.take_up_history() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added date := (NEW.added_at AT TIME ZONE 'UTC')::date;
BEGIN
    INSERT INTO ops.backfills (tracked_player_id, from_day, to_day)
    VALUES (NEW.tracked_player_id, added - NEW.backfill_days, added);
    RETURN NULL;
END $$;
CREATE TRIGGER take_up_history AFTER INSERT ON ops.tracked_players
    FOR EACH ROW EXECUTE FUNCTION ops.take_up_history();
CREATE TRIGGER take_up_more_history AFTER UPDATE OF backfill_days ON ops.tracked_players
    FOR EACH ROW WHEN (NEW.backfill_days > OLD.backfill_days) EXECUTE FUNCTION ops.take_up_history();
"""

DISCOVERY = """
CREATE TABLE ops.matches_discovered (
    match_id text PRIMARY KEY CHECK (match_id ~ '^[A-Za-z0-9_-]+$'),
    shard text NOT NULL,
    discovered_by text NOT NULL,
    priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('high', 'normal')),
    discovered_at timestamptz NOT NULL DEFAULT now(),
    also_seen_by text[] NOT NULL DEFAULT '{}',
    last_seen_at timestamptz,
    state text NOT NULL DEFAULT 'registered'
        CHECK (state IN ('registered', 'archived', 'expired', 'passed_over', 'failed')),
    claimed_until timestamptz,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    settled_at timestamptz,
    last_error text
);
COMMENT ON TABLE ops.matches_discovered IS 'Every match a discovery found: the first finder has the row.';
COMMENT ON COLUMN ops.matches_discovered.state IS
    'registered (to be archived), archived, expired (the API has forgotten it), passed_over (of a type that '
    'its finders do not want) or failed (given up after some attempts).';
COMMENT ON COLUMN ops.matches_discovered.claimed_until IS
    'Until when a run that was requested has it; a run that never came loses it then.';
CREATE INDEX ON ops.matches_discovered (priority, discovered_at) WHERE state <> 'archived';

CREATE TABLE ops.api_limits (
    limiter text PRIMARY KEY,
    requests integer NOT NULL CHECK (requests > 0),
    blocked_until timestamptz
);
COMMENT ON TABLE ops.api_limits IS 'Requests an API allows in a window, as it last said, and until when it refuses.';

CREATE TABLE ops.api_calls (
    limiter text NOT NULL,
    called_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.api_calls IS 'Calls of a limited API, so that all processes together keep its limit.';
CREATE INDEX ON ops.api_calls (limiter, called_at);
"""

TRIGGERS = """
DO $do$
DECLARE
    entered text;
BEGIN
    FOREACH entered IN ARRAY ARRAY[
        'seasons', 'divisions', 'groups', 'teams', 'roster_entries', 'rounds', 'scheduled_matches',
        'match_overrides', 'tracked_players', 'round_status_changes', 'backfills'
    ] LOOP
        IF entered NOT IN ('round_status_changes', 'backfills') THEN
            EXECUTE format($$
                CREATE TRIGGER note_change BEFORE UPDATE ON ops.%1$I
                    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.note_change()
            $$, entered);
        END IF;
        EXECUTE format($$
            CREATE TRIGGER bump_inserted AFTER INSERT ON ops.%1$I REFERENCING NEW TABLE AS changed_rows
                FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
            CREATE TRIGGER bump_updated AFTER UPDATE ON ops.%1$I REFERENCING NEW TABLE AS changed_rows
                FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
            CREATE TRIGGER bump_deleted AFTER DELETE ON ops.%1$I REFERENCING OLD TABLE AS changed_rows
                FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
            CREATE TRIGGER bump_truncated AFTER TRUNCATE ON ops.%1$I
                FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
        $$, entered);
        INSERT INTO ops.changes (table_name, version, changed_at) VALUES (entered, 0, now());
    END LOOP;
END $do$;
"""

DROP = """
DROP TABLE
    ops.seasons, ops.divisions, ops.groups, ops.teams, ops.roster_entries, ops.rounds, ops.round_status_changes,
    ops.scheduled_matches, ops.match_overrides, ops.tracked_players, ops.backfills, ops.matches_discovered,
    ops.api_calls, ops.api_limits, ops.changes;
DROP FUNCTION
    ops.person, ops.note_change, ops.bump_version, ops.stay_in_season, ops.one_roster_a_day,
    ops.keep_round_status, ops.keep_tracked_player, ops.take_up_history;
"""


def upgrade() -> None:
    for statements in (WHO, VERSIONS, SEASONS, ROSTERS, ROUNDS, SCHEDULE, PLAYERS, DISCOVERY, TRIGGERS):
        _run(statements)


def downgrade() -> None:
    _run(DROP)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
