"""The walk over a replay's updates: what is news, whose car it is, and what happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.rocket_league.replays.files import network_of
from gamestats_assets.rocket_league.replays.network import (
    SPAWN_BOOST,
    Change,
    Network,
    UnreadableReplayError,
    lives,
    phases,
    read_network,
)
from gamestats_assets_tests.rocket_league.files import BALL, ORANGE, Recording, header_of, updates
from gamestats_assets_tests.rocket_league.real_files import COME_AND_GO, DUEL, LAN, PAIRS

ANN, BOB, CEM = "76561198000000001", "76561198000000002", "76561198000000003"


def read(recording: Recording) -> Network:
    """What the walk makes of a replay made by hand."""
    return read_network(recording.parsed())


def one_car() -> tuple[Recording, int]:
    """Ann alone on the field."""
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    return recording, recording.car(1)


def one_car_each() -> tuple[Recording, int, int]:
    """Ann (blue) and Bob (orange), each in a car."""
    recording, ann = one_car()
    recording.person(2, "Bob", account=BOB, team=ORANGE)
    return recording, ann, recording.car(2)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    return type(value)


def test_replays_made_by_hand_look_as_the_library_parses_real_ones(realdata: Path) -> None:
    import subtr_actor

    parsed = subtr_actor.parse_replay((realdata / "rocket_league" / f"{DUEL}.replay").read_bytes())
    recording, ann, bob = one_car_each()
    recording.body(BALL, (0.0, 0.0, 93.0), (1.0, 2.0, 3.0))
    recording.body(ann, (0.0, 0.0, 17.0), (1.0, 2.0, 3.0))
    recording.countdown(3)
    recording.clock(300)
    recording.hit(True)
    recording.boost(ann, 100)
    recording.burn(ann, 1)
    recording.brake(ann, True)
    recording.hidden(ann, True)
    recording.touch(0)
    recording.stat(1, "Shots", 1)
    recording.demolition(bob, ann)
    recording.ball_cam(recording.camera(1), True)
    recording.pad(28, ann, 1)
    recording.goal(1, "Bob")
    own = recording.parsed()
    assert set(own) < set(parsed)
    assert set(own["network_frames"]["frames"][0]) == set(parsed["network_frames"]["frames"][0])
    assert set(own["keyframes"][0]) == set(parsed["keyframes"][0])
    assert _shape(own["properties"]["Goals"][0]) == _shape(parsed["properties"]["Goals"][0])
    real: dict[str, list[Any]] = {}
    for _, name, attribute in updates(parsed):
        real.setdefault(name, []).append(attribute)
    for _, name, attribute in updates(own):
        if name.endswith((":UniqueId", ":ReplicatedRBState")):
            # Several forms: which keys there are.
            (kind,) = attribute
            assert all(set(each[kind]) == set(attribute[kind]) for each in real[name]), name
        else:
            assert _shape(attribute) == _shape(real[name][0]), name
    news = {new["object_id"] for frame in own["network_frames"]["frames"] for new in frame["new_actors"]}
    kinds = {own["objects"][number] for number in news}
    assert kinds <= set(parsed["objects"])


# --- Cars -----------------------------------------------------------------------------------------


def test_a_car_is_where_it_was_last_said_to_be_and_known_to_be_sent_or_not() -> None:
    recording, car = one_car()
    recording.frame()
    recording.body(car, (10.0, 20.0, 17.0), (100.0, 0.0, 0.0))
    recording.frame()
    recording.frame()
    recording.body(car, (40.0, 20.0, 17.0))
    network = read(recording)
    assert network.position[:, 0, 0].tolist() == [0, 10, 10, 40]
    assert network.velocity[:, 0, 0].tolist() == [0, 100, 100, 0]
    assert network.sent[:, 0].tolist() == [True, True, False, True]
    assert network.clock == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_car_after_another_is_a_new_life_with_the_tank_of_a_new_car() -> None:
    recording, car = one_car()
    recording.frame()
    recording.boost(car, 200)
    recording.frame()
    recording.gone(car, car + 1)
    recording.frame()
    recording.car(1, (500.0, 0.0, 17.0))
    recording.frame()
    network = read(recording)
    life = network.life[:, 0]
    assert life[0] == life[1] >= 0
    assert life[2] == -1
    assert life[3] == life[4] >= 0
    assert life[3] != life[0]
    assert list(lives(network, 0)) == [(0, 1), (3, 4)]
    assert network.boost[[0, 1, 3, 4], 0].tolist() == [SPAWN_BOOST, 200, SPAWN_BOOST, SPAWN_BOOST]
    # Of a new car it is known.
    assert network.boost_sent[:, 0].tolist() == [True, True, False, True, False]
    assert np.isnan(network.position[2, 0]).all()


def test_an_actor_number_given_to_a_new_car_is_a_new_life() -> None:
    recording, car = one_car()
    recording.frame()
    recording.new(car, "Archetypes.Car.Car_Other")
    recording._refer(car, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.body(car, (7.0, 0.0, 17.0))
    network = read(recording)
    assert network.life[0, 0] != network.life[1, 0]
    assert network.position[:, 0, 0].tolist() == [0, 7]


def test_a_key_frame_repeats_nothing() -> None:
    recording, car, _ = one_car_each()
    recording.frame()
    recording.boost(car, 120)
    recording.touch(1)
    recording.body(BALL, (0.0, 0.0, 93.0), (1.0, 0.0, 0.0))
    recording.body(car, (10.0, 0.0, 17.0), (100.0, 0.0, 0.0))
    recording.stat(1, "Shots", 1)
    recording.frame(key=True)
    # Living actors are named again, and say the same once more.
    recording.new(car, "Archetypes.Car.Car_Default")
    recording.new(car + 1, "Archetypes.CarComponents.CarComponent_Boost")
    recording.tank_of(car + 1, car)
    recording.boost(car, 120)
    recording.touch(1)
    recording.body(BALL, (0.0, 0.0, 93.0), (1.0, 0.0, 0.0))
    recording.body(car, (10.0, 0.0, 17.0), (100.0, 0.0, 0.0))
    recording.stat(1, "Shots", 1)
    recording.frame(key=True)
    # What differs is news in a key frame, too.
    recording.boost(car, 130)
    recording.body(car, (11.0, 0.0, 17.0), (100.0, 0.0, 0.0))
    network = read(recording)
    assert network.life[:, 0].tolist() == [network.life[0, 0]] * 4
    assert network.boost_sent[:, 0].tolist() == [True, True, False, True]
    assert network.sent[:, 0].tolist() == [True, True, False, True]
    assert network.ball_sent.tolist() == [False, True, False, False]
    assert network.touch.tolist() == [-1, 1, -1, -1]
    assert list(network.changes) == [Change(1, 0, "shot")]


def test_outside_key_frames_the_same_said_again_is_news() -> None:
    recording, car = one_car()
    for _ in range(2):
        recording.frame()
        recording.touch(0)
        recording.body(car, (10.0, 0.0, 17.0), (100.0, 0.0, 0.0))
    network = read(recording)
    assert network.touch.tolist() == [-1, 0, 0]
    assert network.sent[:, 0].tolist() == [True, True, True]


def test_boost_that_is_sent_before_the_tanks_car_is_the_cars() -> None:
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    recording.new(11, "Archetypes.CarComponents.CarComponent_Boost")
    recording.boost(10, 60)
    recording.burn(10, 1)
    recording.new(10, "Archetypes.Car.Car_Default")
    recording._refer(10, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.body(10, (0.0, 0.0, 17.0))
    recording.frame()
    recording.tank_of(11, 10)
    network = read(recording)
    assert network.boost[:, 0].tolist() == [60, 60]
    assert network.is_burning[:, 0].tolist() == [True, True]


def test_what_a_tank_says_after_its_car_went_is_not_of_the_next_car() -> None:
    recording, car = one_car()
    recording.frame()
    recording.gone(car)
    recording.frame()
    recording.boost(car, 3)
    recording.frame()
    recording.new(car + 5, "Archetypes.Car.Car_Default")
    recording._refer(car + 5, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.tank_of(car + 1, car + 5)
    recording.body(car + 5, (0.0, 0.0, 17.0))
    network = read(recording)
    assert network.boost[3, 0] == SPAWN_BOOST


@pytest.mark.parametrize("send", [Recording.boost, Recording.old_boost])
def test_boost_is_read_in_the_form_of_every_year(send: Callable[[Recording, int, int], None]) -> None:
    recording, car = one_car()
    recording.frame()
    send(recording, car, 42)
    assert read(recording).boost[:, 0].tolist() == [SPAWN_BOOST, 42]


def test_burns_and_brakes_hold_until_told_otherwise() -> None:
    recording, car = one_car()
    for burn, brake in ((1, True), (None, None), (2, False)):
        recording.frame()
        if burn is not None:
            recording.burn(car, burn)
            recording.brake(car, bool(brake))
    # Of a jump, say, no burn comes.
    recording.new(19, "Archetypes.CarComponents.CarComponent_Jump")
    recording.tank_of(19, car)
    recording.say(19, "TAGame.CarComponent_TA:ReplicatedActive", "Byte", 1)
    recording.frame()
    network = read(recording)
    assert network.is_burning[:, 0].tolist() == [False, True, True, False, False]
    assert network.brakes[:, 0].tolist() == [False, True, True, False, False]


def test_a_hidden_car_is_not_on_the_field_but_in_the_first_frame_it_is() -> None:
    recording, car = one_car()
    recording.hidden(car, True)
    recording.frame()
    recording.hidden(car, False)
    recording.frame()
    recording.hidden(car, True)
    recording.frame()
    network = read(recording)
    assert (network.life[:, 0] >= 0).tolist() == [True, True, False, False]


def test_cars_of_the_game_after_the_game_are_none() -> None:
    recording, _ = one_car()
    recording.frame()
    recording.new(50, "Archetypes.Car.Car_PostGameLobby")
    recording._refer(50, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.body(50, (9.0, 9.0, 17.0))
    assert read(recording).position[:, 0, 0].tolist() == [0, 0]


# --- Units ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("net_version", "place", "speed"), [(None, 100, 10), (2, 100, 10), (5, 1, 1), (11, 1, 1)])
def test_places_and_speeds_are_in_unreal_units_in_every_year(net_version: int | None, place: int, speed: int) -> None:
    recording = Recording(net_version)
    recording.person(1, "Ann", account=ANN)
    recording.car(1, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    recording.body(BALL, (7.0, 8.0, 9.0), (1.0, 1.0, 2.0))
    network = read(recording)
    assert network.position[0, 0].tolist() == [1 * place, 2 * place, 3 * place]
    assert network.velocity[0, 0].tolist() == [4 * speed, 5 * speed, 6 * speed]
    assert network.ball[0].tolist() == [7 * place, 8 * place, 9 * place]
    assert network.ball_velocity[0].tolist() == [speed, speed, 2 * speed]


def _turned(rotation: np.ndarray, vector: list[float]) -> list[float]:
    axis, w = rotation[:3], rotation[3]
    twice = 2 * np.cross(axis, vector)
    return (np.asarray(vector) + w * twice + np.cross(axis, twice)).round(6).tolist()


@pytest.mark.parametrize(
    ("angles", "nose", "roof"),
    [
        ((0.0, 0.0, 0.0), [1, 0, 0], [0, 0, 1]),
        ((0.0, 0.5, 0.0), [0, 1, 0], [0, 0, 1]),
        # A car rolls to its right, which for Unreal's left-handed axes is -x here.
        ((0.0, 0.5, 0.5), [0, 1, 0], [-1, 0, 0]),
        ((0.0, 0.5, -0.5), [0, 1, 0], [1, 0, 0]),
    ],
)
def test_angles_of_earlier_years_are_turned_to_quaternions(
    angles: tuple[float, float, float], nose: list[float], roof: list[float]
) -> None:
    recording = Recording(2)
    recording.person(1, "Ann", account=ANN)
    recording.car(1)
    recording.body(10, (0.0, 0.0, 0.17), None, (*angles, 0.0))
    [rotation] = read(recording).rotation[:, 0]
    assert _turned(rotation, [1, 0, 0]) == pytest.approx(nose, abs=1e-6)
    assert _turned(rotation, [0, 0, 1]) == pytest.approx(roof, abs=1e-6)


def test_cars_on_a_real_wall_have_their_wheels_on_it_and_drive_forwards(realdata: Path) -> None:
    network, _ = network_of((realdata / "rocket_league" / f"{LAN}.replay").read_bytes())
    place, velocity, turn = network.position, network.velocity, network.rotation
    on_wall = (abs(place[..., 0]) > 4050) & (abs(place[..., 1]) < 3500) & (place[..., 2] > 300) & (place[..., 2] < 1500)
    on_wall &= np.linalg.norm(velocity, axis=2) > 500
    assert on_wall.sum() > 200
    roofs = [_turned(each, [0, 0, 1])[0] for each in turn[on_wall]]
    towards_field = np.array(roofs) * -np.sign(place[on_wall][:, 0])
    assert np.mean(towards_field > 0.9) > 0.95
    noses = np.array([_turned(each, [1, 0, 0]) for each in turn[on_wall]])
    forwards = (noses * velocity[on_wall]).sum(axis=1) / np.linalg.norm(velocity[on_wall], axis=1)
    assert np.median(forwards) > 0.99


# --- People ---------------------------------------------------------------------------------------


def test_who_only_looks_on_did_not_play() -> None:
    recording, *_ = one_car_each()
    recording.person(3, "Cem", account=CEM)
    assert [player.name for player in read(recording).players] == ["Ann", "Bob"]


def test_blue_comes_first_and_everybody_has_the_name_and_team_told_last() -> None:
    recording = Recording()
    recording.person(1, "Ann", account=ANN, team=ORANGE)
    recording.person(2, "Bob", account=BOB)
    recording.car(1)
    recording.car(2, (5.0, 0.0, 17.0))
    recording.frame()
    recording.say(1, "Engine.PlayerReplicationInfo:PlayerName", "String", "Anna")
    network = read(recording)
    found = [(player.player_id, player.name, player.is_orange, player.is_bot) for player in network.players]
    assert found == [(f"steam_{BOB}", "Bob", False, False), (f"steam_{ANN}", "Anna", True, False)]
    assert network.position[0, :, 0].tolist() == [5, 0]
    assert network.is_orange.tolist() == [False, True]


def test_bots_play_though_they_have_no_account() -> None:
    recording, _ = one_car()
    recording.person(2, "Sundown", team=ORANGE, bot=True)
    recording.car(2, (3.0, 0.0, 17.0))
    recording.person(3, "Beast", team=ORANGE, bot=True)
    recording.car(3, (4.0, 0.0, 17.0))
    network = read(recording)
    assert [(player.name, player.is_bot) for player in network.players] == [
        ("Ann", False), ("Sundown", True), ("Beast", True),
    ]  # fmt: skip
    assert all(player.player_id.startswith("guest_") for player in network.players[1:])
    assert network.position[0, :, 0].tolist() == [0, 3, 4]


def test_a_car_may_come_before_its_player_is_told() -> None:
    recording = Recording()
    recording.car(1, (5.0, 0.0, 17.0))
    recording.frame()
    recording.person(1, "Ann", account=ANN)
    network = read(recording)
    assert network.players[0].player_id == f"steam_{ANN}"
    assert network.position[:, 0, 0].tolist() == [5, 5]


def test_who_leaves_and_comes_back_is_one_player() -> None:
    recording, _ = one_car()
    recording.frame()
    recording.gone(1, 10, 11)
    recording.frame()
    recording.person(2, "Ann", account=ANN)
    recording.car(2, (9.0, 0.0, 17.0))
    network = read(recording)
    assert [player.player_id for player in network.players] == [f"steam_{ANN}"]
    assert (network.life[:, 0] >= 0).tolist() == [True, False, True]


def test_in_the_real_match_in_which_people_came_and_went_bots_filled_in(realdata: Path) -> None:
    import subtr_actor

    content = (realdata / "rocket_league" / f"{COME_AND_GO}.replay").read_bytes()
    network, _ = network_of(content)
    bots: set[str] = set()
    for frame in (parsed := subtr_actor.parse_replay(content))["network_frames"]["frames"]:
        said: dict[int, dict[str, Any]] = {}
        for update in frame["updated_actors"]:
            name = parsed["objects"][update["object_id"]].rsplit(":", 1)[-1]
            said.setdefault(update["actor_id"], {})[name] = next(iter(update["attribute"].values()))
        bots |= {each["PlayerName"] for each in said.values() if each.get("bBot")}
    assert {player.name for player in network.players if player.is_bot} == bots
    assert len(bots) == 4
    # At most three a side are on the field at once, though thirteen played.
    assert len(network.players) == 13
    for is_orange in (False, True):
        assert (network.life[:, network.is_orange == is_orange] >= 0).sum(axis=1).max() == 3


# --- What happened --------------------------------------------------------------------------------


def test_counts_that_rise_are_events() -> None:
    recording, *_ = one_car_each()
    recording.frame()
    recording.stat(1, "Shots", 1)
    recording.stat(1, "Goals", 1)
    recording.frame()
    recording.stat(1, "Shots", 3)
    recording.stat(2, "Saves", 1)
    recording.stat(2, "Assists", 1)
    recording.frame()
    recording.stat(1, "Shots", 3)
    assert sorted((change.frame, change.kind, change.player) for change in read(recording).changes) == [
        (1, "goal", 0), (1, "shot", 0), (2, "assist", 1), (2, "save", 1), (2, "shot", 0), (2, "shot", 0),
    ]  # fmt: skip


def test_what_had_happened_before_a_recording_is_no_event() -> None:
    recording, *_ = one_car_each()
    recording.stat(1, "Goals", 2)
    recording.frame()
    recording.stat(1, "Goals", 3)
    assert list(read(recording).changes) == [Change(1, 0, "goal")]


def test_counts_go_on_when_a_player_comes_back() -> None:
    recording, _ = one_car()
    recording.frame()
    recording.stat(1, "Shots", 2)
    recording.frame()
    recording.gone(1, 10, 11)
    recording.person(2, "Ann", account=ANN)
    recording.car(2)
    recording.stat(2, "Shots", 0)
    recording.frame()
    recording.stat(2, "Shots", 2)
    recording.frame()
    recording.stat(2, "Shots", 3)
    assert [change.frame for change in read(recording).changes] == [1, 1, 4]


def test_a_demolition_counts_once_however_often_it_is_told() -> None:
    recording, ann, bob = one_car_each()
    recording.frame()
    recording.demolition(bob, ann)
    recording.frame()
    recording.demolition(bob, ann)
    recording.frame(key=True)
    recording.demolition(bob, ann)
    recording.gone(ann, ann + 1)
    # Three seconds later she is back, and it happens again.
    for _ in range(30):
        recording.frame()
    ann = recording.car(1)
    recording.frame()
    recording.demolition(bob, ann)
    assert list(read(recording).changes) == [Change(1, 1, "demolition", 0), Change(34, 1, "demolition", 0)]


def test_who_leaves_is_demolished_by_nobody() -> None:
    recording, ann, _ = one_car_each()
    recording.frame()
    recording.demolition(-1, ann)
    assert list(read(recording).changes) == []


def test_demolitions_of_earlier_years_count() -> None:
    recording, ann, bob = one_car_each()
    recording.frame()
    found = {"attacker_flag": True, "attacker": ann, "victim_flag": True, "victim": bob}
    recording.say(bob, "TAGame.Car_TA:ReplicatedDemolish", "Demolish", found)
    assert list(read(recording).changes) == [Change(1, 0, "demolition", 1)]


# --- Cameras and boost pads -----------------------------------------------------------------------


def test_a_camera_looks_at_the_ball_from_one_word_to_the_next() -> None:
    recording, _, _ = one_car_each()
    ann, bob = recording.camera(1), recording.camera(2)
    recording.ball_cam(ann, True)
    recording.frame()
    recording.ball_cam(bob, False)
    recording.frame(key=True)
    recording.ball_cam(ann, True)
    recording.frame()
    recording.ball_cam(ann, False)
    recording.ball_cam(bob, True)
    recording.frame()
    # Another camera comes in place of the first.
    recording.gone(bob)
    recording.frame()
    recording.ball_cam(recording.camera(2, 2), False)
    assert list(read(recording).changes) == [
        Change(0, 0, "ball_cam_on"),
        Change(3, 0, "ball_cam_off"),
        Change(3, 1, "ball_cam_on"),
        Change(5, 1, "ball_cam_off"),
    ]


def test_a_camera_may_come_before_its_player_and_a_spectators_does_not_count() -> None:
    recording, _ = one_car()
    recording.person(3, "Cem", account=CEM)
    recording.new(15, "TAGame.Default__CameraSettingsActor_TA")
    recording.ball_cam(15, True)
    recording.frame()
    recording.camera(1)
    recording.ball_cam(recording.camera(3), True)
    assert list(read(recording).changes) == [Change(0, 0, "ball_cam_on")]


def test_a_boost_pad_is_taken_once_whatever_key_frames_say_again() -> None:
    recording, ann, bob = one_car_each()
    recording.pad(28, None, 255)
    recording.frame()
    recording.pad(28, ann, 1)
    recording.frame(key=True)
    recording.pad(28, ann, 1)
    recording.frame()
    recording.pad(28, None, 255)
    recording.frame()
    recording.pad(28, bob, 2)
    # By a car that nobody knows.
    recording.pad(4, 99, 1)
    assert list(read(recording).changes) == [Change(1, 0, "pad_taken"), Change(4, 1, "pad_taken")]


def test_real_goals_shots_saves_and_assists_are_those_of_the_scoreboard(realdata: Path) -> None:
    content = (realdata / "rocket_league" / f"{PAIRS[0]}.replay").read_bytes()
    network, _ = network_of(content)
    header = header_of(content)
    for row in header["PlayerStats"]:
        (number,) = (n for n, player in enumerate(network.players) if player.name == row["Name"])
        for kind in ("Shots", "Saves", "Assists", "Goals"):
            events = [
                change for change in network.changes if change.player == number and change.kind == kind[:-1].lower()
            ]
            assert len(events) == row[kind], (row["Name"], kind)
    assert list(network.goals) == [(goal["frame"], goal["PlayerTeam"]) for goal in header["Goals"]]
    assert len(network.goals) == 5


# --- Phases ---------------------------------------------------------------------------------------


def test_a_match_goes_through_countdowns_play_and_goal_replays() -> None:
    recording = Recording()
    recording.person(1, "Ann", account=ANN)
    recording.state("Countdown")
    recording.countdown(3)
    recording.car(1)
    for step, state, countdown in (
        (0.1, None, 2), (0.1, "Active", 0), (0.1, None, None), (0.1, "PostGoalScored", None), (0.1, None, None),
        # The goal replay was skipped.
        (5.0, "Countdown", None), (0.1, None, 3), (0.1, "Active", 0), (0.1, None, None),
    ):  # fmt: skip
        recording.frame(step)
        if state is not None:
            recording.state(state)
        if countdown is not None:
            recording.countdown(countdown)
    network = read(recording)
    assert network.round.tolist() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert network.step == pytest.approx([0, 0.1, 0.1, 0.1, 0.1, 0.1, 0, 0.1, 0.1, 0.1])
    assert network.in_countdown.tolist() == [True, True, *[False] * 5, True, False, False]
    assert network.is_live.tolist() == [False, False, True, True, *[False] * 4, True, True]


def _phases(text: str) -> tuple[list[int], list[float], str]:
    """Frames a second apart: W waits, K stands before a kick-off, C counts down to it, A is play, G a goal."""
    state = np.array(["KCAGW".index(each) for each in text.replace("C", "K")], dtype=float)
    round_number, step, is_live = phases(
        np.arange(len(text), dtype=float), state, np.array([each == "C" for each in text])
    )
    return round_number.tolist(), step.tolist(), "".join("x" if each else "." for each in is_live)


@pytest.mark.parametrize(
    ("text", "rounds", "lost", "live"),
    [
        ("KCCAAGGKCAA", [1] * 7 + [2] * 4, [0, 7], "...xx....xx"),
        # A goal replay of which some frames were recorded.
        ("KCAGWKCA", [1] * 5 + [2] * 3, [0, 4, 5], "..x....x"),
        # Waiting for players is part of the first round.
        ("WKCAAGKCA", [1] * 6 + [2] * 3, [0, 1, 6], "...xx...x"),
        # A recording that begins in the middle of a match: what was played so far is a round of its own.
        ("AAGKCAAG", [1] * 3 + [2] * 5, [0, 3], "xx...xx."),
        ("GGKCAA", [1] * 6, [0, 2], "....xx"),
        # Without a kick-off it is all play.
        ("AAAG", [1] * 4, [0], "xxx."),
        ("KCC", [1] * 3, [0], "x.."),
        ("AAWWA", [1] * 5, [0], "xx..x"),
    ],
)
def test_rounds_begin_with_kickoffs_and_play_is_what_follows_them(
    text: str, rounds: list[int], lost: list[int], live: str
) -> None:
    assert _phases(text) == (rounds, [0.0 if number in lost else 1.0 for number in range(len(text))], live)


def test_a_clock_that_goes_back_costs_no_time() -> None:
    recording, _ = one_car()
    recording.frame(-3.0)
    recording.frame(0.1)
    assert read(recording).step == pytest.approx([0, 0, 0.1])


def test_a_replay_without_frames_says_so() -> None:
    for frames in (None, {"frames": []}):
        with pytest.raises(UnreadableReplayError, match="has a header, and no frames"):
            read_network(Recording().parsed() | {"network_frames": frames})


# --- Anything -------------------------------------------------------------------------------------

_ACTS: dict[str, Callable[[Recording, int], None]] = {
    "frame": lambda recording, n: None,
    "key": lambda recording, n: None,
    "person": lambda recording, n: recording.person(n, "X", account=str(n), bot=n == 4),
    "car": lambda recording, n: void(recording.car(n, (float(n), 0.0, 17.0), (n * 1.0, 0.0, 0.0))),
    "move": lambda recording, n: recording.body(10 * n, (n * 2.0, 1.0, 17.0), (n * 3.0, 0.0, 0.0)),
    "ball": lambda recording, n: recording.body(BALL, (n * 2.0, 1.0, 93.0), (n * 30.0, 0.0, 0.0)),
    "boost": lambda recording, n: recording.boost(10 * n, 50 * n),
    "burn": lambda recording, n: recording.burn(10 * n, n),
    "brake": lambda recording, n: recording.brake(10 * n, n % 2 == 0),
    "hide": lambda recording, n: recording.hidden(10 * n, n % 2 == 0),
    "touch": lambda recording, n: recording.touch(n % 3),
    "stat": lambda recording, n: recording.stat(n, "Shots", n),
    "demolish": lambda recording, n: recording.demolition(10 * n, 10 * (n % 4 + 1)),
    "car goes": lambda recording, n: recording.gone(10 * n),
    "tank goes": lambda recording, n: recording.gone(10 * n + 1),
    "person goes": lambda recording, n: recording.gone(n),
    "state": lambda recording, n: recording.state(
        ("Countdown", "Active", "PostGoalScored", "WaitingForPlayers")[n - 1]
    ),
    "countdown": lambda recording, n: recording.countdown(n - 1),
    "goal": lambda recording, n: recording.goal(n % 2),
}
ACTS = st.lists(st.tuples(st.sampled_from(sorted(_ACTS)), st.integers(1, 4)), max_size=80)


def void(_: object) -> None:
    """Nothing."""


def recording_of(acts: list[tuple[str, int]]) -> Recording:
    """A replay in which anything happens in any order."""
    recording = Recording()
    for name, number in acts:
        if name in ("frame", "key"):
            recording.frame(0.1 * (number - 1), key=name == "key")
        _ACTS[name](recording, number)
    return recording


@given(ACTS)
def test_whatever_is_sent_in_whatever_order_cars_are_whole(acts: list[tuple[str, int]]) -> None:
    network = read(recording_of(acts))
    there = network.life >= 0
    assert np.isfinite(network.position[there]).all()
    assert not (network.sent & ~there).any()
    assert not (network.boost_sent & ~there).any()
    assert set(network.boost[there]) <= {SPAWN_BOOST, 50, 100, 150, 200}
    assert sorted(player.is_orange for player in network.players) == [player.is_orange for player in network.players]
    assert all(there[:, number].any() for number in range(len(network.players)))
    frames = [change.frame for change in network.changes]
    assert frames == sorted(frames)
    for number in range(len(network.players)):
        assert sum(last - first + 1 for first, last in lives(network, number)) == there[:, number].sum()
