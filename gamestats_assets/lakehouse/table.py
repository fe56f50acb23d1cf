"""The declaration of a table: the only place that defines its columns, keys and guarantees.

A table is a dataframely schema with a few class keywords. Validation, Delta, Dagster metadata, PostgreSQL, checks and
freshness all derive from it.

    >>> class Goals(Table, key="demo/goals", layer="gold", partitioned_by="day", replaced_by="match_id"):
    ...     '''Goals of one player in one match.'''
    ...     match_id = dy.String(primary_key=True, description="Match id.")
    ...     player = dy.String(primary_key=True, description="Player name.")
    ...     day = dy.Date(description="UTC day of the match.")
    ...     goals = dy.Int16(min=0, description="Goals scored.")
    >>> Goals.spec.game, Goals.spec.name, Goals.primary_key()
    ('demo', 'goals', ['match_id', 'player'])
"""

from __future__ import annotations

import functools
import inspect
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar, Literal, cast

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.errors import GamestatsError

Layer = Literal["bronze", "silver", "gold"]
PartitionValue = date | str

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEY = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
# Delta stores an empty partition value as null, and reads this name back as null.
_NULL_PARTITIONS = ("", "__HIVE_DEFAULT_PARTITION__")
# Types that both Delta and PostgreSQL store without change.
_STORABLE = (
    pl.Boolean,
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Float32,
    pl.Float64,
    pl.Decimal,
    pl.String,
    pl.Date,
    pl.Datetime,
    pl.List,
)


JSON: Mapping[str, Any] = {"postgres_type": "jsonb"}
"""Metadata of a String column of JSON documents, which PostgreSQL can search."""
OBJECT: Mapping[str, Any] = {"postgres_type": "text", "is_object": True}
"""Metadata of a Binary column: publication stores each value as an object, and PostgreSQL its name."""


class TableDeclarationError(GamestatsError):
    """A table's declaration is invalid, or the lake or PostgreSQL could not store it."""


class PartitionKeyError(GamestatsError):
    """A partition key is not a value of the table's partition column."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """Properties of a table besides its columns.

    Attributes:
        key: `game/table`, the name of the table everywhere.
        layer: `bronze`, `silver` or `gold`.
        partitioned_by: column whose value is the partition, or None for a single partition. A Date is a day. A String
            whose name ends in `_day`, such as `product_day`, is a pair: its values are a day and a name,
            `2026-01-01|shop`, and the table also has a column `product`.
        named: name of its partitions by names, if it must differ from their column because another game uses that.
        replaced_by: column of the ids that one write replaces together (a match, a log file), or None if a write
            replaces whole partitions. It is also the unit of quarantine.
        published: whether the table is copied to PostgreSQL.
        months_of: a Datetime column by whose month (UTC) PostgreSQL partitions the published table, for tables that
            grow with time. It is independent of `partitioned_by`, the part that a write replaces.
        indexes: columns of each PostgreSQL index besides the primary key.
        guarded_by: for a published table about people, the columns that identify the owner of a row: the serving role
            sees a row if one of them has an id that belongs to its transaction (see `lakehouse.postgres.own_rows`).
        reconciled: numeric columns whose sums are compared inside the publishing transaction.
        fresh_within: age of the last materialisation after which the table counts as stale.
        fresh_by_hour: for a table by day, the hour (UTC) of the next day by which a day must exist.
        made_by: name of the step that makes it, if one step makes several tables.
        after_day_before: for a table by day and name made from landed files, whether its rows also depend on the files
            of the day before.
        tolerance: share of a unit's rows that may break a value rule before the whole unit is quarantined.
        significant_digits: number of digits to which floats are rounded, for statistics: the last digits depend on the
            order in which rows were added, and a recomputation must yield the same values.
        first_day: first possible day of its rows, if they have days; the same for all tables by day of a game.
        personal: whether its rows name people, so that Dagster's event log must not have previews of them.
        subject: its subject in a word: tables of one subject form a group in Dagster. By default the declaring module,
            or the folder of a module `tables`.
    """

    key: str
    layer: Layer
    partitioned_by: str | None = None
    named: str | None = None
    replaced_by: str | None = None
    published: bool = False
    months_of: str | None = None
    indexes: tuple[tuple[str, ...], ...] = ()
    guarded_by: tuple[str, ...] = ()
    reconciled: tuple[str, ...] = ()
    fresh_within: timedelta | None = None
    fresh_by_hour: int | None = None
    made_by: str | None = None
    after_day_before: bool = False
    tolerance: float = 0.01
    significant_digits: int | None = None
    first_day: date | None = None
    personal: bool = False
    subject: str = ""

    @property
    def group(self) -> str:
        """The Dagster group: game and subject."""
        return f"{self.game}_{self.subject}"

    @property
    def game(self) -> str:
        """The first half of the key: the game, the PostgreSQL schema."""
        return self.key.split("/")[0]

    @property
    def name(self) -> str:
        """The second half of the key: the table's own name."""
        return self.key.split("/")[1]

    @property
    def step(self) -> str:
        """Name of the step that makes the table; its ledger has the same name."""
        return self.made_by or self.name

    @property
    def dotted(self) -> str:
        """`game.table`, as SQL and the command line write it."""
        return self.key.replace("/", ".")


