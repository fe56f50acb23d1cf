"""The small rules that people write into the description column of a tracking plan.

`parse_value_rule` reads one cell. What it understands:

| cell | meaning |
|---|---|
| `[60,7200]`, `[0.01,0.37]` | a number between the two, any decimals |
| `{1,4}` (also with a full-width comma) | a whole number between the two, both included |
| `[29,43]=value` | the same; the suffix only says that it is a plain value |
| `1|+1`, `0|+1|10` | counts its own event per user: start, step, largest value |
| `1|+0` | shows the count that another event moves, from this start |
| `++1`, `+0` | moves, or shows, the count of the property of that name that another event started |
| `5000|+info.num group by info.item_id` | a balance per item, moved by another property of the event |
| `A, B, C` with `,` `，` `、` or `/`, a trailing "etc." allowed | one of these |
| `6,15,38` in a number's cell | one of these numbers |
| `Y/N` | true or false |
| `=true_first` | true the first time, false from then on |
| `=account_id`, ` =#distinct_id` | a copy of the id |
| `10` in the cell of a list of objects | so many objects |
| `event|property|last` (first, sum, cnt, daycnt, equal) | what another event tells: of user and common properties |
| `event|2>>info.after_num|equal` | the same, of the object whose key has that value |
| an example (`예: ...`, `e.g. ...`) or a JSON sample | the example |
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = bool | int | float | str


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Between(_Rule):
    """A number within bounds, both included."""

    kind: Literal["between"] = "between"
    min: float
    max: float
    integer: bool


class OneOf(_Rule):
    """One of some values.

    Attributes:
        open_ended: whether the text says that there are more of them.
    """

    kind: Literal["one_of"] = "one_of"
    values: tuple[Scalar, ...]
    open_ended: bool = False


class Counter(_Rule):
    """A count per user that the event itself moves; a step of 0 shows what others move.

    Attributes:
        start: value before the first event.
        max: where it stops; None is nowhere.
    """

    kind: Literal["counter"] = "counter"
    start: float
    step: float
    max: float | None = None


class SharedCounter(_Rule):
    """The count of the property of this name that another event started, moved by `step` first."""

    kind: Literal["shared_counter"] = "shared_counter"
    step: float


class Balance(_Rule):
    """A running balance per user, and per value of `group_by`, moved by another property of the same event.

    Attributes:
        source: dotted name of the property that moves it.
        group_by: dotted name of the property that tells balances apart; None is one balance.
    """

    kind: Literal["balance"] = "balance"
    start: float
    source: str
    group_by: str | None = None


class TrueFirst(_Rule):
    """True at a user's first event of the kind, false from then on."""

    kind: Literal["true_first"] = "true_first"


class CopyOf(_Rule):
    """The value of an id: `#account_id` or `#distinct_id`."""

    kind: Literal["copy_of"] = "copy_of"
    source: str


class Rows(_Rule):
    """How many objects a list of objects has."""

    kind: Literal["rows"] = "rows"
    count: int = Field(ge=1)


class FromEvent(_Rule):
    """What an event tells of a user.

    Attributes:
        event: name of the event.
        property: dotted name of its property; `#time` is when it happened.
        aggregate: first or last value, sum, number of events (`cnt`), number of days with one (`daycnt`);
            `equal` is the last value, of common properties.
        where_key: value of the first property of the object (such as an item's id) to look at; None is any.
    """

    kind: Literal["from_event"] = "from_event"
    event: str
    property: str
    aggregate: Literal["first", "last", "sum", "cnt", "daycnt", "equal"]
    where_key: str | None = None


class Example(_Rule):
    """A sample value, given as text."""

    kind: Literal["example"] = "example"
    text: str


ValueRule = Annotated[
    Between | OneOf | Counter | SharedCounter | Balance | TrueFirst | CopyOf | Rows | FromEvent | Example,
    Field(discriminator="kind"),
]
