"""What commands share: options, and commands that enter things, built from declarations, one transaction each."""

from __future__ import annotations

import functools
import getpass
import inspect
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gamestats_assets.cli.frames import Format, format_for, write_frame
from gamestats_assets.cli.terminal import counted, err, quiet_warnings, say

if TYPE_CHECKING:
    import polars as pl
    import psycopg

    from gamestats_assets.lakehouse.entries.csv_files import Import, Takes
    from gamestats_assets.lakehouse.entries.declared import Entered, Thing
    from gamestats_assets.lakehouse.entries.fields import Field, Verb

_MOST_NOTES = 20

Form = Annotated[
    Format | None, typer.Option("--format", "-f", help="By default a table, or what the file's name says.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write to.")]
NewFolder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go; a new one.")]
Seed = Annotated[int, typer.Option(min=0, help="Another one gives other matches.")]
PlayedDays = Annotated[int, typer.Option(min=1, help="Days they are played on.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with a heading.")]


def person() -> str:
    """Who is at the keyboard, for the columns that say who entered something."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def day_option(text: str, *names: str) -> Any:
    """An option that takes a UTC day."""
    return typer.Option(*names, metavar="DAY", formats=["%Y-%m-%d"], help=text)


def refuse_used(folder: Path) -> None:
    """Raise `typer.BadParameter` when a folder has files already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise typer.BadParameter(f"{folder} is there and not empty; give a new folder.", param_hint="FOLDER")


def refuse_folder(path: Path, name: str) -> None:
    """Raise `typer.BadParameter` when a file is to be written where a folder is; `name` is what it could be called."""
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; give a file, such as {path / name}.", param_hint="--out")


def enter(write: Callable[[psycopg.Connection], Entered], *, dry_run: bool = False) -> None:
    """Enter one thing and say what was done once it is committed."""
    done = in_transaction(write, dry_run=dry_run)
    say(done.line(), "" if done.outcome == "unchanged" else "green")
    for note in done.notes:
        say(note, "yellow", console=err())
    _say_dry(dry_run)


def take(path: Path, take_file: Callable[[psycopg.Connection], Import], *, dry_run: bool) -> None:
    """Take a file and say what was done once it is committed."""
    from gamestats_assets.lakehouse.entries.declared import plural

    done = in_transaction(take_file)
    did = [f"{counted(number, kind, plural(kind))} {outcome}" for (kind, outcome), number in done.counts.items()]
    say(f"{path.name}: {counted(done.rows, 'row')}: {', '.join(did) or 'nothing to do'}.", "green")
    for line in [entered.line() for entered in done.entered if entered.outcome == "changed"]:
        say(line)
    notes = list(dict.fromkeys([*(note for entered in done.entered for note in entered.notes), *done.notes]))
    for note in notes[:_MOST_NOTES]:
        say(note, "yellow", console=err())
    if len(notes) > _MOST_NOTES:
        say(f"and {len(notes) - _MOST_NOTES} more notes", "yellow", console=err())
    _say_dry(dry_run)


def _say_dry(dry_run: bool) -> None:
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


def in_transaction(work: Callable[[psycopg.Connection], Any], *, dry_run: bool = False) -> Any:
    """Result of work in a transaction on what people entered; a dry run rolls it back."""
    quiet_warnings()
    from gamestats_assets.lakehouse.entries.ops import entering
    from gamestats_assets.lakehouse.stores import Stores

    with entering(Stores().postgres_url, person()) as conn, conn.transaction(force_rollback=dry_run):
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


# --------------------------------------------------------------------------- commands of declarations


@functools.cache
def _help_texts() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "games" / "entries.toml").read_text("utf-8"))


def entry_help(thing: Thing) -> Mapping[str, Any]:
    """What `games/entries.toml` says of the commands of a thing, by their names."""
    return _help_texts()[" ".join(thing.command)]


