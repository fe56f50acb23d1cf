"""The command line: `gamestats demo | up | materialize | query | ...`.

One module per group of commands. They import what they need when they run, so that
`gamestats --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from gamestats_assets.cli.demo.command import demo
from gamestats_assets.cli.games.event_logs import logs_app, report, taxonomy_app
from gamestats_assets.cli.games.generate import generate
from gamestats_assets.cli.games.groups import l2m_app, players_app, product_app, rocket_league_app, tournament_app
from gamestats_assets.cli.games.lol import lol_app
from gamestats_assets.cli.lake.fetch import fetch_app
from gamestats_assets.cli.lake.ingest import ingest_app
from gamestats_assets.cli.lake.listing import query, tables
from gamestats_assets.cli.lake.materialize import materialize, rebuild
from gamestats_assets.cli.services.doctor import doctor
from gamestats_assets.cli.services.serve import serve
from gamestats_assets.cli.services.up import down, env, up
from gamestats_assets.cli.services.work import work
from gamestats_assets.cli.terminal import CarefulGroup, version
from gamestats_assets.cli.users.keys import keys_app
from gamestats_assets.cli.users.user import user_app

_LOOK, _FILL, _RUN = "See what is there", "Fill the tables", "Run the services"
_ENTER = "Enter what no file tells"
_DEMO = "Make demo data"

app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # A traceback with local variables could show a key.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel=_FILL)(demo)
app.add_typer(ingest_app, name="ingest", rich_help_panel=_FILL)
app.add_typer(fetch_app, name="fetch", rich_help_panel=_FILL)
app.command(rich_help_panel=_FILL)(materialize)
app.command(rich_help_panel=_FILL)(rebuild)
app.command(rich_help_panel=_DEMO)(generate)
app.add_typer(taxonomy_app, name="taxonomy", rich_help_panel=_DEMO)
app.command(rich_help_panel=_DEMO)(report)
app.add_typer(logs_app, name="logs", rich_help_panel=_DEMO)
app.add_typer(tournament_app, name="tournament", rich_help_panel=_ENTER)
app.add_typer(product_app, name="product", rich_help_panel=_ENTER)
app.add_typer(players_app, name="players", rich_help_panel=_ENTER)
app.add_typer(user_app, name="user", rich_help_panel=_RUN)
app.add_typer(keys_app, name="keys", rich_help_panel=_RUN)
app.add_typer(l2m_app, name="l2m", rich_help_panel=_ENTER)
app.add_typer(lol_app, name="lol", rich_help_panel=_LOOK)
app.add_typer(rocket_league_app, name="rocket-league", rich_help_panel=_LOOK)
app.command(rich_help_panel=_LOOK)(tables)
app.command(rich_help_panel=_LOOK)(query)
app.command(rich_help_panel=_LOOK)(doctor)
app.command(rich_help_panel=_RUN)(up)
app.command(rich_help_panel=_RUN)(serve)
app.command(rich_help_panel=_RUN)(work)
app.command(rich_help_panel=_RUN)(down)
app.command(rich_help_panel=_RUN)(env)


def _tell(asked: bool) -> None:
    if asked:
        typer.echo(f"gamestats {version()}")
        raise typer.Exit


@app.callback()
def gamestats(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_tell)
    ] = False,
) -> None:
    """Raw match files of games to trusted, published tables.

    First steps:

        gamestats demo
        gamestats up

    With files of your own:

        gamestats ingest pubg ~/pubg-files
        gamestats materialize
        gamestats query "select * from pubg.matches"
    """


__all__ = ["app"]
