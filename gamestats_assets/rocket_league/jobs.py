"""What is done for the jobs that people ask for: each kind of them, and where that is.

What the work needs is loaded when there is some.
"""

from __future__ import annotations

from collections.abc import Sequence

from gamestats_assets.lakehouse.jobs import Kind, Task, Workshop

_GAME = "rocket_league"


def _replay(workshop: Workshop, tasks: Sequence[Task]) -> None:
    from gamestats_assets.rocket_league.uploading import analyse_uploads

    analyse_uploads(workshop, tasks)


KINDS: tuple[Kind, ...] = (Kind("replay", _GAME, _replay, at_once=8),)
"""Every kind of jobs of the game."""
