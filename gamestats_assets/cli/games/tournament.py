"""`gamestats tournament`: commands built from the declarations in `pubg.tournament.entered`."""

from __future__ import annotations

import typer

from gamestats_assets.cli.commands import entered_by, entry_help
from gamestats_assets.cli.terminal import CarefulGroup
from gamestats_assets.pubg.players.entered.people import Matches
from gamestats_assets.pubg.tournament.entered import DIVISION, GROUP, OVERRIDE, ROSTER_ENTRY, ROUND, SEASON, SLOT, TEAM
from gamestats_assets.pubg.tournament.entered.files import ROSTER_FILE, SCHEDULE_FILE

_THINGS = (SEASON, DIVISION, GROUP, TEAM, ROSTER_ENTRY, ROUND, SLOT, OVERRIDE)
_FILES = {ROSTER_ENTRY: ROSTER_FILE, SLOT: SCHEDULE_FILE}


def _matches() -> Matches:
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.players.lake_matches import LakeMatches

    stores = Stores()
    return LakeMatches(stores.lake, stores.landing)


app = typer.Typer(cls=CarefulGroup)
for _thing in _THINGS:
    _app = typer.Typer(cls=CarefulGroup, no_args_is_help=True, help=entry_help(_thing)["help"])
    app.add_typer(_app, name=_thing.command[-1])
    entered_by(_app, _thing, _matches, _FILES.get(_thing))
