"""Decoding many landed files: choices between files, quarantine, and the figures of both sources side by side."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, content_hash
from gamestats_assets.lakehouse.quality import check_schema, screen
from gamestats_assets.rocket_league.replays.bronze import EVENT_TABLES, EVENTS_DECODER, RAW_DECODER, RAW_TABLES
from gamestats_assets.rocket_league.source import BALLCHASING, GAME, REPLAY, ingest_payload
from gamestats_assets.rocket_league.tables import (
    PlayerMatchStats,
    RawPlayerStats,
    RawReplays,
    ReplayEvents,
    ReplayFigures,
    ReplayFrames,
)
from gamestats_assets.rocket_league.tables.bronze import BALL, KINDS_OF_EVENT
from gamestats_assets_tests.lakehouse.landing.decoded import decoded, landed_last
from gamestats_assets_tests.rocket_league.matches import parity
from gamestats_assets_tests.rocket_league.support.ballchasing_server import details
from gamestats_assets_tests.rocket_league.support.files import header_of, landed
from gamestats_assets_tests.rocket_league.support.real_files import (
    COME_AND_GO,
    DROPSHOT,
    DUEL,
    LAN,
    PAIRS,
    TOURNAMENT,
    bronze,
    replay,
)

DAY = date(2026, 4, 28)
DUEL_ID = "D6DB830411F143174D7A42BDF8FC2425"
DECODERS = (RAW_DECODER, EVENTS_DECODER)
OTHERS = (DUEL, LAN, COME_AND_GO, TOURNAMENT, DROPSHOT)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """An empty landing zone."""
    return Landing(tmp_path / "landing")


def land(landing: Landing, kind: str, content: bytes, unit: str = DUEL_ID, payload: bytes | None = None) -> LandedFile:
    """Land a content as it is, or otherwise packed."""
    return landing.put(GAME, DAY, unit, kind, payload or content, content, "replay" if kind == REPLAY else "json")[0]


def document(number: int = 1, players: int = 1, **more: Any) -> bytes:
    """Ballchasing's JSON of a match numbered so, with so many players."""
    found = details(number, **more)
    found["blue"]["players"] = [
        {"name": f"P{each}", "id": {"platform": "steam", "id": str(each)}} for each in range(1, players + 1)
    ]
    return json.dumps(found).encode()


def unit_of(number: int) -> str:
    """The match that `document` is of."""
    return f"{number + 2**64:032X}"


# --- Parity ---------------------------------------------------------------------------------------


def test_our_figures_are_ballchasings_within_the_tolerance_of_each(realdata: Path) -> None:
    print(parity.parity_table(realdata))  # noqa: T201 (the table is what a reader of the output looks for)
    found = parity.compared(realdata)
    assert {each.feature for each in found} == set(parity.TOLERANCES)
    assert len({each.player for each in found}) == 10
    # Every player by every feature.
    assert len(found) == 10 * len(parity.TOLERANCES)
    off = [
        f"{each.feature} of {each.player}: {each.ours:.2f}, theirs {each.theirs:.2f}"
        for each in found
        if not each.is_near
    ]
    assert off == []


def test_every_figure_that_both_tell_is_compared_or_said_not_to_be() -> None:
    figures = set(PlayerMatchStats.column_names()) - {"match_id", "match_date", "player_id", "source"}
    assert figures <= set(parity.TOLERANCES) | set(parity.NOT_COMPARED)
    assert not set(parity.TOLERANCES) & set(parity.NOT_COMPARED)
    # 2% and no more, but where a reason is given.
    for feature, allowed in parity.TOLERANCES.items():
        assert allowed.reason or (allowed.share <= 0.02 and allowed.by == 0), feature