def entered_by(
    app: typer.Typer,
    thing: Thing,
    known: Callable[..., Any] = lambda: None,
    file: Takes | None = None,
    **verbs: Verb | Literal["take", "list", "import"],
) -> None:
    """Give a group the commands of a thing.

    Args:
        known: gives what is known of what people name; what it asks is asked by the commands that add.
        file: takes a file of them, by the command `import`.
        verbs: what each command does; by default those of `entry_help`, by their names.
    """
    for name, verb in (verbs or {each: each for each in entry_help(thing) if each != "help"}).items():
        if verb == "import" and file is not None:
            run = _taking(file, known)
        else:
            run = _listing(thing, known) if verb == "list" else _command(thing, verb, known)
        app.command(name, help=_help_of(thing, name, file))(run)


def _help_of(thing: Thing, name: str, file: Takes | None) -> str:
    """The help of a command: what it does where that is its name, the text of `entries.toml`, examples."""
    from gamestats_assets.lakehouse.entries.declared import plural

    kind, said = thing.kind, entry_help(thing)[name]
    text, examples = re.sub(r"(?<!\n)\n(?!\n)", " ", said.get("text", "").strip()), said.get("examples", [])
    one, several = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}", plural(kind)
    does = {
        "add": f"Add {one}.",
        "change": f"Change {one}. Only what is given is changed.",
        "remove": f"Take back {one} that was a mistake.",
        "list": f"List {several}.",
    }
    if name == "import" and file is not None:
        taken = " and ".join(plural(each.kind) for each in file.things)
        does[name] = f"Take {taken} from a CSV file: whole or, with the mistakes listed by row, not at all."
        *others, last = (column.name for column in file.columns if column.required and not column.instead)
        must = f"{', '.join(others)} and {last}" if others else last
        listed = "\n".join(f"- {column.name}: {column.hint}" for column in file.columns)
        text = (
            f"Columns, of which {must} must be there:\n\n{listed}\n\nWhat is entered already is changed where the file "
            "says otherwise; an empty cell, and what is not in the file, is left as it is. Taking the same file again "
            f"changes nothing. {text}"
        )
    lines = "\n".join(f"    gamestats {' '.join(thing.command)} {name} {each}".rstrip() for each in examples)
    return "\n\n".join(filter(None, [does.get(name), text, f"Example{'s' * (len(examples) > 1)}:", lines]))


def _command(thing: Thing, verb: Any, known: Callable[..., Any]) -> Callable[..., None]:
    """A command that enters what it is given."""
    adds = verb in ("add", "take")
    as_verb: Verb = "add" if adds else verb
    names = thing.names if adds else thing.found_by or thing.names
    fields = [each for each in (*(() if verb == "remove" else thing.fields), *thing.beside) if as_verb in each.verbs]
    fields = [each for each in fields if each.name not in {name.name for name in names}]
    asked = inspect.signature(known, eval_str=True).parameters

    def run(*, dry_run: bool, **values: Any) -> None:
        named = [values[each.name] for each in names]
        # A flag that is not given is False; of a pair of flags that is the second of them.
        given = {
            each.name: _read(each, value)
            for each in fields
            if (value := values[each.name]) is not None and (value is not False or "/" in each.option)
        }
        if verb == "change" and not given:
            raise typer.BadParameter("There is nothing to do: give at least one option.")
        knows = known(**{name: values[name] for name in asked})
        enter(lambda conn: getattr(thing, verb)(conn, *named, context=knows, **given), dry_run=dry_run)

    parameters = [_argument(each) for each in names]
    parameters += [_argument(each) if each.positional and adds else _option(each, as_verb) for each in fields]
    parameters += [each for name, each in asked.items() if name not in {other.name for other in parameters}]
    parameters.append(_DRY_RUN)
    return _signed(run, parameters, f"{verb}_{thing.table}")


def _listing(thing: Thing, known: Callable[..., Any]) -> Callable[..., None]:
    """A command that lists."""

    def run(form: Format | None, output: Path | None, **values: Any) -> None:
        by = {each.name: _read(each, value) for each in thing.lists_by if (value := values[each.name]) is not None}
        listed(lambda conn: thing.list(conn, context=known(), **by), form, output)

    parameters = [_argument(each, None) if each.positional else _option(each, "remove") for each in thing.lists_by]
    more = (("form", Form), ("output", Output))
    parameters += [inspect.Parameter(name, _BY_NAME, annotation=annotation, default=None) for name, annotation in more]
    return _signed(run, parameters, f"list_{thing.table}")


