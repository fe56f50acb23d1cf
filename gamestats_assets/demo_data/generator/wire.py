"""Records as ThinkingData's receivers take them: one JSON object per line.

Ids, address, type, time, name and `#uuid` stand at the root, everything else in `properties`. What never
changes of a user is put together once and repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.behaviour import Happenings, Sessions
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import Numbers, Times, as_json, hex_texts, time_texts
from gamestats_assets.demo_data.generator.properties import Properties
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.users import Users
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode

UNKNOWN_EVENT = "undeclared_event"
UNKNOWN_PROPERTY = "undeclared_property"
_HOUR_MS = 3_600_000
_RECORDS = 8
"""Places for records of one event: itself, and the changes of the user that it brings."""
DIRTS = ("late", "duplicate", "out_of_order", "null", "schema_drift", "unknown_event", "truncated")

SCHEMA: Mapping[str, pl.DataType] = {
    "file_day": pl.Int32(),
    "sort_ms": pl.Int64(),
    "user": pl.UInt64(),
    "record": pl.Int64(),
    "line": pl.String(),
}
"""Columns of lines: day of the run in whose file the line stands, and what orders it there."""


def lines(
    plan: Blueprint,
    streams: Streams,
    users: Users,
    sessions: Sessions,
    happened: Happenings,
    at_ms: Array,
    ordinal: Array,
    properties: Properties,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every record of some users as lines, and what they amount to.

    Returns:
        Lines with the columns of `SCHEMA`, in no order; and counts by `type`, `name` and `segment`.
    """
    dirt = _dirt(plan, streams, users, happened, ordinal)
    network = users.network(streams, sessions.user, sessions.number)
    parts: list[pl.DataFrame] = []
    counts: list[pl.DataFrame] = []
    for event in plan.event_names:
        rows = properties.rows_of(event)
        if not rows.size:
            continue
        user = happened.user[rows]
        own = dirt[rows] if dirt is not None else None
        text = _event_lines(plan, streams, users, happened, network, event, rows, at_ms, ordinal, properties, own)
        parts.append(_placed(plan, users, text, user, at_ms[rows], ordinal[rows] * _RECORDS))
        counts.append(_counted("track", event, users, user))
    if dirt is not None and parts:
        every = np.concatenate(
            [properties.rows_of(event) for event in plan.event_names if properties.rows_of(event).size]
        )
        parts = [
            _soiled(plan, streams, pl.concat(parts), dirt[every], users.number[happened.user[every]], ordinal[every])
        ]
    for mode, row, fragment in user_changes(plan, users, happened, at_ms, properties):
        user = happened.user[row]
        slot = list(UpdateMode).index(mode) + 1
        text = _user_lines(streams, users, happened, mode, row, slot, at_ms, ordinal, fragment)
        parts.append(_placed(plan, users, text, user, at_ms[row], ordinal[row] * _RECORDS + slot))
        counts.append(_counted(mode.value, "", users, user))
    empty = pl.DataFrame(schema=dict(SCHEMA))
    tally = pl.DataFrame(schema={"type": pl.String, "name": pl.String, "segment": pl.Int64, "records": pl.UInt32})
    return pl.concat([empty, *parts]), pl.concat([tally, *counts])


def _counted(type_: str, name: str, users: Users, user: Array) -> pl.DataFrame:
    segment = pl.DataFrame({"segment": users.segment[user]}).group_by("segment").len("records")
    return segment.select(pl.lit(type_).alias("type"), pl.lit(name).alias("name"), "segment", "records")


def _placed(plan: Blueprint, users: Users, text: pl.Series, user: Array, at_ms: Array, record: Array) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "file_day": pl.Series((at_ms - plan.start_ms) // DAY_MS).cast(pl.Int32),
            "sort_ms": at_ms,
            "user": users.number[user],
            "record": record,
            "line": text,
        }
    )


def _uuid(streams: Streams, users: Users, user: Array, record: Array) -> pl.Series:
    number = users.number[user]
    return hex_texts(
        streams.bits("uuid", number, record * 2), streams.bits("uuid", number, record * 2 + 1), dashes=True
    )


# --------------------------------------------------------------------------- events


