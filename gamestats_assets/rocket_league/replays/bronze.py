"""The landed files of matches to bronze: which of a match's files count, and what becomes of the others.

Two steps read them. The first takes what is quick: headers, scoreboards, ballchasing's statistics, ten frames a second.
The second goes through every update of a replay, for what happened in it and for the figures that need all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from gamestats_assets.lakehouse.files.documents import without_nul
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Decoder, Unit
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.rocket_league.ballchasing import statistics as ballchasing_files
from gamestats_assets.rocket_league.playlists import OTHER_FIELDS
from gamestats_assets.rocket_league.privacy.masking import masked_rows
from gamestats_assets.rocket_league.replays import files as replay_files
from gamestats_assets.rocket_league.replays.events import events
from gamestats_assets.rocket_league.replays.figures import figures, team_figures
from gamestats_assets.rocket_league.replays.network import Network, UnreadableReplayError
from gamestats_assets.rocket_league.replays.simulated import read_simulated
from gamestats_assets.rocket_league.source import BALLCHASING, MASKED, REPLAY, SIMULATED
from gamestats_assets.rocket_league.tables import (
    RawPlayerStats,
    RawReplays,
    ReplayEvents,
    ReplayFigures,
    ReplayFrames,
)

RAW_TABLES: tuple[type[Table], ...] = (RawReplays, RawPlayerStats, ReplayFrames)
EVENT_TABLES: tuple[type[Table], ...] = (ReplayEvents, ReplayFigures)
Row = dict[str, Any]


def _rejection(unit: Unit, file: LandedFile, error: Exception) -> Rejection:
    return Rejection(unit.unit_id, "file", "unreadable_file", f"{file.path}: {error}", 0)


def _recordings(landing: Landing, unit: Unit) -> list[LandedFile]:
    """What tells of a match's every frame: its replays, else what a simulator made in their place."""
    return unit.newest_first(landing, REPLAY) or unit.newest_first(landing, SIMULATED)


def _take_replay(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decode the replay of a match; of several recordings the longest counts, then the last to land."""
    files = _recordings(landing, unit)
    read: list[tuple[int, replay_files.Replay, Row]] = []
    for file in files:
        try:
            content = landing.content(file)
            replay = read_simulated(content)[0] if file.kind == SIMULATED else replay_files.read_replay(content)
            row = replay_files.match_row(replay, unit.unit_id, unit.day, file.content_hash, landing.landed_at(file))
        except (UnreadableContentError, UnreadableReplayError) as error:
            into.add_rejections({RawReplays: [_rejection(unit, file, error)]})
            continue
        read.append((replay_files.recorded_frames(replay.header), replay, row))
    if not read:
        return False
    _, replay, row = max(read, key=lambda each: each[0])
    row |= {"other_files": len(files) - 1, "landed_at": min(each[2]["landed_at"] for each in read)}
    into.add_frames(
        {
            RawReplays: pl.DataFrame([row], schema=RawReplays.schema()),
            RawPlayerStats: pl.DataFrame(
                replay_files.player_rows(replay, unit.unit_id, unit.day), schema=RawPlayerStats.schema()
            ),
            ReplayFrames: ReplayFrames.cast(
                replay.frames.with_columns(match_id=pl.lit(unit.unit_id), match_date=pl.lit(unit.day)).select(
                    ReplayFrames.column_names()
                )
            ),
        }
    )
    return True


def _take_ballchasing(landing: Landing, unit: Unit, into: DecodedUnits) -> bool:
    """Decode ballchasing's JSON of a match; of several the one with most players counts, then the last to land."""
    files = unit.newest_first(landing, BALLCHASING)
    read: list[tuple[Row, list[Row]]] = []
    for file in files:
        try:
            row, players = ballchasing_files.decode(
                without_nul(landing.content(file)), unit.unit_id, unit.day, file.content_hash, landing.landed_at(file)
            )
        except (UnreadableContentError, UnreadableReplayError) as error:
            into.add_rejections({RawReplays: [_rejection(unit, file, error)]})
            continue
        read.append((row, players))
    if not read:
        return False
    row, players = max(read, key=lambda each: len(each[1]))
    row |= {"other_files": len(files) - 1, "landed_at": min(each["landed_at"] for each, _ in read)}
    into.add_frames(
        {
            RawReplays: pl.DataFrame([row], schema=RawReplays.schema()),
            RawPlayerStats: pl.DataFrame(players, schema=RawPlayerStats.schema()),
        }
    )
    return True


def _take_masked(landing: Landing, unit: Unit, into: DecodedUnits, tables: Sequence[type[Table]]) -> bool:
    """Take the rows that stand for the files of a match in which somebody was forgotten.

    What else has landed of the match came later, or is about to be removed, so these rows count alone.
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
        best: tuple[int, Network, str] | None = None
        for file in _recordings(landing, unit):
            try:
                network, header = _network_of(file, landing.content(file))
            except (UnreadableContentError, UnreadableReplayError) as error:
                decoded.add_rejections({ReplayEvents: [_rejection(unit, file, error)]})
                continue
            map_name = str(header.get("MapName") or "").lower()
            found = (replay_files.recorded_frames(header), network, map_name)
            best = found if best is None or found[0] > best[0] else best
        if best is None:
            decoded.unreadable += 1
        else:
            _, network, map_name = best
            # Dropshot and hoops have other boost pads, or none.
            decoded.add_frames(event_frames(network, unit, has_pads=not map_name.startswith(OTHER_FIELDS)))
    return decoded


def _network_of(file: LandedFile, content: bytes) -> tuple[Network, Mapping[str, Any]]:
    if file.kind != SIMULATED:
        return replay_files.network_of(content)
    replay, network = read_simulated(content)
    return network, replay.header


def event_frames(network: Network, unit: Unit, *, has_pads: bool) -> dict[type[Table], pl.DataFrame]:
    """Rows of `ReplayEvents` and `ReplayFigures` of one match."""
    keys = {"match_id": unit.unit_id, "match_date": unit.day}
    of_team = {is_orange: team_figures(network, is_orange) for is_orange in (False, True)}
    rows = [
        {**keys, "player_id": player.player_id, **of_player, **of_team[player.is_orange]}
        for number, player in enumerate(network.players)
        if (of_player := figures(network, number))
    ]
    if not has_pads:
        # Tanks fill by themselves there.
        rows = [
            {name: None if "boost" in name and name != "time_boost_speed_s" else value for name, value in row.items()}
            for row in rows
        ]
    happened = [{**keys, **row} for row in events(network, has_pads=has_pads)]
    return {
        ReplayEvents: pl.DataFrame(happened, schema=ReplayEvents.schema()),
        ReplayFigures: pl.DataFrame(rows, schema=ReplayFigures.schema()).unique("player_id", maintain_order=True),
    }


RAW_DECODER = Decoder(
    "Rocket League", RAW_TABLES, (REPLAY, SIMULATED, BALLCHASING, MASKED), _decode_raw, part=8, is_guarded=True
)
"""Headers, scoreboards, statistics and frames."""
EVENTS_DECODER = Decoder(
    "Rocket League", EVENT_TABLES, (REPLAY, SIMULATED, MASKED), _decode_events, part=2, is_guarded=True
)
"""What happened, and figures of every update."""
