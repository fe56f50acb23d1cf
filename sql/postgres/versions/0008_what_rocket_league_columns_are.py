"""Format of Rocket League accounts, and descriptions of columns for people and programs."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE ops.rl_players ADD COLUMN account text;
COMMENT ON COLUMN ops.rl_players.account IS
    'The account as it was entered: PlayStation writes some with capitals, which the id does not have.';
COMMENT ON COLUMN ops.rl_players.player_id IS 'Platform and account, such as steam_76561190000000001.';
COMMENT ON COLUMN ops.rl_players.username IS 'Name to show.';
COMMENT ON COLUMN ops.rl_players.is_active IS 'Whether new replays are looked for, once the player agrees.';
COMMENT ON COLUMN ops.rl_players.consented_at IS
    'When the player agreed; null: not yet, or not any more: nothing is looked for or made of the player alone.';
COMMENT ON COLUMN ops.rl_ranks.player_id IS 'Platform and account, such as steam_76561190000000001.';
COMMENT ON COLUMN ops.rl_ranks.playlist IS 'Playlist as ballchasing calls it, such as ranked-doubles.';
COMMENT ON COLUMN ops.rl_ranks.division IS 'Division of the rank, 1 to 4; null where it was not given.';
COMMENT ON COLUMN ops.training_sessions.training_session_id IS 'Number of the session.';
COMMENT ON COLUMN ops.training_sessions.player_id IS 'Platform and account, such as steam_76561190000000001.';
COMMENT ON COLUMN ops.training_sessions.completed_at IS 'When it was over.';
COMMENT ON COLUMN ops.training_sessions.duration_s IS 'Length, in seconds.';
COMMENT ON COLUMN ops.training_sessions.attempts IS 'Attempts that were counted; null where they were not.';
COMMENT ON COLUMN ops.training_sessions.successes IS 'Successes among the attempts.';
COMMENT ON COLUMN ops.rl_looks.player_id IS 'Platform and account, such as steam_76561190000000001.';
COMMENT ON COLUMN ops.rl_looks.asked_at IS 'When it was last asked, whatever it answered.';
COMMENT ON COLUMN ops.rl_replays_found.ballchasing_id IS 'Id of the replay at ballchasing.';
COMMENT ON COLUMN ops.rl_replays_found.match_id IS
    'The match whose statistics landed under this id; null until then, and when a player of it was forgotten.';
COMMENT ON COLUMN ops.rl_replays_found.found_at IS 'When it was found first.';
COMMENT ON COLUMN ops.rl_replays_found.attempts IS 'How often fetching it has failed.';
COMMENT ON COLUMN ops.rl_replays_found.last_error IS 'Why it failed, the last time; null where it did not.';
"""


def upgrade() -> None:
    # Executed as is: without parameters the driver accepts several statements at once and does not interpret %.
    op.get_bind().exec_driver_sql(CHANGES, execution_options={"no_parameters": True})


def downgrade() -> None:
    # The descriptions also fit the earlier columns, so a downgrade keeps them.
    op.drop_column("rl_players", "account", schema="ops")