def _event_lines(
    plan: Blueprint,
    streams: Streams,
    users: Users,
    happened: Happenings,
    network: Array,
    event: str,
    rows: Array,
    at_ms: Array,
    ordinal: Array,
    properties: Properties,
    dirt: Array | None,
) -> pl.Series:
    user = happened.user[rows]
    size = len(users)
    name = as_json(event)
    pieces: list[pl.Expr] = [
        pl.lit(users.heads.gather((user + happened.has_account[rows] * size).astype(np.uint32))),
        pl.lit('track","#time":"'),
        pl.lit(time_texts(at_ms[rows])),
    ]
    if dirt is None:
        pieces.append(pl.lit(f'","#event_name":{name},"#uuid":"'))
    else:
        unknown = (dirt == DIRTS.index("unknown_event")).astype(np.uint32)
        pieces += [
            pl.lit('","#event_name":'),
            pl.lit(pl.Series([name, as_json(UNKNOWN_EVENT)]).gather(unknown)),
            pl.lit(',"#uuid":"'),
        ]
    pieces += [
        pl.lit(_uuid(streams, users, user, ordinal[rows] * _RECORDS)),
        pl.lit('","properties":{'),
        pl.lit(users.presets.gather((user + network[happened.session[rows]] * size).astype(np.uint32))),
    ]
    declared = properties.properties_of(event)
    nulled = _which_property(dirt, "null", len(declared), ordinal[rows])
    drifted = _which_property(dirt, "schema_drift", len(_numbers(declared)), ordinal[rows])
    for place, (given, found) in enumerate(declared.items()):
        text = properties.column(event, given).json()
        if nulled is not None:
            text = _where(nulled == place, pl.Series(["null"]), text)
        if drifted is not None and given in _numbers(declared):
            drifts = drifted == _numbers(declared).index(given)
            text = _where(drifts, pl.select(pl.concat_str(pl.lit('"'), pl.lit(text), pl.lit('"'))).to_series(), text)
        pieces += [pl.lit(f",{as_json(found.name)}:"), pl.lit(text)]
    if drifted is not None and not _numbers(declared):
        added = pl.Series(["", f',"{UNKNOWN_PROPERTY}":"x"']).gather((drifted == 0).astype(np.uint32))
        pieces.append(pl.lit(added))
    pieces.append(pl.lit("}}\n"))
    return pl.select(pl.concat_str(*pieces)).to_series()


def _numbers(declared: Mapping[str, Property]) -> list[str]:
    return [name for name, found in declared.items() if found.type is PropertyType.NUMBER]


def _which_property(dirt: Array | None, kind: str, count: int, ordinal: Array) -> Array | None:
    """Which property of each dirty row is hit; -1 of the others."""
    if dirt is None or not (dirt == DIRTS.index(kind)).any():
        return None
    return np.where(dirt == DIRTS.index(kind), ordinal % max(count, 1), -1)


def _where(chosen: Array, one: pl.Series, other: pl.Series) -> pl.Series:
    if not chosen.any():
        return other
    return pl.select(pl.when(pl.lit(pl.Series(chosen))).then(pl.lit(one)).otherwise(pl.lit(other))).to_series()


# --------------------------------------------------------------------------- changes of users


def _mode(given: Property, kinds: set[str]) -> UpdateMode:
    """How a user property is sent: as the sheet says, or as it changes."""
    if given.update is not None:
        return given.update
    if kinds == {"set_once"}:
        return UpdateMode.SET_ONCE
    if kinds == {"increment"} and given.type is PropertyType.NUMBER:
        return UpdateMode.ADD
    return UpdateMode.SET


def user_changes(
    plan: Blueprint, users: Users, happened: Happenings, at_ms: Array, properties: Properties
) -> list[tuple[UpdateMode, Array, pl.Series]]:
    """What the events change of the users: by mode, the rows after which it is told and what.

    At a user's first event with an account within the run the properties that hold by then are told, later
    only what changed.

    Returns:
        Mode, rows in order, and the inside of the properties' object for each.
    """
    found: dict[UpdateMode, list[pl.DataFrame]] = {}
    first = _first_rows(happened)
    for name, given in plan.user_properties.items():
        updates = plan.updates.get(name, ())
        mode = _mode(given, {update.type for _, update in updates})
        if updates:
            rows, texts = _changes(users, happened, properties, name, mode, first)
        else:
            column = properties.user_column(name, given)
            rows, texts = first, column.json().gather(happened.user[first])
        if rows.size:
            fragment = pl.select(pl.concat_str(pl.lit(f"{as_json(name)}:"), pl.lit(texts))).to_series()
            found.setdefault(mode, []).append(pl.DataFrame({"row": rows, "fragment": fragment}))
    changes: list[tuple[UpdateMode, Array, pl.Series]] = []
    for mode, frames in found.items():
        whole = pl.concat(frames).group_by("row", maintain_order=True).agg(pl.col("fragment").str.join(","))
        whole = whole.sort("row")
        changes.append((mode, whole["row"].to_numpy(), whole["fragment"]))
    return changes


def _first_rows(happened: Happenings) -> Array:
    """Each user's first event with an account."""
    rows = np.flatnonzero(happened.has_account)
    user = happened.user[rows]
    first = np.ones(rows.size, bool)
    first[1:] = user[1:] != user[:-1]
    return rows[first]


