"""The declaration of a table: the one place where its columns, keys and promises stand.

A table is a dataframely schema with a few class keywords. Everything else that must
know the table (validation, Delta, Dagster metadata, PostgreSQL, checks, freshness)
reads it from here.

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
# What Delta and PostgreSQL both store without narrowing or losing the type.
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
"""Metadata of a String column whose values are JSON documents: what PostgreSQL can look into."""
OBJECT: Mapping[str, Any] = {"postgres_type": "text", "is_object": True}
"""Metadata of a Binary column: PostgreSQL holds the name of an object for each value, which the publication keeps."""


class TableDeclarationError(GamestatsError):
    """A table is declared in a way the lake or PostgreSQL could not keep."""


class PartitionKeyError(GamestatsError):
    """A partition key cannot be read as a value of the table's partition column."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What the lake must know of a table besides its columns.

    Attributes:
        key: `game/table`, the name of the table everywhere.
        layer: `bronze`, `silver` or `gold`.
        partitioned_by: column whose value is the partition, or None for a single partition. A Date is a day.
            A String whose name ends in `_day` is a pair, such as `product_day`: its values are a day and a
            name, `2026-01-01|shop`, and the table has a column `product` besides.
        named: what its partitions of names are called, where not as their column: another game may have one so called.
        replaced_by: column of the ids that one write replaces together (a match, a log file),
            or None when a write replaces whole partitions. It is also the unit of quarantine.
        published: whether the table is copied to PostgreSQL.
        months_of: a Datetime column by whose month (UTC) PostgreSQL partitions the published table, for tables that
            grow with time. It has nothing to do with `partitioned_by`, which stays what a write replaces.
        indexes: columns of each PostgreSQL index besides the primary key.
        guarded_by: of a published table about people, the columns that say whose a row is: those who serve are shown a
            row where one of these has an id that their transaction is about (see `lakehouse.own_rows`).
        reconciled: numeric columns whose sums are compared inside the publishing transaction.
        fresh_within: age of the last materialisation after which the table counts as stale.
        fresh_by_hour: of a table by day, the hour (UTC) by which a day must be there after it has ended.
        made_by: name of the step that makes it, when one step makes several tables.
        after_day_before: of a table by day and name that is made from landed files, whether its rows depend on those
            of the day before, too.
        tolerance: share of a unit's rows that may break a value rule before the whole
            unit is quarantined.
        significant_digits: to which numbers that are no integers are kept, of statistics: their last digits depend on
            the order in which rows were added up, and what is made again must be the same.
        first_day: first day that its rows can be of, where they have days: all tables by day of a game have the same.
        personal: whether its rows name people: no preview of them is kept in Dagster's event log.
        subject: what it is about, in a word: tables of one subject stand together in Dagster. By default the
            module that declares it, or the folder of a module `tables`.
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

    Class keywords are the fields of `TableSpec`. A class without `key` is a fragment
    whose columns other tables inherit.

    Raises:
        TableDeclarationError: at class creation, when a column has no description, a type
            that storage would change, or when a keyword names an unknown column.
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
        partition, unit, month = (columns.get(name or "") for name in roles)
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
        if partition and spec.partitioned_by == "day" and isinstance(partition.dtype, pl.String):
            problems.append("partition column 'day' is a String; days are a Date")
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
        if month and (not isinstance(month.dtype, pl.Datetime) or month.nullable):
            problems.append(f"column {spec.months_of!r} says a row's month, so it must be a non-nullable Datetime")
        if month and not month.primary_key:
            problems.append(
                f"column {spec.months_of!r} says a row's month, so it must be part of the primary key: "
                "PostgreSQL keeps a key only within a month"
            )
        if spec.months_of and not spec.published:
            problems.append(f"months_of={spec.months_of!r} is for PostgreSQL, so the table must be published")
        problems += [
            f"guarded_by names column {name!r}, whose values must be a String"
            for name in spec.guarded_by
            if name in columns and not isinstance(columns[name].dtype, pl.String)
        ]
        if problems:
            raise TableDeclarationError(f"Table {cls.__name__} cannot be declared:\n- " + "\n- ".join(problems))
        cls.spec = spec

    @classmethod
    def columns(cls) -> dict[str, dy.Column]:
        """The declared columns by name, put together once: a run asks for them some thousand times."""
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
        """The columns whose values stand apart as objects once the table is published."""
        return tuple(name for name, dtype in cls.schema().items() if dtype == pl.Binary)

    @classmethod
    def descriptions(cls) -> Mapping[str, str]:
        """Column name to description."""
        return {name: column.description or "" for name, column in cls.columns().items()}

    @classmethod
    @functools.cache
    def pair_dimension(cls) -> str | None:
        """What a partition is of besides its day (`product` of `product_day`); None where it is no pair."""
        return _dimension(cls.spec.partitioned_by, cls.columns())

    @classmethod
    def partition_value(cls, partition_key: str) -> PartitionValue:
        """The partition column's value for a Dagster partition key.

        Raises:
            PartitionKeyError: when the table's partitions are days and the key is not
                written YYYY-MM-DD, when they are pairs and it is not a day and a name, or
                when the key is one that Delta reads back as null.
        """
        column = cls.spec.partitioned_by
        if (dimension := cls.pair_dimension()) is not None:
            day, _, name = partition_key.partition("|")
            if not is_day(day) or not name or "|" in name:
                raise PartitionKeyError(
                    f"{cls.spec.key}: partition {partition_key!r} is not a day and a {dimension}; "
                    f"write it as YYYY-MM-DD|{dimension}, such as 2026-01-01|shop."
                )
            # Not the key itself: Dagster's own class of these keys is a text that not every library takes for one.
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
        # fromisoformat alone takes 20260301 too, which would be another key of the same day.
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def partition_key_of(value: PartitionValue) -> str:
    """The Dagster partition key of a partition column's value.

    >>> partition_key_of(date(2026, 3, 14))
    '2026-03-14'
    """
    return value.isoformat() if isinstance(value, date) else value