# --- All real files -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHERS)
def test_replays_of_every_year_and_kind_go_through_both_decoders(realdata: Path, name: str) -> None:
    header = header_of(replay(realdata, name))
    frames = bronze(realdata, name)
    for table in (*RAW_TABLES, *EVENT_TABLES):
        check_schema(table, frames[table].schema)
        assert screen(table, frames[table]).rejections == [], table.spec.name
    [match] = frames[RawReplays].to_dicts()
    assert (match["blue_score"], match["orange_score"]) == (header.get("Team0Score", 0), header.get("Team1Score", 0))
    events = frames[ReplayEvents]
    assert set(events["kind"]) <= set(KINDS_OF_EVENT)
    goals = events.filter(kind="goal")
    scored = {side: goals.filter(team=side).height for side in ("blue", "orange")}
    assert scored == {"blue": match["blue_score"], "orange": match["orange_score"]}
    board = {row["Name"]: row for row in header["PlayerStats"]}
    names = dict(frames[RawPlayerStats].select("player_id", "player_name").iter_rows())
    for player_id, player in names.items():
        if player in board:
            for kind, column in (("shot", "Shots"), ("save", "Saves"), ("assist", "Assists")):
                assert events.filter(kind=kind, player_id=player_id).height == board[player][column], (player, kind)
    # Who has frames has figures and a row, and nobody else.
    drove = set(frames[ReplayFrames]["player_id"]) - {BALL}
    assert drove == set(names) == set(frames[ReplayFigures]["player_id"])
    per_match = frames[ReplayFigures].select("team_possession_s", "team_ball_in_own_half_s").unique()
    assert per_match.height == 2
    pads = events.filter(kind="boost_pickup").height
    boost = frames[ReplayFigures]["avg_boost"]
    if name == DROPSHOT:
        # Tanks fill by themselves there.
        assert pads == 0
        assert boost.null_count() == len(boost)
        assert frames[ReplayFigures]["time_boost_speed_s"].null_count() == 0
    else:
        assert pads > 20
        assert boost.is_between(10, 100).all()
    # The whole length: rows of the ball, ten a second.
    assert frames[ReplayFrames].filter(player_id=BALL).height == match["frames"]


# --- Seasons to come ------------------------------------------------------------------------------


def _unknown_attribute(content: bytes) -> bytes:
    return content.replace(b"TAGame.Ball_TA:HitTeamNum\0", b"TAGame.Ball_TA:HatTeamNum\0")


def _unknown_class(content: bytes) -> bytes:
    return content.replace(b"TAGame.Car_TA\0", b"TAGame.Cat_TA\0")


def _unknown_version(content: bytes) -> bytes:
    major, minor, net = struct.unpack_from("<III", content, 8)
    assert (major, minor, net) == (868, 32, 11)
    return content[:8] + struct.pack("<III", 867, 12, net) + content[20:]


@pytest.mark.parametrize("change", [_unknown_attribute, _unknown_class, _unknown_version])
def test_a_replay_of_a_season_that_is_not_known_is_quarantined_with_the_reason(
    realdata: Path, landing: Landing, change: Callable[[bytes], bytes]
) -> None:
    content = change(replay(realdata, DUEL))
    assert content != replay(realdata, DUEL)
    outcome = ingest_payload(content, "next.replay", landing)
    assert outcome.status == "quarantined"
    assert outcome.reason.startswith("The replay cannot be read: ")
    land(landing, REPLAY, content)
    land(landing, REPLAY, replay(realdata, DUEL))
    for decoder, table in ((RAW_DECODER, RawReplays), (EVENTS_DECODER, ReplayEvents)):
        frames, rejections, unreadable = decoded(decoder, landing, landed(landing))
        # Another recording of the match can be read.
        assert unreadable == 0
        assert frames[table].height > 0
        [rejection] = rejections[table]
        assert (rejection.unit_id, rejection.scope, rejection.rule) == (DUEL_ID, "file", "unreadable_file")
        assert content_hash(content) in rejection.reason


# --- Damage ---------------------------------------------------------------------------------------

