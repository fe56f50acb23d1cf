"""History of entries: every change, for display and undo; progress of backfills; and notes of overrides."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_KEYS = {
    "seasons": "season_id",
    "divisions": "division_id",
    "groups": "group_id",
    "teams": "team_id",
    "roster_entries": "roster_entry_id",
    "rounds": "round_id",
    "scheduled_matches": "scheduled_match_id",
    "match_overrides": "match_id",
    "tracked_players": "tracked_player_id",
}

HISTORY = """
CREATE TABLE ops.entry_history (
    entry_history_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    row_key text NOT NULL,
    before jsonb,
    after jsonb,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text NOT NULL DEFAULT ops.person(),
    CHECK (num_nonnulls(before, after) > 0)
);
COMMENT ON TABLE ops.entry_history IS 'Every change of a row that people enter, whoever made it; never changed.';
COMMENT ON COLUMN ops.entry_history.before IS 'The row as it was, without who wrote it and when; null of a new one.';
COMMENT ON COLUMN ops.entry_history.after IS 'The row as it became; null of one that was removed.';
CREATE INDEX ON ops.entry_history (table_name, row_key, entry_history_id);

CREATE FUNCTION ops.entry_of(entered jsonb) RETURNS jsonb IMMUTABLE LANGUAGE sql
    RETURN entered - ARRAY['created_at', 'created_by', 'updated_at', 'changed_by'];
COMMENT ON FUNCTION ops.entry_of IS 'Of a row, what people enter: all but who wrote it and when.';

-- With the owner's rights, because users who may write a table need no right to write its history.
CREATE FUNCTION ops.keep_history() RETURNS trigger LANGUAGE plpgsql
    -- Times are written with the offset of the session's zone, so UTC makes equal rows equal texts.
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    was jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE ops.entry_of(to_jsonb(OLD)) END;
    becomes jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE ops.entry_of(to_jsonb(NEW)) END;
BEGIN
    IF was IS DISTINCT FROM becomes THEN
        INSERT INTO ops.entry_history (table_name, row_key, before, after)
        VALUES (TG_TABLE_NAME, coalesce(becomes, was) ->> TG_ARGV[0], was, becomes);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ops.refuse_to_change_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'What was entered before is not changed afterwards.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER refuse_to_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ops.entry_history
    FOR EACH STATEMENT EXECUTE FUNCTION ops.refuse_to_change_history();
"""

NOTES = """
ALTER TABLE ops.match_overrides ADD COLUMN notes text CHECK (btrim(notes) <> '');
COMMENT ON COLUMN ops.match_overrides.notes IS 'What else should be known.';
"""

PROGRESS = """
CREATE TABLE ops.backfill_progress (
    tracked_player_id bigint PRIMARY KEY REFERENCES ops.tracked_players ON DELETE CASCADE,
    taken integer NOT NULL,
    to_take integer NOT NULL,
    pending integer NOT NULL,
    expired integer NOT NULL,
    unreadable integer NOT NULL,
    measured_at timestamptz NOT NULL,
    began_at timestamptz,
    began_taken integer NOT NULL
);
COMMENT ON TABLE ops.backfill_progress IS
    'How far the detail of tracked players is, as the daemon sees it in the lake; it follows from what was entered.';
COMMENT ON COLUMN ops.backfill_progress.began_at IS 'Since when it gets on, from began_taken; null while nothing does.';
"""

DROP = """
DROP TABLE ops.backfill_progress;
ALTER TABLE ops.match_overrides DROP COLUMN notes;
DROP TABLE ops.entry_history;
DROP FUNCTION ops.keep_history() CASCADE;
DROP FUNCTION ops.entry_of, ops.refuse_to_change_history;
"""


def upgrade() -> None:
    _run(HISTORY)
    _run(NOTES)
    _run(PROGRESS)
    for table, key in _KEYS.items():
        _run(
            f"CREATE TRIGGER keep_history AFTER INSERT OR UPDATE OR DELETE ON ops.{table} "
            f"FOR EACH ROW EXECUTE FUNCTION ops.keep_history('{key}')"
        )


def downgrade() -> None:
    _run(DROP)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
