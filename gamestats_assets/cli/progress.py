"""Progress of runs: one live line for each game on a terminal, plain lines elsewhere."""

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
class ProgressEvent:
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


Tell = Callable[[ProgressEvent], None]
"""Receives progress events."""


@contextmanager
def lines(*, verbose: bool = False) -> Iterator[Tell]:
    """Shows events as they come.

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

    def tell(event: ProgressEvent) -> None:
        if event.kind == "wrong":
            say(event.text, event.style or "red", console=err())
            return
        stays = event.kind in ("line", "done") or (event.kind == "stage" and (verbose or not console.is_terminal))
        if stays and event.text:
            say(event.text if event.kind == "line" else f"{event.game}: {event.text}", event.style, console=console)
        if event.kind == "done":
            if event.game in live:
                shown.remove_task(live.pop(event.game))
            return
        if event.game not in live:
            live[event.game] = shown.add_task("", total=None, game=event.game)
        if event.kind != "line":
            shown.update(live[event.game], description=event.text)
        shown.advance(live[event.game], event.ended)

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
