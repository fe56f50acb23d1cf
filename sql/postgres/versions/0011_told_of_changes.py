"""PostgreSQL notifies listeners of every change of entered data when it is committed."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TELLING = """
CREATE FUNCTION ops.tell_changed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('gamestats_changed', NEW.table_name);
    RETURN NULL;
END $$;
CREATE TRIGGER tell_changed AFTER INSERT OR UPDATE ON ops.changes
    FOR EACH ROW EXECUTE FUNCTION ops.tell_changed();
"""
SILENCE = """
DROP TRIGGER tell_changed ON ops.changes;
DROP FUNCTION ops.tell_changed();
"""


def upgrade() -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(TELLING, execution_options={"no_parameters": True})


def downgrade() -> None:
    op.get_bind().exec_driver_sql(SILENCE, execution_options={"no_parameters": True})
