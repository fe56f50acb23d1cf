"""Output of commands: results on stdout, errors on stderr, no traceback for foreseen failures."""

from __future__ import annotations

import errno
import functools
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text
from typer.core import TyperGroup

from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.local import shown_text

FULL_DISK = os.strerror(errno.ENOSPC)
"""What is in every error of every library that met a full disk."""
DISK_IS_FULL = "the disk is full. Make room, and give the same command again; nothing is left half done."
WIDEST = 20_000
"""Characters of a line that is not for a terminal: as good as unlimited."""


class CarefulConsole(Console):
    """A console that shows control characters and bytes that are no text, and never sends them to the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Renders as rich does, with texts made harmless: names of files and players come from strangers."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(shown_text(segment.text), segment.style)


@functools.cache
def out() -> Console:
    """Where results go."""
    return CarefulConsole(highlight=False)


@functools.cache
def err() -> Console:
    """Where errors and hints go that must not mix with results."""
    return CarefulConsole(stderr=True, highlight=False)


def say(text: str, style: str = "", *, console: Console | None = None) -> None:
    """Print a line as it is: not wrapped, no markup read from it."""
    (console or out()).print(Text(text, style=style), soft_wrap=True)


def show(table: RenderableType, console: Console | None = None) -> None:
    """Print a table: fitted to a terminal, and as wide as it wants to be elsewhere."""
    console = console or out()
    if not console.is_terminal:
        console = CarefulConsole(file=console.file, width=WIDEST, highlight=False)
    console.print(table)


@contextmanager
def status(text: str) -> Iterator[None]:
    """Shows on a terminal what is being done, while it is done."""
    if not out().is_terminal:
        yield
        return
    with out().status(Text(text)):
        yield


class CarefulGroup(TyperGroup):
    """A group of commands whose foreseen failures are one message and exit code 1."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for each in (self, *self.commands.values()):
            each.help = _fenced(each.help)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; print the message of a foreseen failure instead of raising it."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("Interrupted. Nothing is left half done; give the same command again.", "yellow", console=err())
            raise typer.Exit(130) from None
        except GamestatsError as error:
            message = str(error)
        except ValueError as error:
            message_of_settings = _settings_message(error)
            if message_of_settings is None:
                raise
            message = message_of_settings
        except OSError as error:
            # A closed pipe (`gamestats query ... | head`) is click's to handle.
            if error.errno in (None, errno.EPIPE):
                raise
            message = f"{error.strerror}: {error.filename}" if error.filename else str(error)
            if error.errno == errno.ENOSPC:
                message = DISK_IS_FULL
        say("Error: " + message, "red", console=err())
        raise typer.Exit(1)


def deferred(module: str, help: str) -> typer.Typer:
    """A group whose commands are in the `app` of a module, which is loaded on first use."""

    class Deferred(CarefulGroup):
        loaded: Any = None
        is_made = False

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.is_made = True

        @property
        def commands(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
            if self.is_made and self.loaded is None:
                app = import_module(module).app
                app.rich_markup_mode = "markdown"
                Deferred.loaded = typer.main.get_group(app).commands
            return self.loaded or {}

        @commands.setter
        def commands(self, given: Any) -> None:
            pass

    return typer.Typer(cls=Deferred, no_args_is_help=True, help=help)


def _fenced(text: str | None) -> str | None:
    """A help text with a fence around indented lines.

    Typer takes indentation away where all that follows the first paragraph is indented; the lines would run together.
    """
    if not text or "```" in text:
        return text
    return re.sub(r"(?m)(?:^ {4}.*(?:\n|\Z))+", lambda lines: f"```\n{textwrap.dedent(lines[0])}\n```\n", text)


def _settings_message(error: ValueError) -> str | None:
    """What is wrong with the settings, without the values found: one of them may be a secret."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from gamestats_assets.settings import Settings

    if isinstance(error, ValidationError) and error.title == Settings.__name__:
        return "; ".join(
            ": ".join(filter(None, [".".join(map(str, found["loc"])), found["msg"].removeprefix("Value error, ")]))
            for found in error.errors(include_input=False, include_url=False)
        )
    if isinstance(error, SettingsError):
        names = [
            str(field.validation_alias) for name, field in Settings.model_fields.items() if f'"{name}"' in str(error)
        ]
        return f'{", ".join(names) or "A setting"}: expected a JSON object, such as {{"aws_region": "eu-west-1"}}.'
    return None


def version() -> str:
    """Version of the installed package."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("gamestats")
    except PackageNotFoundError:
        return "not installed (run from a checkout)"


def quiet_warnings() -> None:
    """Hide the warnings of libraries, unless Python was started with warnings on."""
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: `1 day`, `2 days`, `1,200 matches`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def days_named(days: Sequence[str]) -> str:
    """Days in a few words: the first and last of each consecutive range, three ranges at most."""
    ranges = [first if first == last else f"{first} to {last}" for first, last in consecutive(days)]
    return ", ".join(ranges[:3]) + (f" and {counted(len(ranges) - 3, 'more range')}" if len(ranges) > 3 else "")


def few(names: Sequence[str]) -> str:
    """Some names, five at most."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def consecutive(days: Sequence[str]) -> list[tuple[str, str]]:
    """Days grouped into ranges of consecutive ones, each as (first, last).

    >>> consecutive(["2026-03-01", "2026-02-28", "2026-03-03", "2026-03-01"])
    [('2026-02-28', '2026-03-01'), ('2026-03-03', '2026-03-03')]
    """
    from datetime import date, timedelta

    found: list[tuple[str, str]] = []
    for day in sorted(set(days)):
        if found and date.fromisoformat(day) - date.fromisoformat(found[-1][1]) == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
