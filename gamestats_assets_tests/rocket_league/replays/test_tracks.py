"""Tracks of real replays against the frames, the replay's header, and the replay library's own reading."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import subtr_actor

from gamestats_assets.rocket_league.players.identities import FORGOTTEN_NAME
from gamestats_assets.rocket_league.replays.track_format import read_header
from gamestats_assets.rocket_league.replays.tracks import replay_tracks
from gamestats_assets.rocket_league.tables import Participants, RawPlayerStats, ReplayEvents, ReplayFrames, ReplayTracks
from gamestats_assets_tests.rocket_league.replays.opened import Opened, opened
from gamestats_assets_tests.rocket_league.support.building import make
from gamestats_assets_tests.rocket_league.support.real_files import (
    COME_AND_GO,
    DROPSHOT,
    DUEL,
    PAIRS,
    Frames,
    paths,
    silver,
)

DOUBLES, STANDARD = PAIRS
REPLAYS = (DOUBLES, COME_AND_GO, DROPSHOT)
BALL = "the_ball"


@functools.cache
def track(realdata: Path, name: str) -> Opened:
    return opened(silver(realdata, name)[ReplayTracks]["track"][0])


@functools.cache
def read_by_library(realdata: Path, name: str) -> dict[str, Any]:
    """What the library, with code of its own, makes of a replay: cameras, boost pads."""
    return subtr_actor.get_replay_frames_data(str(_replay(realdata, name)))


def _replay(realdata: Path, name: str) -> Path:
    return next(path for path in paths(realdata, name) if path.suffix == ".replay")


def _people(known: Frames) -> list[str]:
    """Players in the order of the track."""
    return known[Participants].sort("team", "player_id")["player_id"].to_list()


@pytest.mark.parametrize("name", REPLAYS)
def test_every_place_and_turn_is_that_of_the_frames(realdata: Path, name: str) -> None:
    known, found = silver(realdata, name), track(realdata, name)
    frames = known[ReplayFrames]
    each = frames.unique("frame").sort("frame")
    assert each["frame"].to_list() == list(range(found.header["frames"]))
    assert np.abs(np.array(found.time_ms) / 1000 - each["time_s"].to_numpy()).max() <= 0.0006
    assert (np.diff(found.time_ms) > 0).all()
    assert found.clock == each["seconds_remaining"].to_list()
    result = each.select(
        pl.col(name).cast(int) * bit for name, bit in (("is_countdown", 1), ("is_live", 2), ("is_ball_hit", 4))
    )
    assert found.flags == result.sum_horizontal().to_list()
    for player_id, body in zip([BALL, *_people(known)], [found.ball, *found.players], strict=True):
        rows = frames.filter(player_id=player_id).drop_nulls("x_uu").sort("frame")
        at = rows["frame"].to_list()
        assert np.flatnonzero(body.is_there).tolist() == at
        places = np.array(body.place)[at] if at else np.zeros((0, 3))
        assert np.abs(places - rows.select("x_uu", "y_uu", "z_uu").to_numpy()).max(initial=0) <= 0.126
        turns = np.array(body.turn)[at] if at else np.zeros((0, 4))
        expected = rows.select(f"rotation_{axis}" for axis in "xyzw").fill_null(0).to_numpy()
        is_known = expected.any(axis=1)
        assert np.abs(turns - expected)[is_known].max(initial=0) <= 0.6 / 32767
        if player_id != BALL and at:
            assert np.abs(np.array(body.boost)[at] - rows["boost"].to_numpy()).max() <= 0.5
            jumps = [flags & 1 for flags in body.flags]
            assert [jumps[each] for each in at] == rows["is_jumping"].fill_null(False).cast(int).to_list()
    assert found.header["duration_s"] == pytest.approx(each["time_s"][-1], abs=0.001)


def test_ball_cameras_are_those_that_the_library_reads(realdata: Path) -> None:
    found, result = track(realdata, DOUBLES), read_by_library(realdata, DOUBLES)
    sent_at = [frame["time"] for frame in result["frame_data"]["metadata_frames"]]
    names = [player["name"] for player in found.header["players"]]
    called = {
        str(each["remote_id"]): each["name"] for side in ("team_zero", "team_one") for each in result["meta"][side]
    }
    compared = 0
    for remote_id, events in result["player_camera_events"]:
        number = names.index(called[str(remote_id)])
        looks = [(event["frame"], event["ball_cam_active"]) for event in events if event["ball_cam_active"] is not None]
        frames = np.array([frame for frame, _ in looks])
        for at, flags in [*zip(found.time_ms, found.players[number].flags, strict=True)][::7]:
            # The last frame sent by then, and none in which the camera turns.
            frame = int(np.searchsorted(sent_at, sent_at[0] + at / 1000 + 0.001, side="right")) - 1
            held = int(np.searchsorted(frames, frame, side="right")) - 1
            if held >= 0 and np.abs(frames - frame).min() > 1:
                compared += 1
                assert bool(flags & 2) == looks[held][1], (names[number], at)
    assert compared > 0.1 * found.header["frames"] * len(names)


def test_boost_pads_are_taken_and_back_as_the_library_reads_it(realdata: Path) -> None:
    found, result = track(realdata, DOUBLES), read_by_library(realdata, DOUBLES)
    places = {each["pad_id"]: (each["position"]["x"], each["position"]["y"]) for each in result["boost_pads"]}
    pads = [(x, y) for x, y, *_ in found.header["pads"]]
    assert {*places.values()} <= {*pads}
    begin = result["frame_data"]["metadata_frames"][0]["time"]
    taken, back = list[tuple[int, float]](), dict[int, list[float]]()
    state: dict[str, Any] = {}
    for event in result["boost_pad_events"]:
        pad_id, kind, at = event["pad_id"], event["kind"], event["time"] - begin
        # Key frames say again what was said.
        if pad_id in places and state.get(pad_id) != kind:
            pad = pads.index(places[pad_id])
            if kind == "Available":
                back.setdefault(pad, []).append(at)
            else:
                taken.append((pad, at))
        state[pad_id] = kind
    own = [(pad, at) for pad, at, *_ in found.header["pad_events"] if pads[pad] in places.values()]
    agreed = sum(any(pad == other and abs(at - then) < 0.02 for other, then in taken) for pad, at in own)
    assert agreed >= 0.97 * max(len(own), len(taken)) > 40
    late = [
        min((abs(each - until) for each in back.get(pad, [])), default=9.0)
        for pad, at, until, _ in found.header["pad_events"]
        if until - at in (4.0, 10.0) and until < found.header["duration_s"]
    ]
    assert np.median(late) < 0.1
    assert all(until - at <= (10 if found.header["pads"][pad][3] else 4) + 0.01 for pad, at, until, _ in
               found.header["pad_events"])  # fmt: skip


def test_the_header_has_cars_and_cameras_and_no_accounts(realdata: Path) -> None:
    known, found = silver(realdata, STANDARD), track(realdata, STANDARD)
    header = found.header
    assert (header["map"], header["playlist"], header["team_size"], header["field"]) == (
        "street_p", "ranked-standard", 3, "soccar",
    )  # fmt: skip
    assert [player["team"] for player in header["players"]] == ["blue"] * 3 + ["orange"] * 3
    meta = subtr_actor.get_replay_meta(str(_replay(realdata, STANDARD)))["replay_meta"]
    result = {each["name"]: each for side in ("team_zero", "team_one") for each in meta[side]}
    for player in header["players"]:
        car = result[player["name"]]
        assert (player["car_id"], player["hitbox"]) == (car["car_body_id"], car["car_hitbox_family"].lower())
        camera = car["camera_settings"]
        assert player["camera"] == pytest.approx(
            {
                "fov_deg": camera["fov"], "height_uu": camera["height"], "pitch_deg": camera["angle"],
                "distance_uu": camera["distance"], "stiffness": camera["stiffness"],
            },
            abs=1e-4,
        )  # fmt: skip
    whole = repr(header)
    accounts = [player_id for player_id in known[RawPlayerStats]["player_id"] if not player_id.startswith("ps4_")]
    assert not [player_id for player_id in accounts if player_id.split("_")[1] in whole]
    assert {player for player, *_ in header["stints"]} == set(range(6))


def test_forgotten_players_have_numbers(realdata: Path) -> None:
    known = dict(silver(realdata, DOUBLES))
    gone = _people(known)[1:3]
    known[Participants] = known[Participants].with_columns(
        player_name=pl.when(pl.col("player_id").is_in(gone)).then(pl.lit(FORGOTTEN_NAME)).otherwise("player_name")
    )
    names = [player["name"] for player in opened(make(replay_tracks, known)["track"][0]).header["players"]]
    assert names[1:3] == ["(forgotten 1)", "(forgotten 2)"]


def test_a_field_of_its_own_has_none_of_soccar_s_pads(realdata: Path) -> None:
    header = track(realdata, DROPSHOT).header
    assert (header["field"], header["pads"], header["pad_events"]) == ("dropshot", [], [])


def test_the_same_rows_make_the_same_bytes_in_whatever_order_they_come(realdata: Path) -> None:
    known = silver(realdata, DUEL)
    mixed = {table: frame.sample(fraction=1, shuffle=True, seed=3) for table, frame in known.items()}
    assert make(replay_tracks, mixed)["track"][0] == known[ReplayTracks]["track"][0]


def test_without_pads_of_the_server_filled_tanks_are_pickups(realdata: Path) -> None:
    known = silver(realdata, DUEL)
    events = known[ReplayEvents].filter(pl.col("kind") != "pad_taken")
    (pickups,) = [read_header(make(replay_tracks, {**known, ReplayEvents: events})["track"][0])["pad_events"]]
    assert len(pickups) == events.filter(kind="boost_pickup").height > 30


def test_matches_without_frames_have_no_track(realdata: Path) -> None:
    known = silver(realdata, DUEL)
    assert make(replay_tracks, {**known, ReplayFrames: known[ReplayFrames].clear()}).is_empty()


def test_a_header_is_read_from_the_first_bytes_and_nothing_else_is_taken_for_one(realdata: Path) -> None:
    content = silver(realdata, STANDARD)[ReplayTracks]["track"][0]
    assert read_header(content) == read_header(content[: len(content) // 4]) == opened(content).header
    for broken in (content[:200], b"", b"GST1", content[5:]):
        with pytest.raises(ValueError, match="track"):
            read_header(broken)
