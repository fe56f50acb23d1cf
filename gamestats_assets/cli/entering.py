"""What the commands share with which people enter things: one transaction, then what it did."""

from __future__ import annotations

import functools
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.frames import Format, format_for, write_frame
from gamestats_assets.cli.terminal import counted, err, quiet_warnings, say

if TYPE_CHECKING:
    import polars as pl
    import psycopg

    from gamestats_assets.lakehouse.entries import Entered
    from gamestats_assets.pubg.tournament_entry import HasLanded, LookUp, MatchesOf
    from gamestats_assets.pubg.tournament_import import Import

_MOST_NOTES = 20

Form = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="By default a table, or what the file's name says.", show_default=False),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to.", show_default=False)]
File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with a heading.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Find mistakes and say what would be done; do nothing.")]


def person() -> str:
    """Who is at the keyboard, for the columns that say who entered something."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def enter(write: Callable[[psycopg.Connection], Entered]) -> None:
    """Enter one thing and say what was done once it is committed."""
    done = in_transaction(write)
    say(done.line(), "" if done.outcome == "unchanged" else "green")
    for note in done.notes:
        say(note, "yellow", console=err())


def take(path: Path, take_file: Callable[[psycopg.Connection], Import], *, dry_run: bool) -> None:
    """Take a file and say what was done once it is committed."""
    done = in_transaction(take_file)
    did = [
        f"{counted(number, kind, 'roster entries' if kind == 'roster entry' else None)} {outcome}"
        for (kind, outcome), number in done.counts.items()
    ]
    say(f"{path.name}: {counted(done.rows, 'row')}: {', '.join(did) or 'nothing to do'}.", "green")
    for line in [entered.line() for entered in done.entered if entered.outcome == "changed"]:
        say(line)
    notes = list(dict.fromkeys([*(note for entered in done.entered for note in entered.notes), *done.notes]))
    for note in notes[:_MOST_NOTES]:
        say(note, "yellow", console=err())
    if len(notes) > _MOST_NOTES:
        say(f"and {len(notes) - _MOST_NOTES} more notes", "yellow", console=err())
    if dry_run:
        say("Nothing was written; without --dry-run it is.", "yellow", console=err())


def listed(read: Callable[[psycopg.Connection], pl.DataFrame], form: Format | None, output: Path | None) -> None:
    """Write a list of what was entered."""
    quiet_warnings()
    written(in_transaction(read), form, output)


def written(frame: pl.DataFrame, form: Format | None, output: Path | None) -> None:
    """Write a frame; in a table, which people read, with yes and no, and lists as they are entered."""
    chosen = format_for(form, output)
    write_frame(_readable(frame) if chosen is Format.TABLE else frame, chosen, output)


def in_transaction(work: Callable[[psycopg.Connection], Any]) -> Any:
    """What some work gives that reads or writes what people entered, once it is committed."""
    quiet_warnings()
    from gamestats_assets.lakehouse.ops import entering
    from gamestats_assets.lakehouse.stores import Stores

    with entering(Stores().postgres_url, person()) as conn:
        return work(conn)


def _readable(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl
    from polars import selectors

    return frame.with_columns(
        selectors.list().cast(pl.List(pl.String)).list.join(","),
        *(
            pl.col(name).replace_strict({True: "yes", False: "no"}, return_dtype=pl.String)
            for name in frame.select(selectors.boolean()).columns
        ),
    )


def look_up() -> LookUp:
    """What the lake's matches know of players."""
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.tournament_entry import seen_players

    return functools.partial(seen_players, Stores().lake)


def has_landed() -> HasLanded:
    """Whether anything of a match has landed."""
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.source import GAME

    landing = Stores().landing
    return lambda match_id: landing.day_of(GAME, match_id) is not None


def matches_of() -> MatchesOf:
    """In how many matches of the lake somebody played by a roster entry."""
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.tournament_entry import matches_by_entry

    return functools.partial(matches_by_entry, Stores().lake)


def given(**values: Any) -> dict[str, Any]:
    """The options that were given; `none` stands for nothing.

    Raises:
        typer.BadParameter: when there is none at all.
    """
    chosen = {name: value for name, value in values.items() if value is not None}
    if not chosen:
        raise typer.BadParameter("There is nothing to do: give at least one option.")
    return {name: None if value == "none" else value for name, value in chosen.items()}


def a_day(text: str | None) -> Any:
    """A day given as an option; None when it was not, and `none` as it is."""
    from gamestats_assets.pubg.local_times import day

    return text if text in (None, "none") else day(text)


def listed_words(text: str | None) -> list[str] | None:
    """Words given with commas between them; None when they were not given."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


def listed_numbers(text: str | None) -> list[int] | None:
    """Whole numbers given with commas between them; None when they were not given.

    Raises:
        typer.BadParameter: when one is no whole number.
    """
    words = listed_words(text)
    try:
        return None if words is None else [int(word) for word in words]
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write whole numbers with commas, as in 10,6,5,4,3,2,1,1.") from None
