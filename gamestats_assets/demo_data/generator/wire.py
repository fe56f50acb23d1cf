"""Records as ThinkingData's receivers take them: one JSON object per line.

Ids, address, type, time, name and `#uuid` stand at the root, everything else in `properties`. What is the same
throughout a session is put together once and repeated.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from gamestats_assets.demo_data import locales
from gamestats_assets.demo_data.generator.behaviour import Happenings, History
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import Coded, Column, Numbers, Times, as_json, hex_texts, time_texts
from gamestats_assets.demo_data.generator.properties import Properties
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.users import Users, app_versions, home_countries
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode

UNKNOWN_EVENT = "undeclared_event"
UNKNOWN_PROPERTY = "undeclared_property"
_HOUR_MS = 3_600_000
_NETWORKS = ("WIFI", "5G", "4G")
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


def lines(history: History) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every record of some users as lines, and what they amount to.

    Returns:
        Lines with the columns of `SCHEMA`, in no order; and counts by `type`, `name` and `segment`.
    """
    properties = Properties(history)
    writer = _Writer(history, properties)
    users, user = history.users, history.happened.user
    parts: list[pl.DataFrame] = []
    counts: list[pl.DataFrame] = []
    every = [rows for event in history.plan.event_names if (rows := properties.rows_of(event)).size]
    for event in history.plan.event_names:
        rows = properties.rows_of(event)
        if rows.size:
            parts.append(writer.placed(writer.event_lines(event), rows, 0))
            counts.append(_counted("track", event, users, user[rows]))
    if writer.dirt is not None and parts:
        parts = [_soiled(history, pl.concat(parts), writer.dirt, np.concatenate(every))]
    for mode, rows, fragment in user_changes(properties):
        slot = list(UpdateMode).index(mode) + 1
        parts.append(writer.placed(writer.user_lines(mode, rows, slot, fragment), rows, slot))
        counts.append(_counted(mode.value, "", users, user[rows]))
    empty = pl.DataFrame(schema=dict(SCHEMA))
    tally = pl.DataFrame(schema={"type": pl.String, "name": pl.String, "segment": pl.Int64, "records": pl.UInt32})
    return pl.concat([empty, *parts]), pl.concat([tally, *counts])


def _counted(type_: str, name: str, users: Users, user: Array) -> pl.DataFrame:
    segment = pl.DataFrame({"segment": users.segment[user]}).group_by("segment").len("records")
    return segment.select(pl.lit(type_).alias("type"), pl.lit(name).alias("name"), "segment", "records")


# --------------------------------------------------------------------------- lines


