"""The group `gamestats user`; `user_commands` has its commands."""

from gamestats_assets.cli.terminal import deferred

user_app = deferred(
    "gamestats_assets.cli.users.user_commands",
    """Users: who may sign in to the pages of `gamestats serve`, and what they may do there.

    There are no passwords. People sign in with an account elsewhere (Steam, or a provider in
    GAMESTATS_SIGN_IN), or by a link that works once. The first admin is made here:

        gamestats user add alice --role admin
        gamestats user link alice

    Roles: `tournament_admin` enters tournaments, all of them or those of a season or a division; `admin` may do
    that everywhere, and gives roles; `premium` may ask five times as often. What is done here is in the audit log.
    """,
)
