"""`gamestats players`: the tracked players. Commands that enter players are built from their declaration."""

from __future__ import annotations

from typing import Annotated

import typer

from gamestats_assets.cli.commands import Form, Output, entered_by, listed, listed_words
from gamestats_assets.cli.terminal import CarefulGroup
from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.players.entered.files import PLAYER_FILE
from gamestats_assets.pubg.players.entered.people import Matches

_Player = Annotated[str, typer.Argument(metavar="PLAYER", help="In-game name, or account id (account.3e0f...).")]
app = typer.Typer(cls=CarefulGroup)


def _known() -> Matches:
    from gamestats_assets.cli.games.backfills import NotTakenUp
    from gamestats_assets.lakehouse.stores import Stores

    return NotTakenUp(Stores())


entered_by(app, TRACKED_PLAYER, _known, PLAYER_FILE)


@app.command("matches")
def matches_found(
    state: Annotated[
        str,
        typer.Option(
            metavar="WORD,...",
            help="Of wanted (to be fetched), archived, passed_over (of an unwanted type), failed, expired; or all.",
        ),
    ] = "failed,expired",
    form: Form = None,
    output: Output = None,
) -> None:
    """List the matches that discovery found and that cannot be had: failed, or forgotten by the API; and why.

    Discovery finds the matches of tracked players and of tournaments. With `--state` others are listed, such as
    those that wait to be fetched, with the reason that held them up.

    Examples:

        gamestats players matches
        gamestats players matches --state wanted --format csv
    """
    from gamestats_assets.pubg.source.found_matches import DISCOVERY_STATES, list_discovered

    states = DISCOVERY_STATES if state == "all" else listed_words(state) or ()
    listed(lambda conn: list_discovered(conn, states), form, output)


@app.command("status")
def status_of_players(
    player: Annotated[
        str | None, typer.Argument(metavar="[PLAYER]", help="In-game name or account id; all without.")
    ] = None,
    form: Form = None,
    output: Output = None,
) -> None:
    """Tell how far the detail of tracked players is, and when a backfill will be done.

    - matches: those whose detail is wanted, since the player is tracked and of the history asked for
    - taken: their detail is in the published tables
    - to take: their telemetry is processed, and a run will take them
    - pending: their telemetry has not landed; expired: it never will, the API has forgotten it

    Examples:

        gamestats players status
        gamestats players status Shroud
    """
    from gamestats_assets.cli.games.backfills import show_status

    show_status(player, form, output)


@app.command("backfill")
def backfill(
    player: _Player,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Days of history, back from today.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First UTC day, such as 2026-05-01.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Last UTC day; today by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is; ask for nothing.")] = False,
) -> None:
    """Take up days of history of a tracked player: those of the player's setting, or those given.

    First it says how many matches were found, and how many of them still have telemetry. An inactive player
    has to be made active first.

    Examples:

        gamestats players backfill Shroud --days 365
        gamestats players backfill Shroud --from 2026-01-01 --to 2026-03-31 --dry-run
    """
    from gamestats_assets.cli.games.backfills import ask_for_backfill

    ask_for_backfill(player, days, first, last, dry_run=dry_run)


@app.command("cancel")
def cancel(player: _Player) -> None:
    """Stop the backfills of a tracked player. What they have taken up stays; new matches go on being taken.

    Example:

        gamestats players cancel Shroud
    """
    from gamestats_assets.cli.games.backfills import cancel_backfill

    cancel_backfill(player)
