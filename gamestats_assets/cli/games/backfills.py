"""`gamestats players status`, `backfill` and `cancel`, from the lake and from Dagster's runs."""

from __future__ import annotations

import math
import shlex
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gamestats_assets.cli.commands import a_day, person, written
from gamestats_assets.cli.frames import Format
from gamestats_assets.cli.terminal import counted, err, quiet_warnings, say
from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.declared import StillNeededError
from gamestats_assets.lakehouse.entries.ops import Row
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg.players.backfill import DETAILS, MATCHES_TAG, Progress, found_matches, progress
from gamestats_assets.pubg.players.entered import TRACKED_PLAYER
from gamestats_assets.pubg.players.entered.backfills import cancel_backfills, refuse_no_span, request_backfill
from gamestats_assets.pubg.players.lake_matches import LakeMatches

if TYPE_CHECKING:
    import dagster as dg


# Runs in which the newest of a player is looked for.
_NEWEST = 200


def show_status(player: str | None, form: Format | None, output: Path | None) -> None:
    """A line for each tracked player: figures, and what its newest run is doing."""
    import polars as pl

    from gamestats_assets.orchestration.runs.instance import dagster_instance

    quiet_warnings()
    stores = Stores()
    found = progress(stores, player)
    with dagster_instance(stores) as instance:
        lines = [
            {
                "player": one.player,
                "active": one.is_active,
                "history from": one.first_day,
                "matches": one.wanted,
                "taken": one.taken,
                "to take": one.to_take,
                "pending": one.pending,
                "expired": one.expired,
                "unreadable": one.unreadable,
                "state": _state(instance, one),
            }
            for one in found
        ]
    schema = {
        "player": pl.String,
        "active": pl.Boolean,
        "history from": pl.Date,
        **dict.fromkeys(("matches", "taken", "to take", "pending", "expired", "unreadable"), pl.Int64),
        "state": pl.String,
    }
    written(pl.DataFrame(lines, schema=pl.Schema(schema)), form, output)


def _state(instance: dg.DagsterInstance, one: Progress) -> str:
    """What is going on with a player, in a few words."""
    import dagster as dg

    from gamestats_assets.orchestration.run_requests import partitions_of_run

    if one.account_id is None:
        return "account unknown until a match names the player"
    newest = instance.get_run_records(dg.RunsFilter(tags=DETAILS), limit=_NEWEST)
    runs = [record for record in newest if one.account_id in partitions_of_run(record.dagster_run)]
    run = runs[0].dagster_run if runs else None
    if run is None or run.is_finished:
        if not one.to_take:
            return "up to date"
        if not one.is_active:
            return "inactive; nothing is taken"
        failed = run is not None and run.status == dg.DagsterRunStatus.FAILURE
        return f"run {run.run_id[:8]} failed; see the UI" if run and failed else "waits to be requested"
    if run.status not in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING):
        return "waits in the run queue"
    asked, began = int(run.tags.get(MATCHES_TAG, "0")), runs[0].start_time
    done = asked - one.to_take
    if began is None or done <= 0:
        return "running"
    return f"running, {counted(math.ceil((time.time() - began) / done * one.to_take), 'second')} to go"


def ask_for_backfill(player: str, days: int | None, first: str | None, last: str | None, *, dry_run: bool) -> None:
    """Say what there is of a player in some days, and ask for it."""
    quiet_warnings()
    if days is not None and first is not None:
        raise typer.BadParameter("Give --days, or --from and --to.")
    stores = Stores()
    today = datetime.now(UTC).date()
    with ops.entering(stores.postgres_url, person()) as conn:
        row = TRACKED_PLAYER.find(conn, player)
        until: date = a_day(last) or today
        since: date = a_day(first) or until - timedelta(days=days or row["backfill_days"])
        refuse_no_span(since, until, today)
        if row["account_id"] is None:
            say(
                f"The account of {row['player_name']} is unknown: no match has named the player yet.",
                "red",
                console=err(),
            )
            raise typer.Exit(1)
        found = found_matches(stores, row["account_id"], since, until)
        say(
            f"{row['player_name']}, {since} to {until}: {counted(found.matches, 'match', 'matches')} found, "
            f"{found.with_telemetry} with telemetry, {found.expired} expired."
        )
        if dry_run:
            return
        number = request_backfill(conn, row, since, until, found)
    say(f"Backfill {number} is requested.", "green")
    say("`gamestats up` takes it up by itself; `gamestats materialize` does without it. See: gamestats players status")


class NotTakenUp(LakeMatches):
    """What matches tell; whose matches a run takes up just now is not removed either."""

    def __init__(self, stores: Stores) -> None:
        super().__init__(stores.lake, stores.landing)
        self._own = stores

    def taken_of(self, tracked: Row) -> int:
        """How many matches of a tracked player were taken up.

        Raises:
            StillNeededError: when a run takes some up.
        """
        matches = super().taken_of(tracked)
        if not matches:
            _refuse_while_taken_up(self._own, tracked["player_name"], tracked["account_id"])
        return matches


def _refuse_while_taken_up(stores: Stores, player: str, account_id: str) -> None:
    import dagster as dg

    from gamestats_assets.orchestration.run_requests import UNFINISHED, partitions_of_run
    from gamestats_assets.orchestration.runs.instance import dagster_instance

    going = dg.RunsFilter(tags=DETAILS, statuses=UNFINISHED)
    with dagster_instance(stores) as instance:
        for run in instance.get_runs(going):
            # A run that was started as a range in Dagster names no partitions: the player may be in it.
            if account_id in (partitions_of_run(run) or [account_id]):
                raise StillNeededError(
                    f"Run {run.run_id[:8]} takes up matches of tracked players, and {player} is one of them. "
                    "Try again when it has ended; or make the player inactive: "
                    f"gamestats players change {shlex.quote(player)} --inactive",
                    "player",
                )


def cancel_backfill(player: str) -> None:
    """Cancel the backfills of a player, and end the runs that are for them."""
    from gamestats_assets.orchestration.runs.instance import dagster_instance
    from gamestats_assets.pubg.sensors import end_cancelled

    quiet_warnings()
    stores = Stores()
    with ops.entering(stores.postgres_url, person()) as conn:
        row = TRACKED_PLAYER.find(conn, player)
        cancelled = cancel_backfills(conn, row, person())
    with dagster_instance(stores) as instance:
        ended = end_cancelled(stores, instance)
    say(f"{counted(cancelled, 'backfill')} of {row['player_name']} cancelled, {counted(ended, 'run')} ended.", "green")
    [now] = progress(stores, row["account_id"] or player)
    say(f"The detail of {counted(now.taken, 'match', 'matches')} was taken and stays.")