def _changes(
    users: Users, happened: Happenings, properties: Properties, name: str, mode: UpdateMode, first: Array
) -> tuple[Array, pl.Series]:
    state = properties.state(name)
    if state.texts is not None:
        changed = np.ones(state.rows.size, bool)
        if mode is not UpdateMode.SET_ONCE:
            same_user = happened.user[state.rows][1:] == happened.user[state.rows][:-1]
            same = (state.texts == state.texts.shift(1)).fill_null(False).to_numpy()
            changed[1:] = ~(same_user & same[1:])
        changed &= happened.has_account[state.rows]
        rows = state.rows[changed]
        # What was known of a user before the run is told first, unless the first event itself changes it.
        known = state.known_texts().gather(happened.user[first])
        opens = known.is_not_null().to_numpy() & ~np.isin(first, rows)
        every = np.concatenate([rows, first[opens]])
        order = np.argsort(every, kind="stable")
        told = pl.concat([state.texts.filter(pl.Series(changed)), known.filter(pl.Series(opens))])
        return every[order], told.gather(order)
    changed = (state.was != state.becomes) & happened.has_account[state.rows]
    told = state.becomes - state.was if mode is UpdateMode.ADD else state.becomes
    rows, values = state.rows[changed], told[changed]
    # What a user had before the run; a first event that itself changes it tells the whole.
    held = state.before(first)
    opening = first[(held != 0) & ~np.isnan(held)]
    if mode is UpdateMode.ADD:
        both = np.isin(opening, rows)
        at = np.searchsorted(rows, opening[both])
        values[at] += state.before(opening[both])
        opening = opening[~both]
    else:
        opening = opening[~np.isin(opening, rows)]
    rows = np.concatenate([rows, opening])
    values = np.concatenate([values, state.before(opening)])
    order = np.argsort(rows, kind="stable")
    type_ = properties.plan.user_properties[name].type
    column = (
        Times((values[order] * 1000).astype(np.int64))
        if type_ is PropertyType.TIME
        else Numbers(values[order], state.decimals)
    )
    return rows[order], column.json()


def _user_lines(
    streams: Streams,
    users: Users,
    happened: Happenings,
    mode: UpdateMode,
    rows: Array,
    slot: int,
    at_ms: Array,
    ordinal: Array,
    fragment: pl.Series,
) -> pl.Series:
    user = happened.user[rows]
    return pl.select(
        pl.concat_str(
            pl.lit(users.heads.gather((user + len(users)).astype(np.uint32))),
            pl.lit(f'{mode.value}","#time":"'),
            pl.lit(time_texts(at_ms[rows])),
            pl.lit('","#uuid":"'),
            pl.lit(_uuid(streams, users, user, ordinal[rows] * _RECORDS + slot)),
            pl.lit('","properties":{'),
            pl.lit(fragment),
            pl.lit("}}\n"),
        )
    ).to_series()


# --------------------------------------------------------------------------- dirt


def _dirt(plan: Blueprint, streams: Streams, users: Users, happened: Happenings, ordinal: Array) -> Array | None:
    """The number of each event's kind of dirt, -1 for clean ones; None when everything is clean."""
    wanted = plan.configuration.dirt
    if not wanted.total:
        return None
    totals = np.cumsum([getattr(wanted, name) for name in DIRTS])
    drawn = streams.uniform("dirt", users.number[happened.user], ordinal)
    kind = np.searchsorted(totals, drawn, side="right")
    return np.where(kind < len(DIRTS), kind, -1)


def _soiled(
    plan: Blueprint, streams: Streams, frame: pl.DataFrame, dirt: Array, number: Array, ordinal: Array
) -> pl.DataFrame:
    """Lines that come late, twice, out of order or cut."""
    drawn = streams.uniform("dirt by how much", number, ordinal)
    frame = frame.with_columns(dirt=pl.Series(dirt), drawn=pl.Series(drawn))
    is_kind = {name: pl.col("dirt") == place for place, name in enumerate(DIRTS)}
    night = (pl.col("file_day") + 1).cast(pl.Int64) * DAY_MS + plan.start_ms - 1
    moved = pl.min_horizontal(pl.col("sort_ms") + (1 + pl.col("drawn") * _HOUR_MS).cast(pl.Int64), night)
    days_later = (1 + (pl.col("drawn") * 3).floor()).cast(pl.Int32)
    copies = frame.filter(is_kind["duplicate"]).with_columns(sort_ms=moved, record=pl.col("record") + _RECORDS - 1)
    changed = frame.with_columns(
        file_day=pl.when(is_kind["late"]).then(pl.col("file_day") + days_later).otherwise("file_day"),
        sort_ms=pl.when(is_kind["late"])
        .then(pl.col("sort_ms") + days_later.cast(pl.Int64) * DAY_MS)
        .when(is_kind["out_of_order"])
        .then(moved)
        .otherwise("sort_ms"),
        line=pl.when(is_kind["truncated"])
        .then(pl.col("line").str.head((pl.col("line").str.len_chars() * 0.6).cast(pl.UInt32)) + "\n")
        .otherwise("line"),
    )
    return pl.concat([changed, copies]).select(*SCHEMA)
