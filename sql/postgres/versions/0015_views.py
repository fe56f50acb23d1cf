"""Views of people's pages, with their viewers, for the people to see."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

VIEWS = """
CREATE TABLE accounts.views (
    user_id bigint NOT NULL REFERENCES accounts.users ON DELETE CASCADE,
    guest_id bigint REFERENCES accounts.users ON DELETE CASCADE,
    game text NOT NULL,
    match_id text,
    day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    UNIQUE NULLS NOT DISTINCT (user_id, guest_id, game, match_id, day)
);
CREATE INDEX ON accounts.views (guest_id);
COMMENT ON TABLE accounts.views IS 'On which days somebody else saw pages of a user.';
COMMENT ON COLUMN accounts.views.guest_id IS 'Whom the user let see them; null: somebody who had the link of a match.';
"""


def upgrade() -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(VIEWS, execution_options={"no_parameters": True})


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE accounts.views", execution_options={"no_parameters": True})
