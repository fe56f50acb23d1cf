"""The right to be forgotten: removes a player from everything that is stored, for good.

Matches belong to all who played them. A match therefore stays, with a masked player in the place of the forgotten one,
whom no one can find again in another match; the other players' data stay as they are. Everything is made from the
landing zone, so the player is masked there, and the tables follow as usual. Then their former contents are removed from
the lake's history and from PostgreSQL's files, and all storage is searched.

Every step can be repeated: if a process dies in between, forgetting the player once more finishes the work.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from gamestats_assets.lakehouse import worker
from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.ledger import Note
from gamestats_assets.lakehouse.entries.declared import UnknownNameError
from gamestats_assets.lakehouse.entries.ops import SCHEMA, delete, entering, select
from gamestats_assets.lakehouse.landing.decoding import Unit
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.postgres.embedded import server_log
from gamestats_assets.lakehouse.postgres.roles import ACCOUNTS_SCHEMA
from gamestats_assets.lakehouse.postgres.server import DAGSTER_SCHEMA, connect, forget_dead_rows
from gamestats_assets.lakehouse.published.publication import forget_partition
from gamestats_assets.lakehouse.quality import quarantine_of
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lakehouse.traces import Sought, files_with, rows_with
from gamestats_assets.rocket_league.analysis.training_packs import training_packs
from gamestats_assets.rocket_league.analysis.wording import counted
from gamestats_assets.rocket_league.players.identities import PlayerIdError, parse_player_id, written_id
from gamestats_assets.rocket_league.privacy import tombstones
from gamestats_assets.rocket_league.privacy.masked_matches import rows_of_matches
from gamestats_assets.rocket_league.privacy.masking import (
    TABLES,
    Rows,
    land_masked,
    masked,
    masked_rows,
    players_in,
    read_masked,
)
from gamestats_assets.rocket_league.privacy.naming import holds_text, names_account
from gamestats_assets.rocket_league.privacy.people_objects import EXPORTS
from gamestats_assets.rocket_league.source import BALLCHASING, GAME, MASKED
from gamestats_assets.rocket_league.tables import ALL, Participants, RawPlayerStats, RawReplays, Retention
from gamestats_assets.rocket_league.tables.rows import RL_PLAYER

UNDATED = ("unreadable", "unreadable_reason")
"""Kinds of landed files that belong to no match but may still name players."""
STEPS = 6
"""Number of reported steps in forgetting a player."""
# Files per task of the process pool.
_PART = 50
# Shorter accounts and names may be ordinary words.
_DISTINCT_ACCOUNT, _DISTINCT_NAME = 8, 4
_QUARANTINE = quarantine_of(GAME)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Result of forgetting a player.

    Attributes:
        player_id: the forgotten player.
        matches: number of matches in which the player was masked.
        days: days of these matches.
        files_removed: number of unreadable landed files that named the player.
        left: places where the player is still found; empty if all went well.
        not_looked_for: names that prove nothing: others have them too, or they are very short or common words.
        refused: actions that PostgreSQL denied to this user, with the remedy.
    """

    player_id: str
    matches: int
    days: tuple[str, ...]
    files_removed: int
    left: tuple[str, ...]
    not_looked_for: tuple[str, ...]
    refused: tuple[str, ...]


