"""Records as ThinkingData's receivers accept them: one JSON object per line.

Ids, address, type, time, name and `#uuid` are at the root, everything else in `properties`. Parts that stay the same
within a session are built once and repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from gamestats_assets.demo_data.generator.behaviour import History
from gamestats_assets.demo_data.generator.blueprint import DAY_MS, Array, Blueprint
from gamestats_assets.demo_data.generator.columns import (
    Coded,
    as_json,
    as_written,
    hex_texts,
    in_object,
    moments,
    numbers,
    rounded,
    scattered,
    texts,
)
from gamestats_assets.demo_data.generator.properties import Properties
from gamestats_assets.demo_data.generator.random_streams import Streams
from gamestats_assets.demo_data.generator.state import begins
from gamestats_assets.demo_data.generator.users import app_versions, home_countries
from gamestats_assets.demo_data.reference import locales
from gamestats_assets.demo_data.taxonomies.model import Property, PropertyType, UpdateMode

UNKNOWN_EVENT = "undeclared_event"
UNKNOWN_PROPERTY = "undeclared_property"
_HOUR_MS = 3_600_000
_NETWORKS = ("WIFI", "5G", "4G")
_RECORDS = 8
"""Places for the records of one event: itself, and its changes of the user."""
DIRTS = ("late", "duplicate", "out_of_order", "null", "schema_drift", "unknown_event", "truncated")

SCHEMA: Mapping[str, pl.DataType] = {
    "file_day": pl.Int32(),
    "sort_ms": pl.Int64(),
    "user": pl.UInt64(),
    "record": pl.Int64(),
    "line": pl.String(),
}
"""Columns of lines: the day of the run whose file holds the line, and the sort order there."""


def lines(history: History) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns every record of a group of users as lines, with their counts.

    Returns:
        Lines with the columns of `SCHEMA`, in no order; and counts by `type`, `name` and `segment`.
    """
    properties = Properties(history)
    writer = _Writer(history, properties)
    events = [event for event in history.plan.event_names if properties.rows_of(event).size]
    parts = [writer.placed(writer.event_lines(event), properties.rows_of(event), 0) for event in events]
    if writer.dirt is not None and parts:
        rows = np.concatenate([properties.rows_of(event) for event in events])
        parts = [_soiled(history, pl.concat(parts), writer.dirt, rows)]
    counts = [writer.counted("track", event, properties.rows_of(event)) for event in events]
    for mode, rows, inside in _user_changes(properties):
        slot = list(UpdateMode).index(mode) + 1
        parts.append(writer.placed(writer.user_lines(mode, rows, slot, inside), rows, slot))
        counts.append(writer.counted(mode.value, "", rows))
    tally = pl.DataFrame(schema={"type": pl.String, "name": pl.String, "segment": pl.Int64, "records": pl.UInt32})
    return pl.concat([pl.DataFrame(schema=dict(SCHEMA)), *parts]), pl.concat([tally, *counts])


# --------------------------------------------------------------------------- lines


class _Writer:
    """Builds lines.

    Attributes:
        dirt: number of each event's kind of dirt, -1 for clean ones; None if everything is clean.
    """

    def __init__(self, history: History, properties: Properties) -> None:
        self._history, self._properties = history, properties
        self._heads, self._presets = _of_sessions(history)
        self.dirt = _dirt(history)

    def placed(self, text: pl.Series, rows: Array, slot: int) -> pl.DataFrame:
        """Returns the lines of these rows, with the columns of `SCHEMA`."""
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

    def counted(self, type_: str, name: str, rows: Array) -> pl.DataFrame:
        """Counts the records of a kind by the segment of their users."""
        times = np.bincount(self._history.users.segment[self._history.happened.user[rows]])
        segment = np.flatnonzero(times)
        columns = {"type": [type_] * segment.size, "name": [name] * segment.size, "segment": segment}
        return pl.DataFrame(columns | {"records": times[segment].astype(np.uint32)})

    def event_lines(self, event: str) -> pl.Series:
        """Returns every record of an event."""
        happened, rows = self._history.happened, self._properties.rows_of(event)
        declared = self._history.plan.properties_of[event]
        columns = {given.name: self._properties.column(event, name) for name, given in declared.items()}
        name = pl.lit(as_json(event))
        inside = in_object(columns) if columns else None
        if self.dirt is not None:
            kind, ordinal = self.dirt[rows], self._history.ordinal[rows]
            unknown = pl.Series(kind == DIRTS.index("unknown_event"))
            name = pl.when(pl.lit(unknown)).then(pl.lit(as_json(UNKNOWN_EVENT))).otherwise(name)
            inside = _damaged(columns, declared, inside, kind, ordinal)
        pieces = [
            *self._begin("track", rows, happened.has_account[rows]),
            pl.lit('","#event_name":'), name, pl.lit(',"#uuid":"'), pl.lit(self._uuid(rows, 0)),
            pl.lit('","properties":{'), pl.lit(self._presets.gather(happened.session[rows].astype(np.uint32))),
        ]  # fmt: skip
        pieces += [pl.lit(","), pl.lit(inside)] if inside is not None else []
        return pl.select(pl.concat_str(*pieces, pl.lit("}}\n"))).to_series()

    def user_lines(self, mode: UpdateMode, rows: Array, slot: int, inside: pl.Series) -> pl.Series:
        """Returns records of the changes of users by events.

        Args:
            slot: place of the record among those of its event.
            inside: inside of the properties' object.
        """
        pieces = [
            *self._begin(mode.value, rows, np.ones(rows.size, bool)),
            pl.lit('","#uuid":"'), pl.lit(self._uuid(rows, slot)),
            pl.lit('","properties":{'), pl.lit(inside), pl.lit("}}\n"),
        ]  # fmt: skip
        return pl.select(pl.concat_str(*pieces)).to_series()

    def _begin(self, type_: str, rows: Array, has_account: Array) -> list[pl.Expr]:
        """Returns ids, address, type and time."""
        head = (self._history.happened.session[rows] + has_account * self._presets.len()).astype(np.uint32)
        at = as_written(moments(self._history.at_ms[rows]))
        return [pl.lit(self._heads.gather(head)), pl.lit(f'{type_}","#time":"'), pl.lit(at)]

    def _uuid(self, rows: Array, slot: int) -> pl.Series:
        streams, number = self._history.streams, self._history.users.number[self._history.happened.user[rows]]
        record = (self._history.ordinal[rows] * _RECORDS + slot) * 2
        return hex_texts(streams.bits("uuid", number, record), streams.bits("uuid", number, record + 1), dashes=True)