def _taking(takes: Takes, known: Callable[..., Any]) -> Callable[..., None]:
    """A command that takes a file."""

    def run(file: Path, *, dry_run: bool, **values: Any) -> None:
        asked = {each.name: _read(each, value) for each in takes.asked if (value := values[each.name]) is not None}
        take(file, lambda conn: takes.take(conn, file=file, context=known(), dry_run=dry_run, **asked), dry_run=dry_run)

    parameters = [_argument(each) for each in takes.asked if each.positional]
    parameters.append(inspect.Parameter("file", _BY_NAME, annotation=File))
    parameters += [_option(each, "add") for each in takes.asked if not each.positional]
    parameters.append(_DRY_RUN)
    return _signed(run, parameters, f"import_{takes.things[-1].table}")


_BY_NAME: Any = inspect.Parameter.KEYWORD_ONLY
_REQUIRED: Any = inspect.Parameter.empty
_DRY_RUN = inspect.Parameter(
    "dry_run",
    _BY_NAME,
    annotation=Annotated[bool, typer.Option("--dry-run", help="Find mistakes and say what would be done; do nothing.")],
    default=False,
)


def _signed(run: Callable[..., None], parameters: Sequence[inspect.Parameter], name: str) -> Callable[..., None]:
    """A command with parameters, arguments before options, and those that must be given before others."""
    ordered = sorted(
        (each.replace(kind=_BY_NAME) for each in parameters), key=lambda each: each.default is not _REQUIRED
    )
    run.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in ordered}
    run.__name__ = name
    return run


def _argument(field: Field, default: Any = _REQUIRED) -> inspect.Parameter:
    kind: Any = int if field.kind.type is int else str
    metavar = field.kind.metavar or field.name.upper()
    metavar = metavar if default is _REQUIRED else f"[{metavar}]"
    argument = typer.Argument(metavar=metavar, help=field.help, min=field.kind.least)
    kind = Annotated[kind if default is _REQUIRED else kind | None, argument]
    return inspect.Parameter(field.name, _BY_NAME, annotation=kind, default=default)


def _option(field: Field, verb: Verb) -> inspect.Parameter:
    # What has a word of its own in the help is read from a text.
    kind: Any = field.kind.type if field.kind.type in (int, bool) and not field.kind.metavar else str
    if field.kind.words:
        kind = StrEnum(field.name, {word: word for word in field.kind.words})
    elif field.kind.type == list[list[str]]:
        kind = list[str]
    text = f"{field.help[:-1]}; none for none." if field.lacks and verb == "change" and kind is str else field.help
    is_flag = kind is bool and "/" not in field.option
    option = typer.Option(
        field.flag,
        metavar=field.kind.metavar or ("N" if kind is int else "WORD" if field.kind.words else None),
        help=text,
        show_default=(field.default if verb == "add" else "") or False,
        min=field.kind.least,
    )
    default = _REQUIRED if verb in field.required else False if is_flag else None
    annotation = Annotated[kind if default is not None else kind | None, option]
    return inspect.Parameter(field.name, _BY_NAME, default=default, annotation=annotation)


def _read(field: Field, given: Any) -> Any:
    from gamestats_assets.lakehouse.entries.fields import EntryError

    if field.lacks and given == "none":
        return None
    if field.secret and given == "-":
        given = typer.prompt(field.help.partition(",")[0].rstrip("."), err=True)
    text = ";".join(given) if isinstance(given, list) else given
    try:
        return field.kind.read(text) if isinstance(text, str) else text
    except EntryError as error:
        raise typer.BadParameter(str(error)) from None


def a_day(text: str | None) -> Any:
    """A day given as an option; None when it was not, and `none` as it is."""
    from gamestats_assets.lakehouse.entries.local_times import day

    return text if text in (None, "none") else day(text)


def listed_words(text: str | None) -> list[str] | None:
    """Words given with commas between them; None when they were not given."""
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]