class _Writer:
    """Puts lines together.

    Attributes:
        dirt: the number of each event's kind of dirt, -1 for clean ones; None when everything is clean.
    """

    def __init__(self, history: History, properties: Properties) -> None:
        self._history, self._properties = history, properties
        self._heads, self._presets = _of_sessions(history)
        self.dirt = _dirt(history)

    def placed(self, text: pl.Series, rows: Array, slot: int) -> pl.DataFrame:
        """The lines of some rows, with the columns of `SCHEMA`."""
        of, at_ms = self._history, self._history.at_ms[rows]
        return pl.DataFrame(
            {
                "file_day": pl.Series((at_ms - of.plan.start_ms) // DAY_MS).cast(pl.Int32),
                "sort_ms": at_ms,
                "user": of.users.number[of.happened.user[rows]],
                "record": of.ordinal[rows] * _RECORDS + slot,
                "line": text,
            }
        )

    def event_lines(self, event: str) -> pl.Series:
        """Every record of an event."""
        happened, rows = self._history.happened, self._properties.rows_of(event)
        dirt = self.dirt[rows] if self.dirt is not None else None
        name: pl.Expr = pl.lit(as_json(event))
        if dirt is not None:
            unknown = (dirt == DIRTS.index("unknown_event")).astype(np.uint32)
            name = pl.lit(pl.Series([as_json(event), as_json(UNKNOWN_EVENT)]).gather(unknown))
        pieces = [
            *self._begin("track", rows, happened.has_account[rows]),
            pl.lit('","#event_name":'), name, pl.lit(',"#uuid":"'), pl.lit(self._uuid(rows, 0)),
            pl.lit('","properties":{'), pl.lit(self._presets.gather(happened.session[rows].astype(np.uint32))),
        ]  # fmt: skip
        declared = self._properties.properties_of(event)
        ordinal = self._history.ordinal[rows]
        nulled = _which_property(dirt, "null", len(declared), ordinal)
        drifted = _which_property(dirt, "schema_drift", len(_numbers(declared)), ordinal)
        for place, (given, found) in enumerate(declared.items()):
            text = self._properties.column(event, given).json()
            if nulled is not None:
                text = _where(nulled == place, pl.Series(["null"]), text)
            if drifted is not None and given in _numbers(declared):
                drifts = drifted == _numbers(declared).index(given)
                quoted = pl.select(pl.concat_str(pl.lit('"'), pl.lit(text), pl.lit('"'))).to_series()
                text = _where(drifts, quoted, text)
            pieces += [pl.lit(f",{as_json(found.name)}:"), pl.lit(text)]
        if drifted is not None and not _numbers(declared):
            added = pl.Series(["", f',"{UNKNOWN_PROPERTY}":"x"']).gather((drifted == 0).astype(np.uint32))
            pieces.append(pl.lit(added))
        return pl.select(pl.concat_str(*pieces, pl.lit("}}\n"))).to_series()

    def user_lines(self, mode: UpdateMode, rows: Array, slot: int, fragment: pl.Series) -> pl.Series:
        """Records of what events change of users.

        Args:
            slot: place of the record among those of its event.
            fragment: the inside of the properties' object.
        """
        pieces = [
            *self._begin(mode.value, rows, np.ones(rows.size, bool)),
            pl.lit('","#uuid":"'), pl.lit(self._uuid(rows, slot)),
            pl.lit('","properties":{'), pl.lit(fragment), pl.lit("}}\n"),
        ]  # fmt: skip
        return pl.select(pl.concat_str(*pieces)).to_series()

    def _begin(self, type_: str, rows: Array, has_account: Array) -> list[pl.Expr]:
        """Ids, address, type and time."""
        sessions = self._history.sessions.user.size
        head = (self._history.happened.session[rows] + has_account * sessions).astype(np.uint32)
        told = pl.lit(time_texts(self._history.at_ms[rows]))
        return [pl.lit(self._heads.gather(head)), pl.lit(f'{type_}","#time":"'), told]

    def _uuid(self, rows: Array, slot: int) -> pl.Series:
        streams, number = self._history.streams, self._history.users.number[self._history.happened.user[rows]]
        record = (self._history.ordinal[rows] * _RECORDS + slot) * 2
        return hex_texts(streams.bits("uuid", number, record), streams.bits("uuid", number, record + 1), dashes=True)


def _of_sessions(history: History) -> tuple[pl.Series, pl.Series]:
    """What every record of a session repeats.

    Returns:
        The beginning of its lines, ids and address: of all sessions without the account, then of all with it; and what
        the SDK adds to the properties of every event.
    """
    plan, users, sessions = history.plan, history.users, history.sessions
    user, number = sessions.user, users.number[sessions.user]
    network = history.streams.choice("network", number, sessions.number, [0.58, 0.8, 1.0])
    network = np.where(users.shares_address[user], 0, network)
    # At home it is always the same address, on the way another one each time.
    drawn = history.streams.uniform("address", users.host[user], np.where(network == 0, 0, sessions.number + 1))
    pieces = {
        "account": pl.lit(users.account_texts.gather(user)),
        "distinct": pl.lit(users.distinct_texts.gather(user)),
        "ip": pl.lit(_addresses(users.country.take(user), drawn)),
    }
    rest = (pl.lit('#distinct_id":"'), pieces["distinct"], pl.lit('","#ip":"'), pieces["ip"], pl.lit('","#type":"'))
    heads = pl.select(
        without=pl.concat_str(pl.lit('{"'), *rest),
        with_account=pl.concat_str(pl.lit('{"#account_id":"'), pieces["account"], pl.lit('","'), *rest),
    )
    known: dict[str, Column] = {
        "#os": users.os.take(user),
        "#os_version": users.os_version.take(user),
        "#manufacturer": users.manufacturer.take(user),
        "#device_model": users.device_model.take(user),
        "#app_version": app_versions(users.release(user, sessions.day)),
        "#country": users.country_name.take(user),
        "#country_code": users.country.take(user),
        "#carrier": users.carrier.take(user),
        "#system_language": users.language.take(user),
    }
    if plan.experiment is not None:
        name = plan.experiment.name
        known["ab_test"] = Coded(users.variant[user], (f"{name}:A", f"{name}:B"))
    known |= {"#network_type": Coded(network, _NETWORKS), "#zone_offset": Coded(np.zeros_like(network), (0,))}
    declared = {name for of_event in plan.properties_of.values() for name in of_event}
    told = [pl.concat_str(pl.lit(f'"{n}":'), pl.lit(c.json())) for n, c in known.items() if n not in declared]
    presets = pl.select(pl.concat_str(*told, separator=",")).to_series()
    return pl.concat([heads["without"], heads["with_account"]]), presets


def home_addresses(plan: Blueprint, streams: Streams, host: Array) -> pl.Series:
    """The addresses of users at home, by the numbers of their hosts."""
    return _addresses(home_countries(plan, streams, host), streams.uniform("address", host, 0))


def _addresses(country: Coded, drawn: Array) -> pl.Series:
    """Public IPv4 addresses of countries."""
    texts = np.empty(drawn.size, object)
    for place, code in enumerate(country.values):
        own = country.codes == place
        texts[own] = locales.ip_addresses(str(code), drawn[own])
    return pl.Series(texts.tolist(), dtype=pl.String)


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


def user_changes(properties: Properties) -> list[tuple[UpdateMode, Array, pl.Series]]:
    """What the events change of the users: by mode, the rows after which it is told and what.

    At a user's first event with an account within the run the properties that hold by then are told, later
    only what changed.

    Returns:
        Mode, rows in order, and the inside of the properties' object for each.
    """
    found: dict[UpdateMode, list[pl.DataFrame]] = {}
    happened = properties.happened
    first = _first_rows(happened)
    for name, given in properties.plan.user_properties.items():
        updates = properties.plan.updates.get(name, ())
        mode = _mode(given, {update.type for _, update in updates})
        if updates:
            rows, texts = _changes(properties, name, mode, first)
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


def _changes(properties: Properties, name: str, mode: UpdateMode, first: Array) -> tuple[Array, pl.Series]:
    happened, state = properties.happened, properties.state(name)
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


# --------------------------------------------------------------------------- dirt


def _dirt(of: History) -> Array | None:
    """The number of each event's kind of dirt, -1 for clean ones; None when everything is clean."""
    wanted = of.plan.configuration.dirt
    if not wanted.total:
        return None
    totals = np.cumsum([getattr(wanted, name) for name in DIRTS])
    drawn = of.streams.uniform("dirt", of.users.number[of.happened.user], of.ordinal)
    kind = np.searchsorted(totals, drawn, side="right")
    return np.where(kind < len(DIRTS), kind, -1)


def _soiled(of: History, frame: pl.DataFrame, dirt: Array, rows: Array) -> pl.DataFrame:
    """Lines that come late, twice, out of order or cut; `rows` are theirs."""
    number = of.users.number[of.happened.user[rows]]
    drawn = of.streams.uniform("dirt by how much", number, of.ordinal[rows])
    frame = frame.with_columns(dirt=pl.Series(dirt[rows]), drawn=pl.Series(drawn))
    is_kind = {name: pl.col("dirt") == place for place, name in enumerate(DIRTS)}
    night = (pl.col("file_day") + 1).cast(pl.Int64) * DAY_MS + of.plan.start_ms - 1
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
