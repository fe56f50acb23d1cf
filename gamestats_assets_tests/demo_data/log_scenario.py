"""Logs by hand, and every table that they give."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from gamestats_assets.demo_data import tables as t
from gamestats_assets.demo_data.activity.days import payments, sessions, user_days
from gamestats_assets.demo_data.activity.funnel_progress import funnel_progress, funnel_steps
from gamestats_assets.demo_data.activity.profiles import user_profiles
from gamestats_assets.demo_data.logs.landing import land_logs, landing_game
from gamestats_assets.demo_data.logs.records import DECODER
from gamestats_assets.lakehouse.landing.decoding import Decoded, decode_batches
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.quality import Rejection, screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets_tests.support.frames import Frames, rows_of, run_sql

LOGGED: tuple[type[Table], ...] = tuple(table for table in t.ALL if table.spec.made_by == "logs")
MODELS: tuple[type[Table], ...] = (
    t.Identities,
    t.ObservedProperties,
    t.ActiveDays,
    t.DailyActiveUsers,
    t.Retention,
    t.Funnels,
    t.Revenue,
    t.Segments,
)
# In the order in which they are made.
MADE: tuple[tuple[type[Table], Callable[..., Any] | None], ...] = (
    (t.Identities, None),
    (t.ObservedProperties, None),
    (t.Sessions, sessions),
    (t.Payments, payments),
    (t.UserDays, user_days),
    (t.FunnelSteps, funnel_steps),
    (t.FunnelProgress, funnel_progress),
    (t.ActiveDays, None),
    (t.UserProfiles, user_profiles),
    (t.DailyActiveUsers, None),
    (t.Retention, None),
    (t.Funnels, None),
    (t.Revenue, None),
    (t.Segments, None),
)
PRODUCT = "shop"
DAY = date(2026, 1, 10)


def at(clock: str, day: int = 0) -> datetime:
    """A time by the clock, some days after `DAY`."""
    return datetime.fromisoformat(f"{DAY + timedelta(days=day)} {clock}").replace(tzinfo=UTC)


def record(time: str, type: str = "track", name: str = "play", day: int = 0, **given: Any) -> dict[str, Any]:
    """A record of account `a` and device `d`; `given` are root keys without their #, and `properties`.

    A value of None leaves a key out.
    """
    written = time if len(time) > 8 else f"{time}.000"
    found: dict[str, Any] = {
        "#account_id": "a",
        "#distinct_id": "d",
        "#type": type,
        "#time": f"{DAY + timedelta(days=day)} {written}",
        **({"#event_name": name} if type.startswith("track") else {}),
        "properties": {},
    }
    for key, value in given.items():
        found[key if key == "properties" else f"#{key}"] = value
    return {key: value for key, value in found.items() if value is not None}


def lines(*records: Mapping[str, Any] | bytes) -> bytes:
    """Records as a log, one line each."""
    return b"".join(
        (r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode()) + b"\n" for r in records
    )


def log(folder: Path, *records: Mapping[str, Any] | bytes, name: str = "") -> Path:
    """A log file of `DAY`, unless the name tells another day."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (name or f"{DAY}.jsonl")
    file.write_bytes(lines(*records))
    return file


def landed(landing: Landing, product: str = PRODUCT) -> list[LandedFile]:
    """Every landed piece of a product."""
    game = landing_game(product)
    return [file for day in landing.days(game) for file in landing.files(game, day)]


def decoded(
    landing: Landing, files: Sequence[LandedFile], workers: int = 1
) -> tuple[dict[type[Table], pl.DataFrame], Decoded]:
    """Every bronze table of the files, and what else decoding them gave; each table keeps its declared rules."""
    with contextlib.closing(decode_batches(DECODER, landing, [files], workers=workers)) as results:
        found = next(results)
        frames = {table: found.frames[table].collect() for table in LOGGED}
    for table, frame in frames.items():
        assert frame.schema == table.schema(), table.__name__
        assert screen(table, frame).rejections == [], table.__name__
    return frames, found


def bronze(
    folder: Path, *logs: Path, product: str = PRODUCT
) -> tuple[dict[type[Table], pl.DataFrame], list[Rejection]]:
    """Every bronze table that logs give, landed under a folder, and what was rejected."""
    landing = Landing(folder / "landing")
    land_logs(logs, product, landing)
    frames, found = decoded(landing, landed(landing, product))
    return frames, found.rejections.get(t.Events, [])


def of_records(folder: Path, *records: Mapping[str, Any]) -> dict[type[Table], pl.DataFrame]:
    """Every bronze table of records that stand in one log, none of which is rejected."""
    frames, rejected = bronze(folder, log(folder / "logs", *records))
    assert rejected == []
    return frames


def product(**given: Any) -> pl.DataFrame:
    """Settings of the product: purchases are its payments."""
    usual = {
        "product": PRODUCT,
        "is_active": True,
        "is_generated": False,
        "payment_event": "purchase",
        "amount_property": "price",
        "currency_property": "currency",
        "currency": "USD",
    }
    return pl.DataFrame([usual | given], schema=t.Products.schema())


def rows(table: type[Table], *given: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of a table of the product on `DAY`: what is not given gets a default, null where it may be.

    `day` may be a number of days after `DAY`.
    """
    complete: list[dict[str, Any]] = []
    for row in given:
        values: dict[str, Any] = {"product": PRODUCT, "day": DAY} | dict(row)
        if isinstance(values["day"], int):
            values["day"] = DAY + timedelta(days=values["day"])
        values["product_day"] = f"{values['day']}|{values['product']}"
        complete.append(values)
    return rows_of(table, complete, typed={pl.String: "x", pl.Datetime: at("12:00:00"), pl.Date: DAY}, other=1)


def complete(given: Frames) -> dict[type[Table], pl.DataFrame]:
    """The given frames, and an empty one for every other table."""
    return {table: pl.DataFrame(schema=table.schema()) for table in t.ALL} | dict(given)


def derive(given: Frames) -> dict[type[Table], pl.DataFrame]:
    """Every table from the bronze ones; each keeps its declared rules."""
    known = complete(given)
    for table, function in MADE:
        known[table] = run_sql(table, known) if function is None else run(function, known)
        assert known[table].schema == table.schema(), table.__name__
        assert screen(table, known[table]).rejections == [], table.__name__
    return known


def run(function: Callable[..., Any], frames: Frames) -> pl.DataFrame:
    """What a function makes of the tables that it reads."""
    return function(**{name: frames[source].lazy() for name, source in table_inputs(function).items()}).collect()
