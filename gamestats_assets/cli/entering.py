"""What the commands share with which people enter things: one transaction, then what it did."""

from __future__ import annotations

import getpass
import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gamestats_assets.cli.frames import Format, format_for, write_frame
from gamestats_assets.cli.terminal import counted, err, quiet_warnings, say

if TYPE_CHECKING:
    import polars as pl
    import psycopg

    from gamestats_assets.lakehouse.entries import Entered, Field, Thing, Verb
    from gamestats_assets.lakehouse.entry_files import Import
    from gamestats_assets.pubg.entered.people import Matches

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


def matches() -> Matches:
    """What the lake's matches know of what people name."""
    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.pubg.lake_matches import LakeMatches

    stores = Stores()
    return LakeMatches(stores.lake, stores.landing)


# --------------------------------------------------------------------------- commands of declarations


def entered_by(app: typer.Typer, thing: Thing, said: Mapping[str, Sequence[str]], known: Callable[[], Any]) -> None:
    """Give a group the commands `add`, `change` and `remove` of a thing.

    Args:
        said: what the help of each says besides, and then arguments as examples.
        known: gives what is known of what people name.
    """
    for verb in ("add", "change", "remove"):
        app.command(verb, help=help_of(thing, verb, said[verb]))(_command(thing, verb, known))


def help_of(thing: Thing, verb: str, said: Sequence[str]) -> str:
    """The help of a command: what it does, what is said besides, examples."""
    from gamestats_assets.lakehouse.entries import plural

    kind, (text, *examples) = thing.kind, said
    one = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    does = {
        "add": f"Add {one}.",
        "change": f"Change {one}. Only what is given is changed.",
        "remove": f"Take back {one} that was a mistake.",
        "list": f"List {plural(kind)}.",
    }
    lines = "\n".join(f"    gamestats {' '.join(thing.command)} {verb} {each}".rstrip() for each in examples)
    return "\n\n".join(filter(None, [does[verb], text, f"Example{'s' * (len(examples) > 1)}:", lines]))


def _command(thing: Thing, verb: Verb, known: Callable[[], Any]) -> Callable[..., None]:
    """A command that enters what it is given."""
    names = thing.names if verb == "add" else thing.found_by or thing.names
    fields = [each for each in (*thing.fields, *thing.beside) if verb in each.verbs]
    if verb == "remove":
        fields = [each for each in thing.beside if verb in each.verbs]
    fields = [each for each in fields if each.name not in {name.name for name in names}]

    def run(**values: Any) -> None:
        named = [values[each.name] for each in names]
        told = [(each, values[each.name]) for each in fields]
        # A flag that is not given is False; of a pair of flags that is the second of them.
        given = {
            each.name: _read(each, value)
            for each, value in told
            if value is not None and (value is not False or "/" in each.option)
        }
        if verb == "change" and not given:
            raise typer.BadParameter("There is nothing to do: give at least one option.")
        enter(lambda conn: getattr(thing, verb)(conn, *named, known=known(), **given))

    parameters = [_argument(each) for each in names]
    parameters += [_argument(each) for each in fields if each.positional and verb == "add"]
    parameters += [_option(each, verb) for each in fields if not (each.positional and verb == "add")]
    ordered = sorted(parameters, key=lambda each: each.default is not inspect.Parameter.empty)
    run.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in ordered}
    run.__name__ = f"{verb}_{thing.table}"
    return run


def _argument(field: Field) -> inspect.Parameter:
    kind = int if field.kind.type is int else str
    metavar = field.kind.metavar or field.name.upper()
    told = typer.Argument(metavar=metavar, help=field.help, show_default=False, min=field.kind.least)
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, told])


def _option(field: Field, verb: Verb) -> inspect.Parameter:
    kind: Any = field.kind.type if field.kind.type in (int, bool) else str
    if field.kind.words:
        kind = StrEnum(field.name, {word: word for word in field.kind.words})
    text = f"{field.help[:-1]}; none for none." if field.lacks and verb == "change" and kind is str else field.help
    is_flag = kind is bool and "/" not in field.option
    told = typer.Option(
        f"--{field.option or field.name.replace('_', '-')}",
        metavar=field.kind.metavar or ("N" if kind is int else "WORD" if field.kind.words else None),
        help=text,
        show_default=(field.default if verb == "add" else "") or False,
        min=field.kind.least,
    )
    default = inspect.Parameter.empty if verb in field.required else False if is_flag else None
    annotation = Annotated[kind if default is not None else kind | None, told]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _read(field: Field, given: Any) -> Any:
    from gamestats_assets.lakehouse.entries import EntryError

    if field.lacks and given == "none":
        return None
    try:
        return field.kind.read(given) if isinstance(given, str) else given
    except EntryError as error:
        raise typer.BadParameter(str(error)) from None


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
    from gamestats_assets.lakehouse.local_times import day

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
