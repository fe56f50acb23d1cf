"""Decodes the landed files of matches to bronze, and chooses between several files of a match.

There are two steps. The first reads what is quick: headers, scoreboards, ballchasing's statistics, ten frames a second.
The second reads every update of a replay, for its events and for figures that need all updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import polars as pl

from gamestats_assets.lakehouse.files.documents import without_nul
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Decoder, Unit
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.ballchasing import statistics as ballchasing_files
from gamestats_assets.rocket_league.privacy.masking import masked_rows
from gamestats_assets.rocket_league.reference.playlists import OTHER_FIELDS
from gamestats_assets.rocket_league.replays import files as replay_files
from gamestats_assets.rocket_league.replays.events import events
from gamestats_assets.rocket_league.replays.figures import figures, team_figures
from gamestats_assets.rocket_league.replays.network import Network, UnreadableReplayError
from gamestats_assets.rocket_league.replays.simulated import read_simulated
from gamestats_assets.rocket_league.source import BALLCHASING, MASKED, REPLAY, SIMULATED

RAW_TABLES: tuple[type[Table], ...] = (t.RawReplays, t.RawPlayerStats, t.ReplayFrames)
EVENT_TABLES: tuple[type[Table], ...] = (t.ReplayEvents, t.ReplayFigures)
Row = dict[str, Any]
_T = TypeVar("_T")


def _read_each(
    files: Sequence[LandedFile], read: Callable[[LandedFile], _T], table: type[Table], unit: Unit, into: DecodedUnits
) -> list[_T]:
    """Returns the results for the files of a match; files that cannot be read are rejected with the reason."""
    results: list[_T] = []
    for file in files:
        try:
            results.append(read(file))
        except (UnreadableContentError, UnreadableReplayError) as error:
            reason = f"{file.path}: {error}"
            into.add_rejections({table: [Rejection(unit.unit_id, "file", "unreadable_file", reason, 0)]})
    return results


def _recordings(landing: Landing, unit: Unit) -> list[LandedFile]:
    """Returns the files with every frame of a match: its replays, else a simulator's files."""
    return unit.newest_first(landing, REPLAY) or unit.newest_first(landing, SIMULATED)


def _take_best(
    files: Sequence[LandedFile], read: Callable[[LandedFile], tuple[int, Row, _T]], unit: Unit, into: DecodedUnits
) -> _T | None:
    """Add the row of the file that counts most, latest first; returns the rest of that file's result."""
    results = _read_each(files, read, t.RawReplays, unit, into)
    if not results:
        return None
    _, row, rest = max(results, key=lambda each: each[0])
    row |= {"other_files": len(files) - 1, "landed_at": min(each["landed_at"] for _, each, _ in results)}
    into.add_frames({t.RawReplays: pl.DataFrame([row], schema=t.RawReplays.schema())})
    return rest


