"""`gamestats tournament`: commands built from the declarations in `pubg.tournament.entered`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from gamestats_assets.cli.commands import entered_by
from gamestats_assets.cli.terminal import CarefulGroup
from gamestats_assets.lakehouse.entries.declared import Thing
from gamestats_assets.pubg.players.entered.people import Matches
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SEASON, SLOT, TEAM
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE

_GROUPS = {
    SEASON: "Seasons and their points rules.",
    DIVISION: "Divisions of a season.",
    GROUP: "Groups of a division; a division may have none.",
    TEAM: "Teams of a division.",
    ROSTER_ENTRY: "Who plays for which team, and from which day to which; `import` makes teams too.",
    ROUND: "Rounds: days whose matches count together.",
    SLOT: "The schedule: when each match of a round is to start.",
    OVERRIDE: "What an admin decides of a match; it wins over what is derived.",
}
_FILES = {ROSTER_ENTRY: ROSTER_FILE, SLOT: SCHEDULE_FILE}
_SAID: Mapping[Thing, Mapping[str, Sequence[str]]] = {
    SEASON: {
        "add": (
            "Its short name has small letters, digits, `_`, `.` and `-`. Without other rules it has those of SUPER: "
            "10, 6, 5, 4, 3, 2, 1, 1 points for placements, and 1 a kill.",
            'fall-2026 --name "Fall 2026" --time-zone Europe/Berlin',
            "cup --time-zone UTC --points 15,12,10,8 --kill-points 2",
        ),
        "change": (
            "Its standings are made again.",
            "fall-2026 --points 12,9,7,5,4,3,2,1",
            "fall-2026 --tie-breakers kills,wins --minimum-teams 10",
        ),
        "remove": ("Its divisions have to be removed before.", "fall-2025"),
        "list": ("With their rules.", ""),
    },
    DIVISION: {
        "add": ("", 'fall-2026 "Division 1"'),
        "change": ("", 'fall-2026 "Division 1" --name Elite'),
        "remove": ("Its teams, rounds and groups have to be removed before.", 'fall-2026 "Divison 1"'),
        "list": ("With their groups.", "fall-2026"),
    },
    GROUP: {
        "add": ("", 'fall-2026 "Division 1" A'),
        "change": ("", 'fall-2026 "Division 1" A --name Red'),
        "remove": ("Its teams have to leave it, and its rounds to be removed, before.", 'fall-2026 "Division 1" C'),
        "list": ("", "fall-2026"),
    },
    TEAM: {
        "add": ("`roster import` creates many with their players.", 'fall-2026 "Division 1" "Team Alpha" --tag ALP'),
        "change": ("", 'fall-2026 "Team Alpha" --name "Alpha Esports" --group B'),
        "remove": ("Nobody may be on its roster, in the past neither.", 'fall-2026 "Team Alfa"'),
        "list": ("", "fall-2026"),
    },
    ROSTER_ENTRY: {
        "add": (
            "Both days count, in the season's time zone. The account of a name is taken from the newest match that "
            "knows it; one given with `--account` wins. A player may be on one roster of a season a day.",
            'fall-2026 "Team Alpha" Shroud --from 2026-10-01',
            "fall-2026 Alpha Kim --from 2026-10-03 --until 2026-10-03 --role stand_in",
        ),
        "change": (
            "Most often its last day, when a player leaves. Where a player is on the roster several times, `--since` "
            "says which entry is meant.",
            'fall-2026 "Team Alpha" Shroud --until 2026-10-31',
            "fall-2026 Alpha Kim --role substitute --since 2026-10-03",
        ),
        "remove": (
            "A player who leaves gets a last day instead. Matches that the player played by it are counted again; how "
            "many there are is said.",
            'fall-2026 "Team Alpha" Shrud',
        ),
        "list": (
            "With `--on`, only who is on a roster that day.",
            'fall-2026 --team "Team Alpha"',
            "fall-2026 --on 2026-10-03 --format csv",
        ),
        "import": (
            "Entries are recognised by team, player and first day.",
            "fall-2026 rosters.csv --valid-from 2026-10-01 --dry-run",
            "fall-2026 rosters.csv --valid-from 2026-10-01",
        ),
    },
    ROUND: {
        "add": (
            "It has the days, in the season's time zone, whose matches count for it. A day lasts until 5 in the "
            "morning: a match at 00:20 is still of the evening before. A round is one of the whole division, or of "
            "one of its groups with `--group`.",
            'fall-2026 "Division 1" 1 --first 2026-10-03',
            'fall-2026 "Division 1" 2 --first 2026-10-10 --last 2026-10-11 --group A',
        ),
        "change": (
            "Every status is remembered with its time; completing a round closes its table. Without `--group` it is "
            "the round of the whole division.",
            'fall-2026 "Division 1" 1 --status completed',
            'fall-2026 "Division 1" 2 --first 2026-10-17 --last 2026-10-18',
        ),
        "remove": (
            "Its schedule has to be removed before. A round that is not played after all is cancelled instead, with "
            "`change --status cancelled`.",
            'fall-2026 "Division 1" 4',
        ),
        "list": ("With their days and status.", "fall-2026"),
    },
    SLOT: {
        "add": (
            "The time is one of the season's time zone, or of `--time-zone`, or has an offset of its own, as "
            "`2026-10-25 02:30+01:00`. A time that the clocks skip or show twice needs the offset.",
            'fall-2026 "Division 1" 1 1 "2026-10-03 18:00" --map Erangel',
            'fall-2026 "Division 1" 1 2 "2026-10-03 17:35" --time-zone Europe/London',
        ),
        "change": (
            "A slot that is played again says which match failed, and why. A match that is played on another day than "
            "its round, and still counts for it, is postponed: say so with `--postponed`.",
            'fall-2026 "Division 1" 1 3 --at "2026-10-03 19:30"',
            'fall-2026 "Division 1" 1 3 --at "2026-10-07 19:30" --postponed',
            'fall-2026 "Division 1" 1 3 --remake-of 2c1f... --remake-reason "crash"',
        ),
        "remove": (
            "A match that is not played after all is cancelled instead, with `change --status cancelled`.",
            'fall-2026 "Division 1" 1 7',
        ),
        "list": ("With the times of the season's time zone.", "fall-2026"),
        "import": (
            "A file does not postpone a match to a day outside its round; `schedule change ... --postponed` does.",
            "fall-2026 schedule.csv --dry-run",
            "fall-2026 schedule.csv",
        ),
    },
    OVERRIDE: {
        "add": (
            "What is not said stays as it is derived. A round is named by its season, division and number; with "
            "`--match` the match takes that slot.",
            '2c1f... --no-tournament --reason "warm-up"',
            '2c1f... --season fall-2026 --division Elite --round 1 --reason "delayed"',
        ),
        "change": ("Why is said again.", '2c1f... --status remake_failed --reason "server crash"'),
        "remove": ("What is derived holds again.", "2c1f..."),
        "list": (
            "The newest first. The note tells those that decide nothing, as no such match landed: it is still to "
            "come, or the id is wrong.",
            "",
        ),
    },
}


def _matches() -> Matches:
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.players.lake_matches import LakeMatches

    stores = Stores()
    return LakeMatches(stores.lake, stores.landing)


app = typer.Typer(cls=CarefulGroup)
for _thing, _text in _GROUPS.items():
    _app = typer.Typer(cls=CarefulGroup, no_args_is_help=True, help=_text)
    app.add_typer(_app, name=_thing.command[-1])
    entered_by(_app, _thing, _SAID[_thing], _matches, _FILES.get(_thing))
