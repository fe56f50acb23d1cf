"""What people allow no more: it ends with the next run, which a job asks for, so that a page can tell when it did."""

from __future__ import annotations

from collections.abc import Sequence

from gamestats_assets.lakehouse.entries.jobs import JobContext, Task
from gamestats_assets.lakehouse.entries.ops import rows
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league.source import GAME

_FAILED = "Tables could not be made again. It is tried again by itself; an administrator finds why in the worker's log."


def make_without(context: JobContext, tasks: Sequence[Task]) -> None:
    """Make the tables again without those who allow them no more."""

    def tell(text: str) -> None:
        for task in tasks:
            task.say(text)

    context.let_runs_end(GAME, lambda runs: tell("waiting until what is being made already is done"))
    tell("making the tables again without you")
    if failures := context.follow(GAME, names=tracked(context.stores)):
        for task in tasks:
            task.fail(_FAILED)
        raise RuntimeError("; ".join(failures))


def tracked(stores: Stores) -> list[str]:
    """Whose tables there are: each may tell of another."""
    with connect(stores.postgres_url) as conn:
        return [row["player_id"] for row in rows(conn, "SELECT player_id FROM ops.rl_players")]
