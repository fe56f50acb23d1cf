"""What stands in every table: rows, last partition, freshness, checks, publication.

Read from what is there: the Delta logs always, Dagster's records and PostgreSQL only
when the server runs. Nothing is started to answer a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import dagster as dg
    from pydantic import SecretStr

    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.lakehouse.table import Table

Freshness = Literal["fresh", "stale", "never", "no policy"]


@dataclass(frozen=True, slots=True)
class CheckState:
    """The latest evaluations of a table's checks, on all its days.

    Attributes:
        passed: checks whose latest evaluation passed on every day.
        warned: names of checks that failed without stopping anything.
        failed: names of checks that failed and stop what follows.
        never: checks that were never evaluated.
    """

    passed: int
    warned: tuple[str, ...]
    failed: tuple[str, ...]
    never: int

    @property
    def total(self) -> int:
        """Checks that stand on the table."""
        return self.passed + len(self.warned) + len(self.failed) + self.never

    def __str__(self) -> str:
        if self.never == self.total:
            return "never" if self.total else "none"
        parts = [f"{self.passed} of {self.total} passed"]
        parts += [f"failed: {', '.join(self.failed)}"] if self.failed else []
        parts += [f"warned: {', '.join(self.warned)}"] if self.warned else []
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class TableOverview:
    """One table as it stands.

    Attributes:
        name: `game.table`.
        rows: rows in the lake; None when it was never written.
        last_partition: its newest partition that holds rows.
        materialised_at: when it was last materialised (or, without Dagster's records, last committed).
        freshness: that age against the table's policy; of one that is due by an hour, whether the day is there.
        checks: None when PostgreSQL, which keeps them, does not run.
        published_rows: rows in PostgreSQL; None when it does not run or the table is not published.
    """

    name: str
    layer: str
    rows: int | None
    last_partition: str | None
    materialised_at: datetime | None
    freshness: Freshness
    checks: CheckState | None
    published: bool
    published_rows: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Every table, and whether PostgreSQL could be asked."""

    tables: tuple[TableOverview, ...]
    postgres_runs: bool


def overview(stores: Stores, tables: Sequence[type[Table]], now: datetime | None = None) -> Overview:
    """Look at all the given tables, as of now unless told."""
    url = running_postgres(stores)
    records = _Records(stores, url, tables)
    now = now or datetime.now(UTC)
    return Overview(tuple(_table(stores, table, records, now) for table in tables), url is not None)


def running_postgres(stores: Stores) -> SecretStr | None:
    """URL of PostgreSQL if it runs and takes connections; it is not started."""
    from gamestats_assets.lakehouse.embedded_postgres import is_running
    from gamestats_assets.lakehouse.postgres import PostgresUnavailableError, connect

    if stores.settings.postgres_url is None:
        return stores.postgres_url if is_running(stores.settings) else None
    try:
        connect(stores.settings.postgres_url).close()
    except PostgresUnavailableError:
        return None
    return stores.settings.postgres_url


class _Records:
    """What PostgreSQL keeps of the tables: published rows, materialisations, checks."""

    def __init__(self, stores: Stores, url: SecretStr | None, tables: Sequence[type[Table]]) -> None:
        self.published: dict[str, int] = {}
        self.materialised: dict[str, datetime] = {}
        self.checks: dict[str, CheckState] | None = None
        if url is None:
            return
        from gamestats_assets.lakehouse.postgres import connect, counts

        with connect(url) as connection:
            for table in tables:
                if table.spec.published:
                    self.published[table.spec.dotted] = sum(counts(connection, table).values())
        self._read_dagster(stores, tables)

    def _read_dagster(self, stores: Stores, tables: Sequence[type[Table]]) -> None:
        from gamestats_assets.definitions import build_defs
        from gamestats_assets.orchestration.instance import dagster_instance
        from gamestats_assets.orchestration.metadata import asset_key

        definitions = build_defs()
        keys = {asset_key(table): table.spec.dotted for table in tables}
        with dagster_instance(stores) as instance:
            for key, event in instance.get_latest_materialization_events(list(keys)).items():
                if event is not None:
                    self.materialised[keys[key]] = datetime.fromtimestamp(event.timestamp, UTC)
            self.checks = {keys[key]: state for key, state in check_states(instance, definitions, keys).items()}


def check_states(
    instance: dg.DagsterInstance, definitions: dg.Definitions, keys: Iterable[dg.AssetKey]
) -> dict[dg.AssetKey, CheckState]:
    """By asset, the latest evaluation of each of its checks; one that fails on any day has failed."""
    from gamestats_assets.orchestration.checks import STOPS

    graph = definitions.resolve_asset_graph()
    by_asset = {key: sorted(graph.get_check_keys_for_assets({key}), key=lambda check: check.name) for key in keys}
    latest: dict[dg.AssetCheckKey, dict[str | None, str]] = {}
    everything = [check for checks in by_asset.values() for check in checks]
    for found in instance.event_log_storage.get_asset_check_partition_info(everything):
        latest.setdefault(found.check_key, {})[found.partition_key] = found.latest_execution_status.value
    states: dict[dg.AssetKey, CheckState] = {}
    for key, checks in by_asset.items():
        failed = {check: _failed(latest.get(check, {})) for check in checks}
        stopping = {check for check in checks if graph.get(check).blocking or STOPS in graph.get(check).metadata}
        states[key] = CheckState(
            passed=sum(state is False for state in failed.values()),
            warned=tuple(check.name for check in checks if failed[check] and check not in stopping),
            failed=tuple(check.name for check in checks if failed[check] and check in stopping),
            never=sum(state is None for state in failed.values()),
        )
    return states


def _failed(statuses: Mapping[str | None, str]) -> bool | None:
    """Whether a check's latest evaluation failed on some day; None when it was never evaluated.

    A range of days has one evaluation without a day beside those of its days, which count
    alone: they are replaced one by one when a day is mended.
    """
    of_days = {status for day, status in statuses.items() if day is not None} & _EVALUATED
    told = of_days or ({statuses.get(None, "")} & _EVALUATED)
    return "FAILED" in told if told else None


_EVALUATED = {"SUCCEEDED", "FAILED"}


def _table(stores: Stores, table: type[Table], records: _Records, now: datetime) -> TableOverview:
    spec = table.spec
    state = stores.lake.state(table)
    filled = [key for key, rows in (state.rows_per_partition if state else {}).items() if rows]
    at = records.materialised.get(spec.dotted) or _last_commit(stores, table)
    return TableOverview(
        name=spec.dotted,
        layer=spec.layer,
        rows=state.rows if state else None,
        last_partition=max(filled, default=None),
        materialised_at=at,
        freshness=_freshness(stores, table, at, now),
        checks=records.checks.get(spec.dotted) if records.checks is not None else None,
        published=spec.published,
        published_rows=records.published.get(spec.dotted),
    )


def _last_commit(stores: Stores, table: type[Table]) -> datetime | None:
    delta = stores.lake.open(table)
    if delta is None:
        return None
    return datetime.fromtimestamp(delta.history(1)[0]["timestamp"] / 1000, UTC)


def _freshness(stores: Stores, table: type[Table], at: datetime | None, now: datetime) -> Freshness:
    spec = table.spec
    if at is None:
        return "never"
    if spec.fresh_by_hour is not None:
        # The day before the last time that it was due. An older day may have been made again since.
        due = now.replace(hour=spec.fresh_by_hour, minute=0, second=0, microsecond=0)
        wanted = (due if due <= now else due - timedelta(days=1)).date() - timedelta(days=1)
        made = [key for key, found in stores.lake.ledger(table).partitions.items() if found.made_from]
        return "fresh" if max(made, default="") >= wanted.isoformat() else "stale"
    if spec.fresh_within is None:
        return "no policy"
    return "fresh" if now - at <= spec.fresh_within else "stale"


def age(at: datetime, now: datetime) -> str:
    """An age in its largest unit.

    >>> age(datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 15, 40))
    '3 h'
    """
    seconds = int((now - at).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"
