"""The state of every table: rows, last partition, freshness, what is behind, checks, publication.

All of it is read from what is there: the Delta logs with their ledgers always, what people entered and what is
published only when PostgreSQL runs. Nothing is started to answer a question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import polars as pl
    from pydantic import SecretStr

    from gamestats_assets.lakehouse.stores import Stores
    from gamestats_assets.lakehouse.table import Table
    from gamestats_assets.orchestration.runs.behind import Behind

Freshness = Literal["fresh", "stale", "never", "no policy"]


@dataclass(frozen=True, slots=True)
class CheckState:
    """The latest evaluations of a table's checks, on all its partitions.

    Attributes:
        total: checks that stand on the table.
        warned: names of checks that some partition breaks without stopping anything.
        failed: names of checks that some partition breaks, and that stop what follows.
        is_known: whether they were ever evaluated.
    """

    total: int
    warned: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_known: bool = True

    @property
    def passed(self) -> int:
        """Checks that every partition passed."""
        return self.total - len({*self.warned, *self.failed}) if self.is_known else 0

    def __str__(self) -> str:
        if not self.is_known:
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
        made_at: when it was last written, or found to be as it should be.
        freshness: that age against the table's policy; of one that is due by an hour, whether the day is there.
        state: whether it is what its inputs would make now, in words; why not.
        checks: its checks.
        set_aside: units that a check took out of it.
        published_rows: rows in PostgreSQL; None when it does not run or the table is not published.
    """

    name: str
    layer: str
    rows: int | None
    last_partition: str | None
    made_at: datetime | None
    freshness: Freshness
    state: str
    checks: CheckState
    set_aside: int
    published: bool
    published_rows: int | None


@dataclass(frozen=True, slots=True)
class Overview:
    """Every table, what is in quarantine as a whole, and whether PostgreSQL could be asked."""

    tables: tuple[TableOverview, ...]
    quarantined: pl.DataFrame
    postgres_runs: bool


def overview(stores: Stores, tables: Sequence[type[Table]], now: datetime | None = None) -> Overview:
    """Look at all the given tables, as of now by default."""
    from gamestats_assets.definitions import game_of
    from gamestats_assets.orchestration.freshness.snapshot import Snapshot
    from gamestats_assets.orchestration.runs.behind import behind_of

    url = _postgres_here(stores)
    games = {name: game_of(name) for name in dict.fromkeys(table.spec.game for table in tables)}
    # What people entered stands in PostgreSQL.
    behind = {name: behind_of(game, Snapshot(stores, game.graph)) if url else None for name, game in games.items()}
    published = _published(url, tables)
    now = now or datetime.now(UTC)
    found = [_table(stores, table, behind[table.spec.game], published, now) for table in tables]
    return Overview(tuple(found), _quarantined(stores, [*games]), url is not None)


def _postgres_here(stores: Stores) -> SecretStr | None:
    """URL of PostgreSQL if it takes connections; it is not started."""
    from gamestats_assets.lakehouse.postgres.embedded import is_available
    from gamestats_assets.lakehouse.postgres.server import PostgresUnavailableError, connect

    if not is_available(stores.settings):
        return None
    try:
        connect(stores.postgres_url).close()
    except PostgresUnavailableError:
        return None
    return stores.postgres_url


def _quarantined(stores: Stores, games: Sequence[str]) -> pl.DataFrame:
    """What games have in quarantine as a whole: columns `table`, `partition`, `unit`, `reason`."""
    import polars as pl

    from gamestats_assets.lakehouse.quality import quarantine_of

    entries = [
        stores.lake.scan(quarantine_of(game))
        .filter(pl.col("scope") != "row")
        .select(
            table=pl.format("{}.{}", pl.lit(game), "table_name"),
            partition="partition_key",
            unit="unit_id",
            reason="reason",
        )
        for game in games
    ]
    return pl.concat(entries).unique().sort("table", "partition", "unit").collect()


def _published(url: SecretStr | None, tables: Sequence[type[Table]]) -> Mapping[str, int] | None:
    """Rows in PostgreSQL, by table; None when it does not run."""
    if url is None:
        return None
    from gamestats_assets.lakehouse.postgres.server import connect
    from gamestats_assets.lakehouse.published.publication import counts

    with connect(url) as connection:
        return {table.spec.dotted: sum(counts(connection, table).values()) for table in tables if table.spec.published}


def check_state(stores: Stores, table: type[Table]) -> CheckState:
    """What the checks of a table found, as its ledger tells."""
    from gamestats_assets.definitions import game_of

    # The rules of every table are a check, too.
    total = 1 + len(game_of(table.spec.game).graph.checks.get(table, ()))
    partitions = stores.lake.ledger(table).partitions.values()
    return CheckState(
        total,
        warned=tuple(dict.fromkeys(name for partition in partitions for name in partition.warned)),
        failed=tuple(dict.fromkeys(name for partition in partitions for name in partition.failed or ())),
        is_known=any(partition.failed is not None for partition in partitions),
    )


def _table(
    stores: Stores, table: type[Table], behind: Behind | None, published: Mapping[str, int] | None, now: datetime
) -> TableOverview:
    spec = table.spec
    state = stores.lake.state(table)
    partitions = [key for key, rows in (state.rows_per_partition if state else {}).items() if rows]
    at = stores.lake.committed_at(table)
    return TableOverview(
        name=spec.dotted,
        layer=spec.layer,
        rows=state.rows if state else None,
        last_partition=max(partitions, default=None),
        made_at=at,
        freshness=_freshness(stores, table, at, now),
        state=_state(table, behind),
        checks=check_state(stores, table),
        set_aside=sum(len(partition.set_aside) for partition in stores.lake.ledger(table).partitions.values()),
        published=spec.published,
        published_rows=published.get(spec.dotted) if published is not None else None,
    )


def _state(table: type[Table], behind: Behind | None) -> str:
    """Whether a table and its publication are what they should be, and why not."""
    from gamestats_assets.orchestration.metadata import asset_key, publication_key

    if behind is None:
        return "unknown"
    for key in (asset_key(table), publication_key(table)):
        for what, found in (("behind", behind.reasons.get(key)), ("held", behind.held.get(key))):
            if found:
                first = next(iter(found.values()))
                return f"{what}: {first}" + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")
    return "up to date"


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
