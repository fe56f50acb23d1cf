"""The walk over a replay's updates: what is news, whose car it is, and what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import subtr_actor
from hypothesis import given
from hypothesis import strategies as st

from gamestats_assets.rocket_league.replays.network import (
    SPAWN_BOOST,
    Change,
    Network,
    UnreadableReplayError,
    lives,
    phases,
    read_network,
)
from gamestats_assets_tests.rocket_league.replays.recordings import ANN, BOB, Recording, recorded, updates
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.rocket_league.support.files import header_of
from gamestats_assets_tests.rocket_league.support.real_files import COME_AND_GO, DUEL, LAN, PAIRS


def read(*frames: str, net_version: int | None = 10) -> Network:
    """What the walk makes of a replay made by hand."""
    return read_network(recorded(*frames, net_version=net_version).parsed())


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(each) for name, each in value.items()}
    return type(value)


def test_replays_made_by_hand_look_as_the_library_parses_real_ones(realdata: Path) -> None:
    parsed = subtr_actor.parse_replay(real_files.replay(realdata, DUEL))
    own = recorded(
        "driver ann; driver bob; ball 0,0,93 1,2,3; body ann 0,0,17 1,2,3; countdown 3; clock 300; hit 1;"
        "boost ann 100; burn ann 1; brake ann 1; hidden ann 1; touch 0; stat ann Shots 1; demolition bob ann;"
        "camera ann 1; pad 28 ann 1; goal 1 Bob"
    ).parsed()
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
    assert {own["objects"][number] for number in news} <= set(parsed["objects"])


# --- Cars -----------------------------------------------------------------------------------------


def test_a_car_stays_where_it_was_last_sent_and_whether_it_was_sent_is_known() -> None:
    network = read("driver ann", "body ann 10,20,17 100,0,0", "", "body ann 40,20,17")
    assert network.position[:, 0, 0].tolist() == [0, 10, 10, 40]
    assert network.velocity[:, 0, 0].tolist() == [0, 100, 100, 0]
    assert network.sent[:, 0].tolist() == [True, True, False, True]
    assert network.clock == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_car_after_another_is_a_new_life_with_the_tank_of_a_new_car() -> None:
    network = read("driver ann", "boost ann 200", "wreck ann", "car ann 500,0,17", "")
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
    recording = recorded("driver ann", "")
    recording.new(10, "Archetypes.Car.Car_Other")
    recording.refer(10, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.body(10, (7.0, 0.0, 17.0))
    network = read_network(recording.parsed())
    assert network.life[0, 0] != network.life[1, 0]
    assert network.position[:, 0, 0].tolist() == [0, 7]


def test_a_key_frame_repeats_nothing() -> None:
    news = "boost ann 120; touch 1; ball 0,0,93 1,0,0; body ann 10,0,17 100,0,0; stat ann Shots 1"
    recording = recorded("driver ann; driver bob", news, f"key: {news}")
    # Living actors are named again, and what differs is news in a key frame, too.
    recording.new(10, "Archetypes.Car.Car_Default")
    recording.new(11, "Archetypes.CarComponents.CarComponent_Boost")
    recording.frame(key=True)
    recording.act("boost ann 130", "body ann 11,0,17 100,0,0")
    network = read_network(recording.parsed())
    assert network.life[:, 0].tolist() == [network.life[0, 0]] * 4
    assert network.boost_sent[:, 0].tolist() == [True, True, False, True]
    assert network.sent[:, 0].tolist() == [True, True, False, True]
    assert network.ball_sent.tolist() == [False, True, False, False]
    assert network.touch.tolist() == [-1, 1, -1, -1]
    assert list(network.changes) == [Change(1, 0, "shot")]


def test_outside_key_frames_the_same_sent_again_is_news() -> None:
    network = read("driver ann", *["touch 0; body ann 10,0,17 100,0,0"] * 2)
    assert network.touch.tolist() == [-1, 0, 0]
    assert network.sent[:, 0].tolist() == [True, True, True]


def test_boost_that_is_sent_before_the_tanks_car_is_the_cars() -> None:
    recording = recorded("person ann")
    recording.new(11, "Archetypes.CarComponents.CarComponent_Boost")
    recording.act("boost ann 60", "burn ann 1")
    recording.new(10, "Archetypes.Car.Car_Default")
    recording.refer(10, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.body(10, (0.0, 0.0, 17.0))
    recording.frame()
    recording.tank_of(11, 10)
    network = read_network(recording.parsed())
    assert network.boost[:, 0].tolist() == [60, 60]
    assert network.is_burning[:, 0].tolist() == [True, True]


def test_what_a_tank_sends_after_its_car_went_is_not_of_the_next_car() -> None:
    recording = recorded("driver ann", "gone 10", "boost ann 3", "")
    recording.new(15, "Archetypes.Car.Car_Default")
    recording.refer(15, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.tank_of(11, 15)
    recording.body(15, (0.0, 0.0, 17.0))
    assert read_network(recording.parsed()).boost[3, 0] == SPAWN_BOOST


@pytest.mark.parametrize("form", ["boost", "old_boost"])
def test_boost_is_read_in_the_form_of_every_year(form: str) -> None:
    assert read("driver ann", f"{form} ann 42").boost[:, 0].tolist() == [SPAWN_BOOST, 42]


def test_burns_and_brakes_hold_until_they_end() -> None:
    recording = recorded("driver ann", "burn ann 1; brake ann 1", "", "burn ann 2; brake ann 0")
    # Of a jump, say, no burn comes.
    recording.new(19, "Archetypes.CarComponents.CarComponent_Jump")
    recording.tank_of(19, 10)
    recording.say(19, "TAGame.CarComponent_TA:ReplicatedActive", "Byte", 1)
    recording.frame()
    network = read_network(recording.parsed())
    assert network.is_burning[:, 0].tolist() == [False, True, True, False, False]
    assert network.brakes[:, 0].tolist() == [False, True, True, False, False]


def test_a_hidden_car_is_not_on_the_field_but_in_the_first_frame_it_is() -> None:
    network = read("driver ann; hidden ann 1", "hidden ann 0", "hidden ann 1", "")
    assert (network.life[:, 0] >= 0).tolist() == [True, True, False, False]


def test_cars_of_the_lobby_after_the_game_are_none() -> None:
    recording = recorded("driver ann", "")
    recording.new(50, "Archetypes.Car.Car_PostGameLobby")
    recording.refer(50, "Engine.Pawn:PlayerReplicationInfo", 1)
    recording.body(50, (9.0, 9.0, 17.0))
    assert read_network(recording.parsed()).position[:, 0, 0].tolist() == [0, 0]


# --- Units ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("net_version", "place", "speed"), [(None, 100, 10), (2, 100, 10), (5, 1, 1), (11, 1, 1)])
def test_places_and_speeds_are_in_unreal_units_in_every_year(net_version: int | None, place: int, speed: int) -> None:
    network = read("driver ann 1,2,3 4,5,6; ball 7,8,9 1,1,2", net_version=net_version)
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
        ("0,0,0", [1, 0, 0], [0, 0, 1]),
        ("0,0.5,0", [0, 1, 0], [0, 0, 1]),
        # A car rolls to its right, which for Unreal's left-handed axes is -x here.
        ("0,0.5,0.5", [0, 1, 0], [-1, 0, 0]),
        ("0,0.5,-0.5", [0, 1, 0], [1, 0, 0]),
    ],
)
def test_angles_of_earlier_years_are_turned_to_quaternions(angles: str, nose: list[float], roof: list[float]) -> None:
    [rotation] = read(f"driver ann; body ann 0,0,0.17 - {angles},0", net_version=2).rotation[:, 0]
    assert _turned(rotation, [1, 0, 0]) == pytest.approx(nose, abs=1e-6)
    assert _turned(rotation, [0, 0, 1]) == pytest.approx(roof, abs=1e-6)


def test_cars_on_a_real_wall_have_their_wheels_on_it_and_drive_forwards(realdata: Path) -> None:
    network = real_files.network(realdata, LAN)
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


def test_blue_comes_first_with_the_last_name_and_spectators_did_not_play() -> None:
    network = read("driver ann orange; driver bob 5,0,17 blue; person cem", "name ann Anna")
    found = [(player.player_id, player.name, player.is_orange, player.is_bot) for player in network.players]
    assert found == [(f"steam_{BOB}", "Bob", False, False), (f"steam_{ANN}", "Anna", True, False)]
    assert network.position[0, :, 0].tolist() == [5, 0]
    assert network.is_orange.tolist() == [False, True]


def test_bots_play_though_they_have_no_account() -> None:
    network = read("driver ann; driver bob bot 3,0,17; driver cem bot orange 4,0,17")
    assert [(player.name, player.is_bot) for player in network.players] == [
        ("Ann", False),
        ("Bob", True),
        ("Cem", True),
    ]
    assert all(player.player_id.startswith("guest_") for player in network.players[1:])
    assert network.position[0, :, 0].tolist() == [0, 3, 4]


def test_a_car_may_come_before_its_player() -> None:
    network = read("car ann 5,0,17", "person ann")
    assert network.players[0].player_id == f"steam_{ANN}"
    assert network.position[:, 0, 0].tolist() == [5, 5]


def test_who_leaves_and_comes_back_is_one_player() -> None:
    network = read(
        "driver ann",
        "stat ann Shots 2",
        "leave ann",
        "driver 5 ann 9,0,17; stat 5 Shots 0",
        "stat 5 Shots 2",
        "stat 5 Shots 3",
    )
    assert [player.player_id for player in network.players] == [f"steam_{ANN}"]
    assert (network.life[:, 0] >= 0).tolist() == [True, True, False, True, True, True]
    assert [change.frame for change in network.changes] == [1, 1, 5]


def test_in_the_real_match_in_which_people_came_and_went_bots_filled_in(realdata: Path) -> None:
    network = real_files.network(realdata, COME_AND_GO)
    bots: set[str] = set()
    for frame in (parsed := subtr_actor.parse_replay(real_files.replay(realdata, COME_AND_GO)))["network_frames"][
        "frames"
    ]:
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

BOTH = "driver ann; driver bob"


@pytest.mark.parametrize(
    ("frames", "changes"),
    [
        # Counts that rise, once each; what had happened before the recording is none.
        (
            [
                f"{BOTH}; stat ann Saves 2",
                "stat ann Shots 1; stat ann Goals 1",
                "stat ann Shots 3; stat bob Saves 1; stat bob Assists 1; stat ann Saves 3",
                "stat ann Shots 3",
            ],
            ["1 0 goal", "1 0 shot", "2 0 save", "2 0 shot", "2 0 shot", "2 1 assist", "2 1 save"],
        ),
        # A demolition counts once, however often it is sent; who is back three seconds later may be demolished again.
        (
            [
                BOTH,
                *["demolition bob ann"] * 2,
                "key: demolition bob ann; wreck ann",
                *[""] * 30,
                "car ann",
                "demolition bob ann",
            ],
            ["1 1 demolition 0", "35 1 demolition 0"],
        ),
        # Who leaves is demolished by nobody, and a car without a known player counts as no victim.
        ([BOTH, "demolition -1 ann"], []),
        ([BOTH, "car cem; demolition ann cem", "demolition cem ann"], ["2 None demolition 0"]),
        # A camera looks at the ball until it says otherwise; another camera comes in place of the first.
        (
            [
                BOTH,
                "camera ann 1",
                "key: camera bob 0; camera ann 1",
                "camera ann 0; camera bob 1",
                "gone 25",
                "camera bob 0 2",
            ],
            ["1 0 ball_cam_on", "3 0 ball_cam_off", "3 1 ball_cam_on", "5 1 ball_cam_off"],
        ),
        # A spectator's camera does not count.
        (["driver ann; person cem", "camera cem 1"], []),
        # A boost pad is taken once, whatever key frames repeat, and by no car that is unknown.
        (
            [BOTH + "; pad 28 - 255", "pad 28 ann 1", "key: pad 28 ann 1", "pad 28 - 255", "pad 28 bob 2; pad 4 99 1"],
            ["1 0 pad_taken", "4 1 pad_taken"],
        ),
    ],
)
def test_what_happened_is_one_change_of_whom_it_was(frames: list[str], changes: list[str]) -> None:
    found = [
        " ".join(map(str, (each.frame, each.player, each.kind, *([] if each.other is None else [each.other]))))
        for each in read(*frames).changes
    ]
    assert sorted(found, key=lambda change: int(change.split()[0])) == found
    assert sorted(found) == sorted(changes)


def test_demolitions_of_earlier_years_count() -> None:
    recording = recorded(BOTH, "")
    found = {"attacker_flag": True, "attacker": 10, "victim_flag": True, "victim": 20}
    recording.say(20, "TAGame.Car_TA:ReplicatedDemolish", "Demolish", found)
    assert list(read_network(recording.parsed()).changes) == [Change(1, 0, "demolition", 1)]


def test_a_camera_may_come_before_its_player() -> None:
    recording = recorded("driver ann")
    recording.new(15, "TAGame.Default__CameraSettingsActor_TA")
    recording.say(15, "TAGame.CameraSettingsActor_TA:bUsingSecondaryCamera", "Boolean", True)
    recording.frame()
    recording.camera(1)
    assert list(read_network(recording.parsed()).changes) == [Change(0, 0, "ball_cam_on")]


def test_real_goals_shots_saves_and_assists_are_those_of_the_scoreboard(realdata: Path) -> None:
    network, header = real_files.network(realdata, PAIRS[0]), header_of(real_files.replay(realdata, PAIRS[0]))
    for row in header["PlayerStats"]:
        (number,) = (n for n, player in enumerate(network.players) if player.name == row["Name"])
        for kind in ("Shots", "Saves", "Assists", "Goals"):
            kinds = [change.kind for change in network.changes if change.player == number]
            assert kinds.count(kind[:-1].lower()) == row[kind], (row["Name"], kind)
    assert list(network.goals) == [(goal["frame"], goal["PlayerTeam"]) for goal in header["Goals"]]
    assert len(network.goals) == 5


# --- Phases ---------------------------------------------------------------------------------------


def test_a_match_goes_through_countdowns_play_and_goal_replays() -> None:
    network = read(
        "person ann; state Countdown; countdown 3; car ann", "countdown 2", "state Active; countdown 0", "",
        "state PostGoalScored", "", "5: state Countdown", "countdown 3", "state Active; countdown 0", "",
    )  # fmt: skip
    assert network.round.tolist() == [1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert network.step == pytest.approx([0, 0.1, 0.1, 0.1, 0.1, 0.1, 0, 0.1, 0.1, 0.1])
    assert network.in_countdown.tolist() == [True, True, *[False] * 5, True, False, False]
    assert network.is_live.tolist() == [False, False, True, True, *[False] * 4, True, True]


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
    # Frames a second apart: W waits, K stands before a kick-off, C counts down to it, A is play, G a goal.
    state = np.array(["KCAGW".index(each) for each in text.replace("C", "K")], dtype=float)
    found, step, is_live = phases(np.arange(len(text), dtype=float), state, np.array([each == "C" for each in text]))
    assert found.tolist() == rounds
    assert step.tolist() == [0.0 if number in lost else 1.0 for number in range(len(text))]
    assert "".join("x" if each else "." for each in is_live) == live


def test_a_clock_that_goes_back_costs_no_time() -> None:
    assert read("driver ann", "-3:", "0.1:").step == pytest.approx([0, 0, 0.1])


def test_a_replay_without_frames_says_so() -> None:
    for frames in (None, {"frames": []}):
        with pytest.raises(UnreadableReplayError, match="has a header but no frames"):
            read_network(Recording().parsed() | {"network_frames": frames})


# --- Anything -------------------------------------------------------------------------------------

_ACTS = (
    "frame", "key", "person {n}", "car {n} {n},0,17 {n},0,0", "body {n} {n},1,17 {n},0,0", "ball {n},1,93 {n},0,0",
    "boost {n} {n}0", "burn {n} {n}", "brake {n} {n}", "hidden {n} {n}", "hidden {n} 0", "touch 0", "touch 1",
    "stat {n} Shots {n}", "demolition {n} 1", "demolition 2 {n}", "gone {n}0", "gone {n}1", "gone {n}",
    "state Countdown", "state Active", "state PostGoalScored", "state WaitingForPlayers", "countdown {n}",
    "countdown 0", "goal 0", "goal 1",
)  # fmt: skip
ANYTHING = st.lists(st.tuples(st.sampled_from(_ACTS), st.integers(1, 4)), max_size=80)


def recording_of(acts: list[tuple[str, int]]) -> Recording:
    """A replay in which anything happens in any order."""
    lines = [""]
    for act, number in acts:
        if act in ("frame", "key"):
            lines.append(f"{0.1 * (number - 1)} {act.replace('frame', '')}:")
        else:
            lines[-1] += f"; {act.format(n=number)}"
    return recorded(*lines)


@given(ANYTHING)
def test_whatever_is_sent_in_whatever_order_cars_are_whole(acts: list[tuple[str, int]]) -> None:
    network = read_network(recording_of(acts).parsed())
    there = network.life >= 0
    assert np.isfinite(network.position[there]).all()
    assert not (network.sent & ~there).any()
    assert not (network.boost_sent & ~there).any()
    assert set(network.boost[there]) <= {SPAWN_BOOST, 10, 20, 30, 40}
    assert sorted(player.is_orange for player in network.players) == [player.is_orange for player in network.players]
    assert all(there[:, number].any() for number in range(len(network.players)))
    frames = [change.frame for change in network.changes]
    assert frames == sorted(frames)
    for number in range(len(network.players)):
        assert sum(last - first + 1 for first, last in lives(network, number)) == there[:, number].sum()