def _of_sessions(history: History) -> tuple[pl.Series, pl.Series]:
    """Returns what every record of a session repeats.

    Returns:
        The beginning of its lines with ids and address: of all sessions without the account, then of all with it; and
        what the SDK adds to the properties of every event.
    """
    plan, users, sessions = history.plan, history.users, history.sessions
    user, number = sessions.user, users.number[sessions.user]
    network = history.streams.choice("network", number, sessions.number, [0.58, 0.8, 1.0])
    network = np.where(users.shares_address[user], 0, network)
    # At home the address is always the same, on the way another one each time.
    drawn = history.streams.uniform("address", users.host[user], np.where(network == 0, 0, sessions.number + 1))
    address = _addresses(Coded(users.country.codes[user], users.country.values), drawn)
    rest = (
        pl.lit('#distinct_id":"'), pl.lit(users.distincts.gather(user)),
        pl.lit('","#ip":"'), pl.lit(address), pl.lit('","#type":"'),
    )  # fmt: skip
    heads = pl.select(
        without=pl.concat_str(pl.lit('{"'), *rest),
        with_account=pl.concat_str(
            pl.lit('{"#account_id":"'), pl.lit(users.accounts.gather(user)), pl.lit('","'), *rest
        ),
    )
    known: dict[str, pl.Series] = {
        "#os": users.os.at(user),
        "#os_version": users.os_version.at(user),
        "#manufacturer": users.manufacturer.at(user),
        "#device_model": users.device_model.at(user),
        "#app_version": app_versions(users.release(user, sessions.day)).at(),
        "#country": users.country_name.at(user),
        "#country_code": users.country.at(user),
        "#carrier": users.carrier.at(user),
        "#system_language": users.language.at(user),
    }
    if plan.experiment is not None:
        variants = tuple(f"{plan.experiment.name}:{variant}" for variant in "AB")
        known["ab_test"] = Coded(users.variant, variants).at(user)
    known |= {"#network_type": Coded(network, _NETWORKS).at(), "#zone_offset": pl.Series(np.zeros_like(network))}
    declared = {name for of_event in plan.properties_of.values() for name in of_event}
    presets = in_object({name: column for name, column in known.items() if name not in declared})
    return pl.concat([heads["without"], heads["with_account"]]), presets


def home_addresses(plan: Blueprint, streams: Streams, host: Array) -> pl.Series:
    """Returns the home addresses of users, by the numbers of their hosts."""
    return _addresses(home_countries(plan, streams, host), streams.uniform("address", host, 0))


def _addresses(country: Coded, drawn: Array) -> pl.Series:
    """Returns public IPv4 addresses of countries."""
    rows = [np.flatnonzero(country.codes == place) for place in range(len(country.values))]
    parts = [(own, locales.ip_addresses(str(code), drawn[own])) for own, code in zip(rows, country.values, strict=True)]
    return scattered(parts, drawn.size)


# --------------------------------------------------------------------------- changes of users


def _mode(given: Property, kinds: set[str]) -> UpdateMode:
    """Returns how a user property is sent: as the sheet says, or by the kinds of its updates."""
    if given.update is not None:
        return given.update
    if kinds == {"set_once"}:
        return UpdateMode.SET_ONCE
    if kinds == {"increment"} and given.type is PropertyType.NUMBER:
        return UpdateMode.ADD
    return UpdateMode.SET


