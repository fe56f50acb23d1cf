"""`gamestats lol`: questions about League of Legends, a report, seeded players, and simulated matches to try it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gamestats_assets.cli.commands import (
    Form,
    NewFolder,
    Output,
    PlayedDays,
    Seed,
    day_option,
    enter,
    listed,
    refuse_folder,
    refuse_used,
)
from gamestats_assets.cli.terminal import CarefulGroup, counted, err, say, status

lol_app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    help="""
    League of Legends: questions with several conditions, a report of patterns, players to follow.

        gamestats lol ask --champion Ezreal --items "Trinity Force,Muramana" --metric dpm
        gamestats lol report
        gamestats lol seed add "Hide on bush#KR1" --platform kr
        gamestats lol simulate lol-matches
    """,
)
seed_app = typer.Typer(
    cls=CarefulGroup,
    no_args_is_help=True,
    help="""Seeded players: while gamestats up runs, the Riot API is asked for their new matches every ten minutes.

    Needs RIOT_API_KEY. gamestats fetch lol fetches what is new at once.

        gamestats lol seed add "Hide on bush#KR1" --platform kr
        gamestats lol seed list
        gamestats lol seed remove "Hide on bush#KR1"
    """,
)
lol_app.add_typer(seed_app, name="seed")

_RiotId = Annotated[str, typer.Argument(metavar="NAME#TAG", help="Riot id; capitals do not matter.")]


@seed_app.command("add")
def add(
    riot_id: _RiotId,
    platform: Annotated[
        str | None, typer.Option(help="Where they play, such as euw1, kr or na1; RIOT_PLATFORM by default.")
    ] = None,
    days: Annotated[int, typer.Option(min=0, max=730, help="Days back from now of which matches are wanted.")] = 30,
) -> None:
    """Look for the matches of a player from now on, and for those of the last days.

    Examples:

        gamestats lol seed add "Hide on bush#KR1" --platform kr
        gamestats lol seed add "Caps#EUW" --platform euw1 --days 365
    """
    from gamestats_assets.lol.riot.discovery import add_seed
    from gamestats_assets.settings import Settings

    where = platform or Settings().riot_platform
    if where is None:
        raise typer.BadParameter("Say where the player plays: --platform kr, or set RIOT_PLATFORM.")
    enter(lambda conn: add_seed(conn, riot_id, where, days=days, now=datetime.now(UTC)))


@seed_app.command("list")
def list_seeded(form: Form = None, output: Output = None) -> None:
    """List seeded players: since when their matches are wanted, when they were last listed, and what went wrong.

    Example:

        gamestats lol seed list
    """
    from gamestats_assets.lol.riot.discovery import list_seeds

    listed(list_seeds, form, output)


@seed_app.command("remove")
def remove(
    riot_id: _RiotId,
    platform: Annotated[str | None, typer.Option(help="Where the player plays, if seeded on several.")] = None,
) -> None:
    """Look for a player's matches no more. What has landed is kept.

    Example:

        gamestats lol seed remove "Hide on bush#KR1"
    """
    from gamestats_assets.lol.riot.discovery import remove_seed

    enter(lambda conn: remove_seed(conn, riot_id, platform, now=datetime.now(UTC)))


@lol_app.command("ask")
def ask(
    champion: Annotated[str | None, typer.Option(help="Champion, in English or Korean.")] = None,
    items: Annotated[
        str | None, typer.Option(metavar="A,B", help="Completed items, all of them; in English or Korean.")
    ] = None,
    metric: Annotated[str, typer.Option(help="What to average; --metrics lists all.")] = "win_rate",
    position: Annotated[str | None, typer.Option(help="TOP, JUNGLE, MIDDLE, BOTTOM or UTILITY.")] = None,
    patch: Annotated[str | None, typer.Option(help="Patch, such as 13.14.")] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            help="Group of queues, such as aram; by default ranked_solo, or without such games the most played."
        ),
    ] = None,
    order: Annotated[bool, typer.Option("--order", help="The items were completed in the order given.")] = False,
    where: Annotated[str | None, typer.Option(help="More conditions, joined by and, or, not and parentheses.")] = None,
    by: Annotated[
        str | None, typer.Option(metavar="C,D", help="Columns to group by, such as patch or position.")
    ] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="List what can be asked for, and stop.")] = False,
    form: Form = None,
    output: Output = None,
) -> None:
    """Answer a question about players' games: a mean with its interval, and how it compares.

    Who completed items is set against the eligible baseline: games of the same champion, position, patch and queue
    that had come as far, at equal gold differences and time; --where narrows both. Items may be named in --where too:
    completed('Item', ...), in_order('Item', ...), core_item(1, 'Item'). Without items, team_first_dragon (or another
    first) is compared at the gold difference just before it, and games that meet any other conditions are set against
    the others of the same champion, position, patch and queue, as they are. One queue is looked at, unless --by or
    --where name queue_group. Conditions name columns of lol.participant_features, champion = 'Ezreal' and
    completed_by('Item', 15) (in minutes).

    Examples:

        gamestats lol ask --champion Ezreal --items "Trinity Force,Muramana" --metric dpm
        gamestats lol ask --champion 이즈리얼 --items 삼위일체 --position BOTTOM --by patch
        gamestats lol ask --metric win_rate --where "team_first_dragon and not team_first_tower" --by queue_group
    """
    from gamestats_assets.cli.frames import Format, format_for, write_frame
    from gamestats_assets.lol.questions import questions

    if metrics:
        import polars as pl

        listed_metrics = [
            {"metric": name, "description": description} for name, description in questions.metrics().items()
        ]
        write_frame(pl.DataFrame(listed_metrics), format_for(form, output), output)
        return
    from gamestats_assets.lakehouse.stores import Stores

    with status("Looking"):
        answers = questions.ask(
            Stores().lake,
            champion=champion,
            items=_listed(items, "--items"),
            metric=metric,
            position=position,
            patch=patch,
            queue=queue,
            in_order=order,
            where=where,
            by=_listed(by, "--by"),
        )
    if form is not None or output is not None:
        chosen = format_for(form, output)
        write_frame(answers.table() if chosen is Format.TABLE else answers.frame(), chosen, output)
        if answers.set_aside:
            say(answers.set_aside, "yellow", console=err())
        return
    say(answers.question, "bold")
    for remark in filter(None, (answers.remark, answers.set_aside)):
        say(remark, "yellow")
    if not answers.groups:
        say("No game meets the conditions.", "yellow")
    if by:
        write_frame(answers.table(), Format.TABLE, None)
        for note in answers.notes():
            say(note, "yellow")
        return
    for answer in answers.groups:
        for line in answer.lines(answers.unit):
            say(line)
        for note in answer.notes:
            say(note, "yellow")


def _listed(text: str | None, option: str) -> list[str]:
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if text is not None and not parts:
        raise typer.BadParameter("It is empty: name something, or leave it out.", param_hint=option)
    return parts


@lol_app.command("report")
def report(
    patch: Annotated[str | None, typer.Option(help="Patch; the newest with matches by default.")] = None,
    queue: Annotated[str | None, typer.Option(help="Group of queues; the one with most games by default.")] = None,
    champion: Annotated[str | None, typer.Option(help="Champion of the charts; the most played by default.")] = None,
    to: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to.")] = Path("lol-report.html"),
) -> None:
    """Write the patterns of a patch as one HTML file with charts.

    Win rates of builds with their intervals, damage by skill order, correlations of variables, and every pattern found
    with its effect, beside what one would say without looking at the state of the game.

    Examples:

        gamestats lol report
        gamestats lol report --patch 13.14 --champion Ezreal --out ezreal.html
    """
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.lol.patterns.report import write_report

    refuse_folder(to, "lol-report.html")
    with status("Drawing"):
        write_report(to, Stores().lake, patch=patch, queue=queue, champion=champion)
    say(f"Written: {to}")


@lol_app.command("simulate")
def simulate(
    folder: NewFolder,
    matches: Annotated[int, typer.Option(min=1, help="Matches.")] = 200,
    days: PlayedDays = 3,
    seed: Seed = 7,
    start: Annotated[datetime | None, day_option("First UTC day; 2023-07-18 without.")] = None,
    planted: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="JSON file for what was planted.")
    ] = None,
) -> None:
    """Simulate matches as the Riot API gives them, with their timelines, and Data Dragon's lists of two patches.

    From a hundred matches on effects are planted in them: of an item, a skill order, the first dragons and vision. The
    same options give the same files.

    Examples:

        gamestats lol simulate lol-matches
        gamestats lol simulate lol-matches --matches 1000 --days 14 --start 2023-07-01
        gamestats lol simulate lol-matches --truth planted.json
    """
    from gamestats_assets.simulators.lol.seasons import write_season

    refuse_used(folder)
    first_day = (start or datetime(2023, 7, 18)).date()
    with status(f"Simulating {counted(matches, 'match', 'matches')}"):
        written = write_season(folder, matches=matches, first_day=first_day, days=days, seed=seed, truth_file=planted)
    say(
        f"{counted(matches, 'match', 'matches')} with {written['events']:,} events, {first_day} to "
        f"{written['last_day']}, patches {' and '.join(written['patches'])}: {folder}",
        "bold",
    )
    for line in _planted(written["truth"]):
        say(line)
    if planted is not None:
        say(f"All of it: {planted}")
    say(f"Next: gamestats ingest lol {shlex.quote(str(folder))}")


def _planted(truth: list[dict[str, Any]]) -> list[str]:
    """What was planted, in words; of every patch it is the same."""
    from gamestats_assets.simulators.lol.reference import ITEMS

    effects: dict[str, None] = {}
    for row in truth:
        who = f"{row['champion_key']} ({row['position']})" if row["champion_key"] else row["position"]
        size = row["planted"]
        match row["kind"]:
            case "item":
                what = f"{who} with {ITEMS[row['item_id']].name} as core item {row['core_order']}: {_points(size)}"
            case "skill_order":
                what = f"{who} with {row['skill_order']}: {size:+g} damage a minute"
            case "objective":
                what = f"the first {row['objective'].removeprefix('first_')}: {_points(size)}"
            case _:
                what = f"vision of {who}: a correlation of {size:g} with deaths"
        effects[f"Planted: {what}"] = None
    return [*effects]


def _points(share: float) -> str:
    return f"{100 * share:+g} points of wins"