def _take_replay(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decode the replay of a match; of several recordings, the longest."""

    def read(file: LandedFile) -> tuple[int, Row, replay_files.Replay]:
        content = landing.content(file)
        replay = read_simulated(content)[0] if file.kind == SIMULATED else replay_files.read_replay(content)
        row = replay_files.match_row(replay, unit.unit_id, unit.day, file.content_hash, landing.landed_at(file))
        return replay_files.recorded_frames(replay.header), row, replay

    replay = _take_best(_recordings(landing, unit), read, unit, into)
    if replay is None:
        return False
    players = replay_files.player_rows(replay, unit.unit_id, unit.day)
    frames = replay.frames.with_columns(match_id=pl.lit(unit.unit_id), match_date=pl.lit(unit.day))
    into.add_frames(
        {
            t.RawPlayerStats: pl.DataFrame(players, schema=t.RawPlayerStats.schema()),
            t.ReplayFrames: t.ReplayFrames.cast(frames.select(t.ReplayFrames.column_names())),
        }
    )
    return True


def _take_ballchasing(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decode ballchasing's JSON of a match; of several, the one with most players."""

    def read(file: LandedFile) -> tuple[int, Row, list[Row]]:
        content = without_nul(landing.content(file))
        landed_at = landing.landed_at(file)
        row, players = ballchasing_files.decode(content, unit.unit_id, unit.day, file.content_hash, landed_at)
        return len(players), row, players

    players = _take_best(unit.newest_first(landing, BALLCHASING), read, unit, into)
    if players is None:
        return False
    into.add_frames({t.RawPlayerStats: pl.DataFrame(players, schema=t.RawPlayerStats.schema())})
    return True


def _take_masked(landing: Landing, unit: Unit, into: DecodedUnits, tables: Sequence[type[Table]]) -> bool:
    """Add the rows that replace the files of a match with forgotten players.

    Other files of the match landed later or are about to be removed, so only these rows count.
    """
    files = unit.of_kind(MASKED)
    if not files:
        return False
    frames = masked_rows(landing, files)[1]
    into.add_frames({table: frames[table] for table in tables})
    return True


def _decode_raw(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    decoded = DecodedUnits()
    for unit in units:
        if _take_masked(landing, unit, decoded, RAW_TABLES):
            continue
        has_replay = _take_replay(landing, unit, decoded)
        has_ballchasing = _take_ballchasing(landing, unit, decoded)
        decoded.unreadable += not (has_replay or has_ballchasing)
    return decoded


def _decode_events(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    decoded = DecodedUnits()
    for unit in units:
        if _take_masked(landing, unit, decoded, EVENT_TABLES):
            continue
        networks = _read_each(_recordings(landing, unit), partial(_network_of, landing), t.ReplayEvents, unit, decoded)
        if not networks:
            decoded.unreadable += 1
            continue
        network, header = max(networks, key=lambda each: replay_files.recorded_frames(each[1]))
        # Dropshot and hoops have other boost pads, or none.
        has_pads = not str(header.get("MapName") or "").lower().startswith(OTHER_FIELDS)
        decoded.add_frames(event_frames(network, unit, has_pads=has_pads))
    return decoded


def _network_of(landing: Landing, file: LandedFile) -> tuple[Network, Mapping[str, Any]]:
    content = landing.content(file)
    if file.kind != SIMULATED:
        return replay_files.network_of(content)
    replay, network = read_simulated(content)
    return network, replay.header


def event_frames(network: Network, unit: Unit, *, has_pads: bool) -> dict[type[Table], pl.DataFrame]:
    """Returns the rows of `ReplayEvents` and `ReplayFigures` of one match."""
    keys = {"match_id": unit.unit_id, "match_date": unit.day}
    of_team = {is_orange: team_figures(network, is_orange) for is_orange in (False, True)}
    rows = [
        {**keys, "player_id": player.player_id, **of_player, **of_team[player.is_orange]}
        for number, player in enumerate(network.players)
        if (of_player := figures(network, number))
    ]
    if not has_pads:
        # Tanks fill without pads there.
        rows = [
            {name: None if "boost" in name and name != "time_boost_speed_s" else value for name, value in row.items()}
            for row in rows
        ]
    happened = [{**keys, **row} for row in events(network, has_pads=has_pads)]
    return {
        t.ReplayEvents: pl.DataFrame(happened, schema=t.ReplayEvents.schema()),
        t.ReplayFigures: pl.DataFrame(rows, schema=t.ReplayFigures.schema()).unique("player_id", maintain_order=True),
    }


RAW_DECODER = Decoder(
    "Rocket League", RAW_TABLES, (REPLAY, SIMULATED, BALLCHASING, MASKED), _decode_raw, part=8, is_guarded=True
)
"""Headers, scoreboards, statistics and frames."""
EVENTS_DECODER = Decoder(
    "Rocket League", EVENT_TABLES, (REPLAY, SIMULATED, MASKED), _decode_events, part=2, is_guarded=True
)
"""Events, and figures over every update."""