def _user_changes(properties: Properties) -> Iterator[tuple[UpdateMode, Array, pl.Series]]:
    """Yields the changes of users by events: by mode, the rows after which they are sent, and their content.

    A user's first event with an account within the run sends all properties known by then; later events send only
    changes.

    Yields:
        Mode, rows in order, and the inside of the properties' object for each.
    """
    found: dict[UpdateMode, list[pl.DataFrame]] = {}
    user, registered = properties.happened.user, np.flatnonzero(properties.happened.has_account)
    first = registered[begins(user[registered])]
    for name, given in properties.plan.user_properties.items():
        updates = properties.plan.updates.get(name, ())
        mode = _mode(given, {update.type for _, update in updates})
        if updates:
            rows, values = _changes(properties, name, mode, first)
        else:
            rows, values = first, properties.user_column(name, given).gather(user[first])
        if rows.size:
            found.setdefault(mode, []).append(pl.DataFrame({"row": rows, "inside": in_object({name: values})}))
    for mode, frames in found.items():
        sent = pl.concat(frames).group_by("row", maintain_order=True).agg(pl.col("inside").str.join(","))
        sent = sent.sort("row")
        yield mode, sent["row"].to_numpy(), sent["inside"]


def _changes(properties: Properties, name: str, mode: UpdateMode, first: Array) -> tuple[Array, pl.Series]:
    """Returns the rows after which a user property differs from the value sent last, and the new value.

    A value from before a user's first row is sent there, unless that row itself changes it.
    """
    happened, state = properties.happened, properties.states.of(name)
    rows = state.rows[happened.has_account[state.rows]]
    now, was = state.at(rows), state.at(rows, before=True)
    held = state.at(first, before=True)
    if now.dtype.is_numeric():
        changed = (now != was).to_numpy()
        opens = (held != 0).to_numpy()
        if mode is UpdateMode.ADD:
            added, decimals = numbers(now) - numbers(was), 6 if now.dtype == pl.Float64 else 0
            added = np.where(np.isin(rows, first), numbers(now), added)  # the first one sends the whole sum
            now = rounded(added, decimals)
            changed |= np.isin(rows, first) & (added != 0)
    else:
        changed = np.ones(rows.size, bool) if mode is UpdateMode.SET_ONCE else now.ne_missing(was).to_numpy()
        opens = held.is_not_null().to_numpy()
    rows, now = rows[changed], now.filter(pl.Series(changed))
    opens &= ~np.isin(first, rows)
    every = np.concatenate([rows, first[opens]])
    order = np.argsort(every, kind="stable")
    return every[order], pl.concat([now, held.filter(pl.Series(opens)).cast(now.dtype)]).gather(order)


# --------------------------------------------------------------------------- dirt


def _dirt(of: History) -> Array | None:
    """Returns the number of each event's kind of dirt, -1 for clean ones; None if everything is clean."""
    wanted = of.plan.configuration.dirt
    if not wanted.total:
        return None
    totals = np.cumsum([getattr(wanted, name) for name in DIRTS])
    drawn = of.streams.uniform("dirt", of.users.number[of.happened.user], of.ordinal)
    kind = np.searchsorted(totals, drawn, side="right")
    return np.where(kind < len(DIRTS), kind, -1)


def _damaged(
    columns: Mapping[str, pl.Series],
    declared: Mapping[str, Property],
    inside: pl.Series | None,
    kind: Array,
    which: Array,
) -> pl.Series | None:
    """Returns properties with one null, or one value of a wrong type, in rows with such dirt.

    Args:
        which: number of each row that chooses the property.
    """
    numeric = [name for name, given in declared.items() if given.type is PropertyType.NUMBER]
    nulled, drifted = (kind == DIRTS.index(name) for name in ("null", "schema_drift"))
    if inside is None:
        return inside
    parts = [(np.flatnonzero(~nulled & ~drifted), inside.filter(pl.Series(~nulled & ~drifted)))]
    for rows, names in ((nulled, list(columns)), (drifted, numeric or [UNKNOWN_PROPERTY])):
        for place, name in enumerate(names):
            own = np.flatnonzero(rows & (which % len(names) == place))
            changed = {each: column.gather(own) for each, column in columns.items()}
            if rows is nulled:
                changed[name] = pl.repeat(None, own.size, eager=True, dtype=pl.String)
            else:
                changed[name] = texts(changed[name]) if name in numeric else pl.repeat("x", own.size, eager=True)
            parts += [(own, in_object(changed))] if own.size else []
    return scattered(parts, kind.size)


def _soiled(of: History, frame: pl.DataFrame, dirt: Array, rows: Array) -> pl.DataFrame:
    """Returns lines that come late, twice, out of order or cut; `rows` are theirs."""
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
