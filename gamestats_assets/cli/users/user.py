"""The group `gamestats user`; `user_commands` has its commands."""

from gamestats_assets.cli.terminal import deferred

user_app = deferred(
    "gamestats_assets.cli.users.user_commands",
    """Users: who may sign in to what `gamestats serve` shows, and what they may do there.

    Nobody has a password here. People sign in with an account that they have elsewhere (Steam, or what
    GAMESTATS_SIGN_IN names), or by a link that works once. The first admin is made here:

        gamestats user add alice --role admin
        gamestats user link alice

    Roles: `tournament_admin` enters tournaments, all of them or those of a season or a division; `admin` may do
    that everywhere, and gives roles; `premium` may ask five times as often. What is done here is in the audit log.
    """,
)
