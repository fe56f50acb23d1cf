"""Logs for tests that no generator of the product made: lines written by hand, and a stall whose truths are planted
with plain random numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from gamestats_assets.demo_data.rules.model import (
    SEGMENTS,
    Activity,
    EventConstraints,
    EventSequence,
    PropertyConstraint,
    Rules,
    SegmentAnalysis,
    Step,
    ValueRange,
)
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy

START = date(2026, 1, 1)
"""A Thursday."""

TAXONOMY = Taxonomy(
    name="stall",
    events=(
        Event(name="join"),
        Event(
            name="look",
            properties=(
                Property(name="colour", type=PropertyType.STRING),
                Property(name="price", type=PropertyType.NUMBER),
            ),
        ),
        Event(
            name="cart",
            properties=(
                Property(
                    name="items",
                    type=PropertyType.OBJECT_GROUP,
                    properties=(Property(name="count", type=PropertyType.NUMBER),),
                ),
            ),
        ),
        Event(
            name="pay",
            properties=(
                Property(name="price", type=PropertyType.NUMBER),
                Property(name="is_gift", type=PropertyType.BOOLEAN),
            ),
        ),
        Event(name="talk"),
    ),
    user_properties=(Property(name="age", type=PropertyType.NUMBER),),
)

RULES = Rules(
    event_constraints=EventConstraints(
        once=["join"],
        sequences=[
            EventSequence(
                name="purchase",
                kind="funnel",
                steps=[
                    Step(events=["look"]),
                    Step(events=["cart"], probability=0.5),
                    Step(events=["pay"], probability=0.4),
                ],
            )
        ],
        prerequisites={"talk": ["pay"]},
    ),
    property_constraints={"colour": PropertyConstraint(values=["red", "blue"], weights=[3, 1])},
    value_ranges={
        "price": ValueRange(min=0, max=100, mean=20, spread=10, integer=False),
        "items.count": ValueRange(min=1, max=5, mean=2),
    },
    segment_analysis={name: SegmentAnalysis(activity=Activity(daily_probability=0.5)) for name in SEGMENTS},
)

_numbers = count(1)


def record(user: str, at: str, name: str, /, **properties: Any) -> dict[str, Any]:
    """An event of a user; the time as `2026-01-01 10:00:00`."""
    return {
        "#distinct_id": user, "#type": "track", "#time": f"{at}.000", "#event_name": name,
        "#uuid": f"uuid-{next(_numbers)}", "properties": {"#os": "iOS", "#country_code": "KR", **properties},
    }  # fmt: skip


def write(folder: Path, day: int, lines: Iterable[Mapping[str, Any] | str]) -> Path:
    """Write the file of a day of January 2026: records, or lines as they are."""
    path = folder / f"logs_202601{day:02}.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def write_by_day(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write records in the order of time, each into the file of its day."""
    by_day: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for found in sorted(records, key=lambda found: found["#time"]):
        by_day[int(found["#time"][8:10])].append(found)
    for day, of_day in by_day.items():
        write(folder, day, of_day)


# --------------------------------------------------------------------------- planted

CURVE = {1: 0.5, 3: 0.35, 7: 0.2}
WEEKDAY = [1.0, 1.0, 1.0, 1.1, 1.3, 2.0, 1.8]
LOOK_TO_CART, RATE_A, RATE_B = 0.4, 0.3, 0.39
RATES = {
    "late": 0.03, "duplicate": 0.02, "out_of_order": 0.03, "null": 0.02, "schema_drift": 0.03, "unknown_event": 0.01,
    "truncated": 0.01,
}  # fmt: skip
DAYS = 14


def planted_stall(seed: int, users: int) -> list[dict[str, Any]]:
    """Two weeks of a stall: half of the users join within them and come again by `CURVE`, the others were there
    before and come by weekday, keen ones more than others, some of them leaving for good.
    """
    random = np.random.default_rng(seed)
    curve = np.interp(np.arange(DAYS), [0, *CURVE], [1, *CURVE.values()])
    level = np.array([WEEKDAY[(START + timedelta(days=day)).weekday()] for day in range(DAYS)]) / max(WEEKDAY)
    records: list[dict[str, Any]] = []
    for user in range(users):
        name, variant = f"user-{user}", "AB"[random.integers(2)]
        if user % 2:
            joined = int(random.integers(DAYS))
            days = [day for day in range(joined, DAYS) if random.random() < curve[day - joined]]
        else:
            joined, keen, leaves = -1, random.beta(4, 2), random.geometric(0.03)
            days = [day for day in range(DAYS) if day < leaves and random.random() < keen * level[day]]
        for day in days:
            at = datetime.combine(START, datetime.min.time()) + timedelta(days=day, seconds=random.uniform(0, 80_000))
            names = ["join"] if day == joined else []
            for _ in range(random.geometric(0.5)):
                names.append("look")
                if random.random() < LOOK_TO_CART:
                    names.append("cart")
                    if random.random() < (RATE_A if variant == "A" else RATE_B):
                        names.append("pay")
            for event in names:
                records.append(
                    record(name, f"{at:%Y-%m-%d %H:%M:%S}", event, ab_test=f"till:{variant}", **_told(event))
                )
                at += timedelta(seconds=random.uniform(5, 60))
    return records


def _told(event: str) -> dict[str, Any]:
    return {
        "look": {"colour": "red", "price": 10},
        "cart": {"items": [{"count": 2}]},
        "pay": {"price": 10, "is_gift": False},
    }.get(event, {})


def write_soiled(folder: Path, records: Sequence[dict[str, Any]], seed: int) -> None:
    """Write records with dirt at `RATES`; those without properties of their own cannot have a null."""
    random = np.random.default_rng(seed)
    kinds, bounds = list(RATES), np.cumsum(list(RATES.values()))
    lines: list[tuple[int, str, str]] = []
    for found in records:
        drawn = int(np.searchsorted(bounds, random.random(), side="right"))
        kind = kinds[drawn] if drawn < len(kinds) else "clean"
        day, stands_at, properties = int(found["#time"][8:10]), found["#time"], found["properties"]
        if kind == "null" and found["#event_name"] != "join":
            properties["items" if "items" in properties else "price"] = None
        elif kind == "schema_drift":
            properties |= {"price": "10"} if "price" in properties else {"undeclared": 1}
        elif kind == "unknown_event":
            found["#event_name"] = "nonsense"
        line = json.dumps(found)
        if kind == "truncated":
            line = line[: len(line) // 2]
        elif kind in ("out_of_order", "duplicate"):
            later = datetime.fromisoformat(stands_at) + timedelta(seconds=random.uniform(0, 3600))
            moved = f"{later:%Y-%m-%d %H:%M:%S.%f}" if later.day == day else f"{stands_at[:10]} 24"
            if kind == "duplicate":
                lines.append((day, moved, line))
            else:
                stands_at = moved
        elif kind == "late":
            day += int(random.integers(1, 4))
        lines.append((day, stands_at, line))
    by_day: defaultdict[int, list[str]] = defaultdict(list)
    for day, _, line in sorted(lines):
        by_day[day].append(line)
    for day, of_day in by_day.items():
        write(folder, day, of_day)
