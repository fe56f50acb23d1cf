"""What runs tell while they work: a live line for each game on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TextIO

from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from gamestats_assets.cli.terminal import CarefulConsole, err, out, say

Kind = Literal["now", "stage", "line", "done", "wrong"]


@dataclass(frozen=True, slots=True)
class Told:
    """Something to show of a game.

    Attributes:
        kind: `now` is shown on a terminal until something else is; so is a `stage`, which is a line elsewhere; a
            `line` stays; `done` ends the live line, and stays where it says something; what is `wrong` goes to stderr.
        ended: steps that have ended with it.
    """

    game: str
    text: str
    kind: Kind = "now"
    style: str = ""
    ended: int = 0


Tell = Callable[[Told], None]
"""Takes what is told."""


@contextmanager
def lines(*, verbose: bool = False) -> Iterator[Tell]:
    """Shows what is told meanwhile.

    Args:
        verbose: stages stay on a terminal, too.
    """
    stdout = _stdout_of_now()
    console = CarefulConsole(file=stdout, highlight=False) if stdout else out()
    shown = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[game]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.completed:.0f} steps done"),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    live: dict[str, TaskID] = {}

    def tell(told: Told) -> None:
        if told.kind == "wrong":
            say(told.text, told.style or "red", console=err())
            return
        stays = told.kind in ("line", "done") or (told.kind == "stage" and (verbose or not console.is_terminal))
        if stays and told.text:
            say(told.text if told.kind == "line" else f"{told.game}: {told.text}", told.style, console=console)
        if told.kind == "done":
            if told.game in live:
                shown.remove_task(live.pop(told.game))
            return
        if told.game not in live:
            live[told.game] = shown.add_task("", total=None, game=told.game)
        if told.kind != "line":
            shown.update(live[told.game], description=told.text)
        shown.advance(live[told.game], told.ended)

    try:
        with shown:
            yield tell
    finally:
        if stdout is not None:
            stdout.close()


def _stdout_of_now() -> TextIO | None:
    """A stdout of our own: while a step runs, Dagster leads the usual one into the step's log."""
    try:
        return os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding=sys.stdout.encoding)
    except (OSError, ValueError):
        return None
