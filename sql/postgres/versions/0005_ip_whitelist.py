"""Addresses shared by many honest players, whose accounts do not count as farmers because of them."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WHITELIST = """
CREATE TABLE ops.ip_whitelist (
    ip_prefix text PRIMARY KEY CHECK (ip_prefix ~ '^[0-9a-fA-F.:]+$'),
    note text,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT ops.person(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT ops.person()
);
COMMENT ON TABLE ops.ip_whitelist IS 'Addresses that many honest players share, such as cafes.';
COMMENT ON COLUMN ops.ip_whitelist.ip_prefix IS 'How they begin, with the last point: 103.7.0. is not 103.7.01.';
COMMENT ON COLUMN ops.ip_whitelist.note IS 'Whose addresses these are.';

CREATE TRIGGER note_change BEFORE UPDATE ON ops.ip_whitelist
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.note_change();
CREATE TRIGGER bump_inserted AFTER INSERT ON ops.ip_whitelist REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
CREATE TRIGGER bump_updated AFTER UPDATE ON ops.ip_whitelist REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
CREATE TRIGGER bump_deleted AFTER DELETE ON ops.ip_whitelist REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
CREATE TRIGGER bump_truncated AFTER TRUNCATE ON ops.ip_whitelist
    FOR EACH STATEMENT EXECUTE FUNCTION ops.bump_version();
INSERT INTO ops.changes (table_name, version, changed_at) VALUES ('ip_whitelist', 0, now());
"""

DROP = """
DROP TABLE ops.ip_whitelist;
DELETE FROM ops.changes WHERE table_name = 'ip_whitelist';
"""


def upgrade() -> None:
    _run(WHITELIST)


def downgrade() -> None:
    _run(DROP)


def _run(statements: str) -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
