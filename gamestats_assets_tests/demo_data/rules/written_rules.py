"""Value rules as tests write them."""

from __future__ import annotations

from gamestats_assets.demo_data.taxonomies.value_rules import Between, FromEvent, OneOf, OneOfEach


def decimals(low: float, high: float) -> Between:
    return Between(min=low, max=high, integer=False)


def whole(low: float, high: float) -> Between:
    return Between(min=low, max=high, integer=True)


def one_of(*values: bool | int | float | str) -> OneOf:
    return OneOf(values=values)


def some_of(*values: bool | int | float | str) -> OneOf:
    return OneOf(values=values, open_ended=True)


def told(event: str, name: str, aggregate: str, where_key: str | None = None) -> FromEvent:
    return FromEvent.model_validate(
        {"event": event, "property": name, "aggregate": aggregate, "where_key": where_key},
    )


def each(_on: str = "", /, **values: tuple[bool | int | float | str, ...]) -> OneOfEach:
    return OneOfEach(on=_on, values=tuple(values.items()))
