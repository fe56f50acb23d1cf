"""`gamestats tournament`: what it is for; its commands are in `tournament_commands`, for they come of declarations."""

from gamestats_assets.cli.terminal import deferred

tournament_app = deferred(
    "gamestats_assets.cli.tournament_commands",
    """Tournaments: what you enter so that matches are found, placed and scored by themselves.

    Set a season up in this order; each step needs the ones before:

        gamestats tournament season add fall-2026 --name "Fall 2026" --time-zone Europe/Berlin
        gamestats tournament division add fall-2026 "Division 1"
        gamestats tournament roster import fall-2026 rosters.csv --valid-from 2026-10-01
        gamestats tournament round add fall-2026 "Division 1" 1 --first 2026-10-03
        gamestats tournament schedule import fall-2026 schedule.csv

    Things are named by their names: a season by its short name, divisions, groups, teams and players by
    name, rounds and matches by number. Everything has `add`, `change`, `remove` and `list`; `remove` is for
    mistakes, and refuses what something else still refers to.
    """,
)