class Table(dy.Schema):
    """Base of every declared table; see the module's docstring for an example.

    Class keywords are the fields of `TableSpec`. A class without `key` is a fragment whose columns other tables
    inherit.

    Raises:
        TableDeclarationError: at class creation, if a column has no description or a type that storage would change,
            or if a keyword names an unknown column.
    """

    spec: ClassVar[TableSpec]

    def __init_subclass__(cls, *, key: str | None = None, **keywords: Any) -> None:
        super().__init_subclass__()
        if key is not None:
            subject = cls.__module__.removesuffix(".tables").rpartition(".")[2]
            cls._declare(TableSpec(key=key, **{"subject": subject, **keywords}))

    @classmethod
    def _declare(cls, spec: TableSpec) -> None:
        columns = cls.columns()
        roles = (spec.partitioned_by, spec.replaced_by, spec.months_of)
        partition, unit = (columns.get(name or "") for name in roles[:2])
        named = [*filter(None, roles), *spec.reconciled, *spec.guarded_by]
        named += itertools.chain(*spec.indexes)
        problems = [f"a keyword names column {name!r}, which does not exist" for name in named if name not in columns]
        if not _KEY.fullmatch(spec.key):
            problems.append(f"key {spec.key!r} is not of the form game/table in lower case")
        if not cls.__doc__ or cls.__doc__ == Table.__doc__:
            problems.append("it has no docstring; the docstring is the table's description")
        if not cls.primary_key():
            problems.append("no column is a primary key")
        for name, column in columns.items():
            if not column.description:
                problems.append(f"column {name!r} has no description")
            stored = column.dtype
            while isinstance(stored, pl.List):
                stored = cast(pl.DataType, stored.inner)
            if (column.dtype == pl.Binary) != bool((column.metadata or {}).get("is_object")):
                problems.append(f"column {name!r} is {column.dtype}; a Binary, and nothing else, has metadata=OBJECT")
            elif column.dtype != pl.Binary and not isinstance(stored, _STORABLE):
                problems.append(f"column {name!r} is {column.dtype}; use a signed integer, or a String")
            if isinstance(stored, pl.Datetime) and stored != pl.Datetime("us", "UTC"):
                problems.append(f"column {name!r} is {column.dtype}; use dy.Datetime(time_unit='us', time_zone='UTC')")
        for name, owner in ((spec.partitioned_by, partition), (spec.replaced_by, unit)):
            if owner and owner.nullable:
                problems.append(f"column {name!r} says what a write replaces, so it cannot be nullable")
        if partition and not isinstance(partition.dtype, (pl.Date, pl.String)):
            problems.append(f"partition column {spec.partitioned_by!r} must be a Date or a String")
        if dimension := _dimension(spec.partitioned_by, columns):
            if dimension not in columns or not isinstance(columns[dimension].dtype, pl.String):
                problems.append(
                    f"its partitions are a day and a {dimension}, so it must have a String column {dimension!r}"
                )
            if dimension <= "day":
                # Dagster writes a key in the order of its dimensions' names.
                problems.append(
                    f"partition column {spec.partitioned_by!r}: {dimension!r} must come after 'day' by alphabet"
                )
        if unit and not isinstance(unit.dtype, pl.String):
            problems.append(f"column {spec.replaced_by!r} holds the ids that writes replace, so it must be a String")
        if problems:
            raise TableDeclarationError(f"Table {cls.__name__} cannot be declared:\n- " + "\n- ".join(problems))
        cls.spec = spec

    @classmethod
    def columns(cls) -> dict[str, dy.Column]:
        """The declared columns by name; cached, because a run needs them some thousand times."""
        return _columns(cls)

    @classmethod
    def description(cls) -> str:
        """The docstring, unindented: the description in Dagster and PostgreSQL."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    @functools.cache
    def schema(cls) -> pl.Schema:
        """Polars schema in declared column order."""
        return pl.Schema({name: column.dtype for name, column in cls.columns().items()})

    @classmethod
    @functools.cache
    def objects(cls) -> tuple[str, ...]:
        """The columns whose values become objects when the table is published."""
        return tuple(name for name, dtype in cls.schema().items() if dtype == pl.Binary)

    @classmethod
    def descriptions(cls) -> Mapping[str, str]:
        """Column name to description."""
        return {name: column.description or "" for name, column in cls.columns().items()}

    @classmethod
    @functools.cache
    def pair_dimension(cls) -> str | None:
        """The dimension of a pair besides its day (`product` of `product_day`); None if partitions are not pairs."""
        return _dimension(cls.spec.partitioned_by, cls.columns())

    @classmethod
    def partition_value(cls, partition_key: str) -> PartitionValue:
        """The partition column's value for a Dagster partition key.

        Raises:
            PartitionKeyError: if partitions are days and the key is not written YYYY-MM-DD, if they are pairs and it is
                not a day and a name, or if Delta would read the key back as null.
        """
        column = cls.spec.partitioned_by
        if (dimension := cls.pair_dimension()) is not None:
            day, _, name = partition_key.partition("|")
            if not is_day(day) or not name or "|" in name:
                raise PartitionKeyError(
                    f"{cls.spec.key}: partition {partition_key!r} is not a day and a {dimension}; "
                    f"write it as YYYY-MM-DD|{dimension}, such as 2026-01-01|shop."
                )
            # A plain string, because not every library accepts Dagster's own string class for these keys.
            return f"{day}|{name}"
        if column is not None and isinstance(cls.columns()[column].dtype, pl.Date):
            if not is_day(partition_key):
                raise PartitionKeyError(
                    f"{cls.spec.key}: partition {partition_key!r} is not a day; write it as YYYY-MM-DD."
                )
            return date.fromisoformat(partition_key)
        if partition_key in _NULL_PARTITIONS:
            raise PartitionKeyError(
                f"{cls.spec.key}: partition {partition_key!r} would be read back as null; give it another key."
            )
        return partition_key


@functools.cache
def _columns(table: type[Table]) -> dict[str, dy.Column]:
    return super(Table, table).columns()


def _dimension(column: str | None, columns: Mapping[str, dy.Column]) -> str | None:
    if column is None or column not in columns or not isinstance(columns[column].dtype, pl.String):
        return None
    return column.removesuffix("_day") or None if column.endswith("_day") else None


def is_day(text: str) -> bool:
    """Whether a text is a day, written YYYY-MM-DD.

    >>> is_day("2026-03-14"), is_day("20260314"), is_day("2026-02-30")
    (True, False, False)
    """
    try:
        # fromisoformat alone also accepts 20260301, which would be another key of the same day.
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def partition_key_of(value: PartitionValue) -> str:
    """The Dagster partition key of a partition column's value.

    >>> partition_key_of(date(2026, 3, 14))
    '2026-03-14'
    """
    return value.isoformat() if isinstance(value, date) else value