def forget(
    stores: Stores,
    player: str,
    *,
    today: date,
    remake: Callable[[Sequence[str]], None],
    forget_runs: Callable[[Sequence[str], Mapping[str, str]], object],
    called: Collection[str] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> Forgotten:
    """Remove every trace of a player: landed files, tables and their history, PostgreSQL, Dagster's storage.

    A tombstone, which names no one, has the player masked in future files.

    Args:
        stores: landing zone, lake and PostgreSQL.
        player: platform and account, such as steam:76561190000000001.
        today: day of the request.
        remake: updates everything made from landed files of days and from people's entries, through to PostgreSQL.
        forget_runs: removes the player's traces and partitions from Dagster (`forget_in_dagster`).
        called: the player's names, if an earlier attempt has removed them already.
        tell: called with the text of each step (`STEPS`) as it begins.

    Raises:
        PlayerIdError: when the text is not a player's id.
        UnknownNameError: when there are no data about the player; nothing was done.
    """
    player_id = parse_player_id(player)
    partitions = {RL_PLAYER: player_id}
    tell("Looking for files that name the player")
    files = files_naming(stores, player_id)
    undated = [file for kind in UNDATED for file in stores.landing.files(GAME, kind)]
    names = sorted({*names_of(stores, player_id), *called})
    common = _common_words(stores)
    telling = [name for name in names if len(name) >= _DISTINCT_NAME and name.lower() not in common]
    stray = _naming(stores, undated, player_id, telling)
    days = sorted({*(file.day for file in files), *_days_in_lake(stores.lake, player_id)})
    if not (files or stray or days or names or tombstones.any_buried(stores.landing, GAME, [player_id])):
        raise UnknownNameError(
            f"Nothing is held on {player_id}: no landed file and no table names the player, who is not tracked either. "
            "Nothing was done.",
            "player",
        )
    tombstones.bury(stores.landing, GAME, player_id, today)
    texts = [*_spellings(player_id), *telling]
    tell("Removing the player from people's entries and from the records of runs")
    forget_runs(texts, partitions)
    with entering(stores.postgres_url, "forget") as conn:
        delete(conn, "rl_players", {"player_id": player_id})
    tell(f"Masking the player in {counted(len({file.unit_id for file in files}), 'match', 'matches')}")
    matches = mask_matches(stores, {(file.day, file.unit_id): {player_id} for file in files}, names)
    for file in stray:
        stores.landing.remove(file)
    _forget_retention(stores.lake, player_id)
    tell(f"Rebuilding the tables of {counted(len(days), 'day')} without the player")
    remake(days)
    tell("Removing former versions of the tables, with their history")
    _forget_partitions(stores, player_id)
    _forget_quarantined(stores.lake, Sought(texts))
    _forget_in_others(stores, Sought(texts))
    for table in _stored():
        stores.lake.forget_history(table)
    forget_runs(texts, partitions)
    shared = _carried_by_others(stores.lake, names)
    distinct = [name for name in telling if name not in shared]
    refused = forget_dead_rows(stores.postgres_url, [GAME, SCHEMA, DAGSTER_SCHEMA])
    for log in _logs_with(stores, Sought(texts)):
        # Its process appends to it; the other lines are lost.
        os.truncate(log, 0)
    tell("Searching all storage for remaining traces")
    left = traces(stores, _spellings(player_id), distinct)
    return Forgotten(
        player_id, matches, tuple(days), len(stray), tuple(left), tuple(sorted({*names} - {*distinct})), tuple(refused)
    )


def _spellings(player_id: str) -> list[str]:
    """Returns an id in the forms that occur in files, tables and logs."""
    account = player_id.partition("_")[2]
    spellings = [player_id, written_id(player_id)]
    return [*spellings, account] if len(account) >= _DISTINCT_ACCOUNT else spellings


def names_of(stores: Stores, player_id: str) -> list[str]:
    """Returns the player's names in the lake and in people's entries."""
    stored = stores.lake.scan(RawPlayerStats).filter(pl.col("player_id") == player_id).select("player_name")
    names = {*stored.collect().to_series()}
    with entering(stores.postgres_url, "forget") as conn:
        names |= {row["username"] for row in select(conn, "rl_players", {"player_id": player_id})}
    return sorted(names)


def _common_words(stores: Stores) -> set[str]:
    """Returns words that occur everywhere, whether or not a player has such a name: from the tables' descriptions,
    cars, maps, playlists, training packs, and the keys of ballchasing's statistics.
    """
    lake = stores.lake
    text = " ".join(f"{table.spec.key} {table.description()} {table.descriptions()}" for table in ALL)
    values = (
        lake.scan(table).select(pl.col(name).unique()).collect().to_series()
        for table, name in ((RawPlayerStats, "car_name"), (RawReplays, "map_code"), (RawReplays, "playlist"))
    )
    text += f" {' '.join(_keys(stores.landing))} {training_packs().rows()}"
    return {*re.findall(r"[^\W_]+", text.lower()), *(value.lower() for each in values for value in each if value)}


def _keys(landing: Landing) -> Iterator[str]:
    """Yields the keys of one of ballchasing's files, if there is one; all files have the same keys."""
    days = ((day, landing.files(GAME, day)) for day in landing.days(GAME))
    content = next((landing.content(file) for _, files in days for file in files if file.kind == BALLCHASING), b"{}")
    within = [json.loads(content)]
    while within:
        each = within.pop()
        if isinstance(each, dict):
            yield from each
            within += each.values()
        elif isinstance(each, list):
            within += each


def _carried_by_others(lake: Lake, names: Collection[str]) -> set[str]:
    others = {*lake.scan(Participants).select("player_name").unique().collect().to_series()}
    lowered = {name.lower() for name in others}
    return {name for name in names if name.lower() in lowered}


def _days_in_lake(lake: Lake, player_id: str) -> list[str]:
    """Returns the days for which a table names the player."""
    days: set[str] = set()
    for table in ALL:
        if table.spec.partitioned_by == "match_date" and (by := player_columns(table)):
            rows = lake.scan(table).filter(pl.any_horizontal(pl.col(by) == player_id))
            days.update(day.isoformat() for day in rows.select("match_date").unique().collect().to_series())
    return sorted(days)


def player_columns(table: type[Table]) -> list[str]:
    """Returns the columns of a table that contain ids of players."""
    return [
        name
        for name, dtype in table.schema().items()
        if dtype == pl.String and name.endswith(("player_id", "saver_id", "assister_id"))
    ]


# ---------------------------------------------------------------- landed files


def files_naming(stores: Stores, player_id: str) -> list[LandedFile]:
    """Returns the landed files of matches that name a player. Reads every file, in several processes."""
    landing = stores.landing
    return _naming(stores, [file for day in landing.days(GAME) for file in landing.files(GAME, day)], player_id)


def _naming(
    stores: Stores, files: Sequence[LandedFile], player_id: str, names: Collection[str] = ()
) -> list[LandedFile]:
    parts = [files[start : start + _PART] for start in range(0, len(files), _PART)]
    with worker.pool(min(stores.settings.workers, len(parts))) as executor:
        tasks = [executor.submit(_files_naming, stores.landing, part, player_id, names) for part in parts]
        return [file for task in tasks for file in task.result()]


def _files_naming(
    landing: Landing, files: Sequence[LandedFile], player_id: str, names: Collection[str] = ()
) -> list[LandedFile]:
    return [file for file in files if _is_named(landing.read(file), file.kind, player_id, names)]


def _is_named(payload: bytes, kind: str, player_id: str, names: Collection[str]) -> bool:
    if kind == MASKED:
        return player_id in players_in(read_masked(payload))
    try:
        content = decompressed(payload)
    except UnreadableContentError:
        content = payload
    return names_account(content, player_id) or any(holds_text(content, name) for name in names)


def mask_matches(
    stores: Stores, matches: Mapping[tuple[str, str], Collection[str]], names: Collection[str] = ()
) -> int:
    """Mask players in the landed files of matches: one masked file replaces all files of a match.

    Args:
        stores: the stores; changes the landing zone and the links between matches and public replays.
        matches: players to mask, by day and match.
        names: the players' names elsewhere.

    Returns:
        Number of matches with landed files, which are masked now.
    """
    landing = stores.landing
    by_day: dict[str, set[str]] = {}
    for day, match_id in matches:
        by_day.setdefault(day, set()).add(match_id)
    units = [
        Unit(match_id, date.fromisoformat(day), tuple(of_match))
        for day in sorted(by_day)
        for match_id, of_match in _by_match(landing, day).items()
        if match_id in by_day[day]
    ]
    with connect(stores.postgres_url) as conn:
        # Under ballchasing's id anyone can look up the players of the match.
        hidden = [match_id for _, match_id in matches]
        conn.execute("UPDATE ops.rl_replays_found SET match_id = NULL WHERE match_id = ANY(%s)", [hidden])
    for unit, rows in rows_of_matches(landing, units, workers=stores.settings.workers):
        _replace(landing, unit, rows, masked(rows, matches[unit.day.isoformat(), unit.unit_id], names))
    return len(units)


def _by_match(landing: Landing, day: str) -> dict[str, list[LandedFile]]:
    files: dict[str, list[LandedFile]] = {}
    for file in landing.files(GAME, day):
        files.setdefault(file.unit_id, []).append(file)
    return files


def _replace(landing: Landing, unit: Unit, before: Rows, after: Rows) -> None:
    """Land the masked rows of a match, then remove its other files; of a match without rows, all files."""
    kept: LandedFile | None = None
    old = unit.of_kind(MASKED)
    if old and all(after[table].equals(before[table]) for table in TABLES):
        kept = masked_rows(landing, old)[0]
    elif any(rows.height for rows in after.values()):
        kept = land_masked(landing, unit.unit_id, unit.day, after)
    for file in unit.files:
        if file != kept:
            landing.remove(file)


# ---------------------------------------------------------------- tables


def _stored() -> list[type[Table]]:
    """Returns every table of the lake with data of the game: its own, and the quarantine."""
    return [*ALL, _QUARANTINE]


def _forget_retention(lake: Lake, player_id: str) -> None:
    """Remove the player from `Retention`, which is updated once a day and not when days are rebuilt."""
    rows = lake.scan(Retention).collect()
    others = rows.filter(pl.col("player_id") != player_id)
    if others.height < rows.height:
        lake.replace(Retention, others)


def _forget_partitions(stores: Stores, player_id: str) -> None:
    """Empty the player's partitions, in the lake and in PostgreSQL, and remove them from the ledger."""
    for table in ALL:
        if table.spec.partitioned_by != "player_id":
            continue
        if (state := stores.lake.state(table)) is not None and player_id in state.rows_per_partition:
            stores.lake.replace(table, pl.DataFrame(schema=table.schema()), partitions=[player_id])
        stores.lake.note(table, Note(whole=[player_id]))
        if table.spec.published:
            forget_partition(stores.postgres_url, table, player_id)


def _forget_quarantined(lake: Lake, sought: Sought) -> None:
    """Remove quarantine entries that name the player."""
    rows = lake.scan(_QUARANTINE).collect()
    text = pl.concat_str(pl.col(pl.String).fill_null(""), separator="\n")
    names = rows.select(text.str.contains(f"(?i){sought.pattern}")).to_series()
    for (place,), of_place in rows.with_columns(names=names).group_by("destination"):
        units = of_place.filter("names").get_column("unit_id").unique().sort().to_list()
        if units:
            kept = of_place.filter(~pl.col("names"), pl.col("unit_id").is_in(units)).drop("names")
            lake.replace(_QUARANTINE, kept, partitions=[str(place)], ids=units)


def _forget_in_others(stores: Stores, sought: Sought) -> None:
    """Remove others' archives that name the player, and the player's traces in the records of jobs: in results of
    uploads of the same matches, and in payloads.
    """
    for path in files_with(stores.objects.root, sought, stores.settings.storage_options):
        if path.startswith(f"{EXPORTS}/"):
            stores.objects.delete(path)
    with entering(stores.postgres_url, "forget") as conn:
        without = "UPDATE ops.jobs SET result = result - 'players' WHERE result ? 'players' AND result::text ~* %s"
        conn.execute(without, [sought.pattern])
        of_whom = (
            "UPDATE ops.jobs SET payload = payload - '{player_id,player_ids}'::text[] "
            "WHERE state IN ('done', 'failed') AND payload::text ~* %s"
        )
        conn.execute(of_whom, [sought.pattern])


# ---------------------------------------------------------------- retention


def kept_from(stores: Stores, today: date) -> dict[str, date]:
    """Returns, by tracked player, the first day whose matches are kept."""
    with entering(stores.postgres_url, "retention") as conn:
        players = conn.execute("SELECT player_id, retention_days FROM ops.rl_players ORDER BY 1").fetchall()
    return {player_id: today - timedelta(days=days) for player_id, days in players}


def enforce_retention(stores: Stores, today: date) -> list[tuple[str, date, int]]:
    """Mask tracked players in matches past their retention.

    The players stay tracked; if files of such a match land again, the next run masks them again.

    Args:
        stores: the stores; rebuilding the tables applies the changes of their landing zone.
        today: the day, UTC.

    Returns:
        By tracked player: the id, the first day whose matches are kept, and the number of earlier matches in which the
        player was masked now.
    """
    first_kept = kept_from(stores, today)
    if not first_kept:
        return []
    known = stores.lake.scan(RawPlayerStats).filter(
        pl.col("player_id").is_in([*first_kept]), pl.col("match_date") < max(first_kept.values())
    )
    due: dict[str, dict[str, set[str]]] = {}
    for player_id, match_id, day in known.select("player_id", "match_id", "match_date").unique().collect().iter_rows():
        if day < first_kept[player_id]:
            due.setdefault(day.isoformat(), {}).setdefault(match_id, set()).add(player_id)
    matches: dict[tuple[str, str], set[str]] = {}
    for day in stores.landing.days(GAME):
        older = {player_id for player_id, first in first_kept.items() if day < first.isoformat()}
        for match_id, files in _by_match(stores.landing, day).items() if older else ():
            # If a masked file counts, the lake does not contain files that have landed since.
            is_masked = len(files) > 1 and any(file.kind == MASKED for file in files)
            wanted = older if is_masked else due.get(day, {}).get(match_id, set())
            if named := {player_id for player_id in wanted if _files_naming(stores.landing, files, player_id)}:
                matches[day, match_id] = named
    mask_matches(stores, matches)
    return [
        (player_id, first, sum(player_id in players for players in matches.values()))
        for player_id, first in first_kept.items()
    ]


# ---------------------------------------------------------------- proof


def traces(stores: Stores, texts: Sequence[str], names: Collection[str] = ()) -> list[str]:
    """Returns places where texts are found in storage: in the game's landed files, its part of the lake with the whole
    log and all old files, objects, every schema of PostgreSQL, and all logs.

    Args:
        stores: the stores.
        texts: ids of players (`steam_76561190000000001`), accounts, names.
        names: further names of players, searched only where the game is stored: other games may use them otherwise.
    """
    sought = Sought([*texts, *names])
    accounts = {player_id for text in texts if (player_id := _player_id(text)) is not None}

    def in_bits(content: bytes) -> bool:
        with suppress(UnreadableContentError):
            content = decompressed(content)
        if content.startswith(b"PK"):
            return False
        is_text = content.startswith(b"{")
        return any(names_account(content, player_id) for player_id in accounts) or (
            not is_text and any(holds_text(content, text) for text in sought.texts)
        )

    options = stores.settings.storage_options
    root = f"{stores.landing.root}/{GAME}"
    places = [f"landing: {GAME}/{path}" for path in files_with(root, sought, options, inside=in_bits)]
    places += [f"lake: {GAME}/{path}" for path in files_with(f"{stores.lake.root}/{GAME}", sought, options)]
    places += [
        f"PostgreSQL: {place}, {rows} rows" if rows > 0 else f"PostgreSQL: {place} may not be read"
        for place, rows in {
            **rows_with(stores.postgres_url, Sought(texts)),
            **rows_with(stores.postgres_url, sought, [GAME, SCHEMA, ACCOUNTS_SCHEMA, DAGSTER_SCHEMA]),
        }.items()
    ]
    places += [f"objects: {path}" for path in files_with(stores.objects.root, sought, options)]
    places += [f"log: {log}" for log in _logs_with(stores, sought)]
    places += [f"Dagster: {path}" for path in files_with(str(stores.settings.state_folder / "dagster"), sought)]
    return places


def _logs_with(stores: Stores, sought: Sought) -> list[Path]:
    """Returns logs of the embedded PostgreSQL, of programs and of requests that contain one of the texts."""
    settings = stores.settings
    folders = {settings.state_folder / "logs", settings.request_logs or settings.state_folder / "logs"}
    logs = [server_log(settings), *sorted(path for folder in folders for path in folder.rglob("*"))]
    return [log for log in logs if log.is_file() and sought.is_in(log.read_bytes())]


def _player_id(text: str) -> str | None:
    try:
        return parse_player_id(text)
    except PlayerIdError:
        return None