_PLACES = st.lists(st.integers(0, 10**9), min_size=1, max_size=4)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.none() | st.integers(0, 10**9), flips=_PLACES, is_header=st.booleans())
def test_cut_or_changed_at_any_place_a_replay_is_taken_or_quarantined(
    realdata: Path, tmp_path_factory: pytest.TempPathFactory, cut: int | None, flips: list[int], is_header: bool
) -> None:
    content = bytearray(replay(realdata, DUEL))
    for place in flips:
        bits = 8 * (6000 if is_header else len(content))
        content[place % bits // 8] ^= 1 << place % 8
    whole = bytes(content if cut is None else content[: cut % len(content)])
    landing = Landing(tmp_path_factory.mktemp("landing"))
    outcome = ingest_payload(whole, "x.replay", landing)
    assert outcome.status in ("taken", "quarantined")
    assert bool(outcome.reason) == (outcome.status == "quarantined")
    # Landed all the same, it is decoded or rejected.
    land(landing, REPLAY, whole)
    for decoder in DECODERS:
        frames, rejections, unreadable = decoded(decoder, landing, landed(landing))
        for table, frame in frames.items():
            screen(table, frame)
        for table, entries in rejections.items():
            assert table in (RawReplays, ReplayEvents)
            assert all(entry.rule == "unreadable_file" and entry.reason for entry in entries)
        first = frames[decoder.tables[0]]
        assert first.height > 0 or unreadable > 0 or decoder is EVENTS_DECODER


# --- Which files count ----------------------------------------------------------------------------


def _shorter(content: bytes, frames: int) -> bytes:
    """Another recording of the match, whose header tells fewer frames."""
    at = content.index(b"NumFrames\0") + len(b"NumFrames\0") + 4 + len(b"IntProperty\0") + 8
    assert struct.unpack_from("<i", content, at) == (2523,)
    return content[:at] + struct.pack("<i", frames) + content[at + 4 :]


def test_of_several_recordings_the_longest_counts_in_both_steps(realdata: Path, landing: Landing) -> None:
    content = replay(realdata, DUEL)
    recordings = [_shorter(content, frames) for frames in (100, 2000)]
    for each in (recordings[0], content, recordings[1]):
        land(landing, REPLAY, each)
    # The map tells which one the second step took: it is the same one.
    [row] = decoded(RAW_DECODER, landing, landed(landing))[0][RawReplays].to_dicts()
    assert (row["content_hash"], row["other_files"]) == (content_hash(content), 2)
    assert row["landed_at"] == min(landing.landed_at(file) for file in landed(landing))
    assert row["landed_at"] < datetime.now(UTC)
    without_pads = content.replace(b"street_p\0", b"hoops_xx\0")
    assert len(without_pads) == len(content)
    land(landing, REPLAY, _shorter(without_pads, 9999))
    [row] = decoded(RAW_DECODER, landing, landed(landing))[0][RawReplays].to_dicts()
    assert (row["map_code"], row["other_files"]) == ("hoops_xx", 3)
    frames = decoded(EVENTS_DECODER, landing, landed(landing))[0]
    assert frames[ReplayEvents].filter(kind="boost_pickup").is_empty()
    assert frames[ReplayEvents].height > 40


def test_of_equal_recordings_the_last_to_land_counts(realdata: Path, landing: Landing) -> None:
    content = replay(realdata, DUEL)
    recordings = {content_hash(each) for each in (content, content.replace(b"street_p\0", b"stReet_p\0"))}
    for each in (content, content.replace(b"street_p\0", b"stReet_p\0")):
        land(landing, REPLAY, each)
    files = landed(landing)
    assert {file.content_hash for file in files} == recordings
    for newest in files:
        landed_last(landing, newest)
        [row] = decoded(RAW_DECODER, landing, files)[0][RawReplays].to_dicts()
        assert row["content_hash"] == newest.content_hash


def test_of_several_documents_the_one_with_most_players_counts(landing: Landing) -> None:
    documents = [document(players=players) for players in (1, 3, 2)]
    for each in (*documents, b"{}", document(2)):
        land(landing, BALLCHASING, each, unit=unit_of(1))
    frames, rejections, unreadable = decoded(RAW_DECODER, landing, landed(landing))
    [row] = frames[RawReplays].to_dicts()
    assert (row["source"], row["content_hash"], row["other_files"]) == (BALLCHASING, content_hash(documents[1]), 4)
    assert frames[RawPlayerStats].height == 4
    assert unreadable == 0
    reasons = sorted(rejection.reason.split(": ")[1] for rejection in rejections[RawReplays])
    assert [reason.split(",")[1] for reason in reasons] == [f" found {unit_of(2)}.", " found none."]


def test_both_sources_of_a_match_stand_side_by_side(realdata: Path) -> None:
    frames = bronze(realdata, *PAIRS)
    assert Counter(frames[RawReplays].select("match_id", "source").unique()["source"].to_list()) == {
        REPLAY: 2,
        BALLCHASING: 2,
    }
    sides = (
        frames[RawPlayerStats].group_by("match_id", "player_id").agg(pl.col("team").n_unique(), pl.col("source").len())
    )
    assert sides.height == 10
    assert sides.select("team", "source").unique().rows() == [(1, 2)]
