"""Knocks, their outcomes and summaries; fights: one test for every sentence of the rules."""

import gzip
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gamestats_assets.lakehouse.quality import screen, table_inputs
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.fights.fights import fight_participants, finishing_summaries, knock_events, team_fights
from gamestats_assets.pubg.fights.tables import FightParticipants, FinishingSummaries, KnockEvents, TeamFights
from gamestats_assets.pubg.matches.damage import damage_events
from gamestats_assets.pubg.matches.kills import weapon_kills
from gamestats_assets.simulators.pubg.matches import simulate_match
from gamestats_assets_tests.pubg.scenario import at, bronze, complete, rows
from gamestats_assets_tests.support.frames import Frames

Event = tuple[str, dict[str, Any]]

MADE: tuple[tuple[type[Table], Callable[..., Any]], ...] = (
    (t.DamageEvents, damage_events),
    (t.WeaponKills, weapon_kills),
    (KnockEvents, knock_events),
    (FinishingSummaries, finishing_summaries),
    (TeamFights, team_fights),
    (FightParticipants, fight_participants),
)


def run(function: Callable[..., Any], frames: Frames) -> pl.DataFrame:
    """A table from the frames it is made of; the fights that their participants are told of are made on the way."""
    if function is fight_participants and TeamFights not in frames:
        frames = {**frames, TeamFights: run(team_fights, frames)}
    return function(**{name: frames[table].lazy() for name, table in table_inputs(function).items()}).collect()


def with_fights(frames: Frames) -> dict[type[Table], pl.DataFrame]:
    """Bronze frames and what leads to fights; each table keeps its declared rules."""
    known = dict(frames)
    for table, function in MADE:
        known[table] = run(function, known)
        assert known[table].schema == table.schema(), table.__name__
        assert screen(table, known[table]).rejections == [], table.__name__
    return known


# --------------------------------------------------------------------------- events by hand
# People are called by team and number, a1 of team 1, b2 of team 2; bots are called so behind "ai.".

TEAMS = {letter: number for number, letter in enumerate("abcdef", start=1)}


def who(prefix: str, name: str, place: tuple[float, float] | None) -> dict[str, Any]:
    is_bot = name.startswith("ai.")
    account = name if is_bot else f"account.{name}"
    x, y = place or (None, None)
    return {
        f"{prefix}_account_id": account,
        f"{prefix}_name": name,
        f"{prefix}_team_id": TEAMS[name.removeprefix("ai.")[0]],
        f"{prefix}_is_bot": is_bot,
        f"{prefix}_x_m": x,
        f"{prefix}_y_m": y,
    }


HERE = (1000.0, 1000.0)


def hit(t_: float, by: str, on: str, damage: float = 20.0, *, place: Any = HERE, of: Any = HERE, **extra: Any) -> Event:
    """Damage given; `of` is where the attacker was, `place` where the victim was."""
    given_ = {"is_given": True, "victim_was_down": False, "damage": damage, "t": t_, "elapsed_time_s": t_}
    return "damage", given_ | who("attacker", by, of) | who("victim", on, place) | extra


def knock(t_: float, by: str, on: str, *, place: Any = HERE, of: Any = HERE, **extra: Any) -> Event:
    return "knock", {"outcome": "none", "t": t_} | who("knocker", by, of) | who("victim", on, place) | extra


def kill(t_: float, by: str, on: str, *, place: Any = HERE, of: Any = HERE, **extra: Any) -> Event:
    """A kill; `ends` is the index of the knock it ends, `outcome` what it is to that knock."""
    return "kill", {"event_kind": "kill", "t": t_} | who("killer", by, of) | who("victim", on, place) | extra


def frames_of(*events: Event) -> dict[type[Table], pl.DataFrame]:
    """The tables fights are made of; events are numbered in the order given."""
    indexed = [(kind, {"event_index": index} | values) for index, (kind, values) in enumerate(events)]
    ends = {values["ends"]: values for kind, values in indexed if kind == "kill" and "ends" in values}
    ended = [
        values
        | (
            {
                "outcome": ends[values["event_index"]].get("outcome", "killed"),
                "ended_event_index": ends[values["event_index"]]["event_index"],
            }
            if values["event_index"] in ends
            else {}
        )
        for kind, values in indexed
        if kind == "knock"
    ]
    deaths = [values for kind, values in indexed if kind == "kill"]
    in_cm = [
        {"finish_damage_type_category": "Damage_Gun", "victim_ranking": 0}
        | values
        | {
            f"{side}_{axis}_cm": None if values[f"{side}_{axis}_m"] is None else values[f"{side}_{axis}_m"] * 100
            for side in ("killer", "victim")
            for axis in "xy"
        }
        for values in deaths
    ]
    return {
        t.DamageEvents: rows(t.DamageEvents, *(values for kind, values in indexed if kind == "damage")),
        t.WeaponKills: rows(t.WeaponKills, *deaths),
        t.TelemetryKills: rows(t.TelemetryKills, *in_cm),
        KnockEvents: rows(KnockEvents, *ended),
    }


def fights(*events: Event) -> list[dict[str, Any]]:
    """The fights of a match, by number."""
    made = run(team_fights, frames_of(*events))
    assert made.schema == TeamFights.schema()
    assert screen(TeamFights, made).rejections == []
    return list(made.sort("fight_number").iter_rows(named=True))


def people(*events: Event) -> dict[str, dict[str, Any]]:
    """What each person did in the only fight of a match, by name."""
    made = run(fight_participants, frames_of(*events))
    assert made.schema == FightParticipants.schema()
    assert screen(FightParticipants, made).rejections == []
    assert made.get_column("fight_number").n_unique() == 1
    return {row["player_name"]: row for row in made.iter_rows(named=True)}


def rule(*events: Event) -> str | None:
    """The rule by which the only engagement of a match is a fight."""
    made = fights(*events)
    return made[0]["rule"] if made else None


def spans(*events: Event) -> list[tuple[float, float]]:
    """First and last exchange of each fight, in seconds of the match."""
    return [
        ((f["started_at"] - at(0)).total_seconds(), (f["ended_at"] - at(0)).total_seconds()) for f in fights(*events)
    ]


def clash(t_: float, a: str = "a", b: str = "b", **where: Any) -> list[Event]:
    """What is a fight by itself: two teams give each other 80 damage at an instant."""
    return [hit(t_, f"{a}1", f"{b}1", 80, **where), hit(t_, f"{b}1", f"{a}1", 80, **where)]


# --------------------------------------------------------------------------- what an exchange is


def test_damage_knocks_and_kills_of_enemies_are_exchanges() -> None:
    (fight,) = fights(hit(0, "a1", "b1", 30.5), knock(10, "a1", "b1"), kill(20, "a1", "b1"), kill(25, "b2", "a2"))
    assert (fight["damage"], fight["knocks"], fight["kills"], fight["casualties"]) == (30.5, 1, 2, 2)
    assert (fight["duration_s"], fight["elapsed_time_s"], fight["team_ids"]) == (25, 0, [1, 2])


def test_what_is_not_given_is_no_exchange() -> None:
    (fight,) = fights(*clash(10), hit(0, "a1", "b1", is_given=False), hit(20, "a1", "a2", is_given=False))
    assert (fight["duration_s"], fight["damage"]) == (0, 160)


def test_damage_to_knocked_players_does_not_count() -> None:
    (fight,) = fights(*clash(10), hit(20, "a1", "b1", 99, victim_was_down=True))
    assert (fight["duration_s"], fight["damage"]) == (0, 160)


def test_what_bots_do_does_not_count() -> None:
    bots = [hit(20, "ai.b9", "a1", 50), knock(21, "ai.b9", "a1"), kill(22, "ai.b9", "a2"), kill(23, "ai.b9", "a3")]
    (fight,) = fights(*clash(10), *bots)
    assert (fight["duration_s"], fight["damage"], fight["casualties"]) == (0, 160, 0)
    assert fights(*bots) == []


def test_what_people_do_to_bots_counts() -> None:
    events = [hit(0, "a1", "ai.b1", 70), hit(0, "a1", "b3", 5), kill(1, "a1", "ai.b1"), kill(2, "a1", "ai.b2")]
    (fight,) = fights(*events)
    assert (fight["casualties"], fight["damage"], fight["damage_to_bots"], fight["participants"]) == (2, 75, 70, 2)
    assert set(people(*events)) == {"a1", "b3"}


@pytest.mark.parametrize("side", ["attacker", "victim"])
def test_both_sides_are_known_teams(side: str) -> None:
    assert fights(*[(kind, values | {f"{side}_team_id": None}) for kind, values in clash(0)]) == []


def test_team_kills_and_suicides_are_no_exchanges() -> None:
    assert (
        fights(kill(0, "a1", "b1"), kill(1, "a1", "b2", is_team_kill=True), kill(2, "b1", "a3", is_suicide=True)) == []
    )
    assert fights(knock(0, "a1", "b1"), knock(1, "a1", "b2", is_team_knock=True)) == []
    assert fights(knock(0, "a1", "b1"), knock(1, "a1", "b2", is_self_knock=True)) == []


def test_a_standing_death_by_a_hazard_is_no_kill_of_a_fight() -> None:
    zone = {"finish_damage_type_category": "Damage_BlueZone"}
    assert fights(kill(0, "a1", "b1"), kill(1, "a1", "b2", **zone)) == []


# --------------------------------------------------------------------------- which exchanges are one fight


def test_an_exchange_45_s_after_the_last_one_belongs_to_the_fight_and_a_later_one_does_not() -> None:
    assert spans(*clash(0), hit(45, "a1", "b1")) == [(0, 45)]
    assert spans(*clash(0), hit(45.001, "a1", "b1")) == [(0, 0)]
    assert spans(*clash(0), *clash(45.001)) == [(0, 0), (45.001, 45.001)]


def test_the_window_rolls_with_every_exchange() -> None:
    assert spans(*clash(0), hit(40, "a1", "b1"), hit(80, "a1", "b1"), hit(120, "b1", "a1")) == [(0, 120)]


def test_a_fight_takes_exchanges_until_240_s_after_its_start_and_then_the_next_begins() -> None:
    steps = [hit(second, "a1", "b1", 1) for second in range(40, 240, 40)]
    assert spans(*clash(0), *steps, hit(240, "a1", "b1")) == [(0, 240)]
    assert spans(*clash(0), *steps, *clash(240.001)) == [(0, 200), (240.001, 240.001)]


@pytest.mark.parametrize(("distance", "number"), [(300, 1), (300.01, 2)])
def test_an_exchange_within_300_m_belongs_to_the_fight_and_a_farther_one_does_not(distance: float, number: int) -> None:
    far: dict[str, Any] = {"place": (1000 + distance, 1000), "of": (1000 + distance, 1000)}
    assert len(fights(*clash(0), *clash(1, **far))) == number


def test_the_place_of_an_exchange_is_midway_between_the_two() -> None:
    # b shoots back across 500 m: the same place from both sides.
    away = (1500.0, 1000.0)
    (fight,) = fights(hit(0, "a1", "b1", 80, place=away), hit(1, "b1", "a1", 80, of=away))
    assert (fight["center_x_m"], fight["center_y_m"], fight["spread_m"]) == (1250, 1000, 0)


@pytest.mark.parametrize("unknown", [None, (0.0, 0.0)])
def test_where_one_place_is_unknown_the_other_is_the_place(unknown: Any) -> None:
    (fight,) = fights(*[hit(0, a, b, 80, place=(600.0, 700.0), of=unknown) for a, b in (("a1", "b1"), ("b1", "a1"))])
    assert (fight["center_x_m"], fight["center_y_m"]) == (600, 700)


def test_the_place_of_a_fight_is_the_mean_of_its_exchanges_so_far() -> None:
    def there(x: float) -> dict[str, Any]:
        return {"place": (x, 1000.0), "of": (x, 1000.0)}

    # After 1000 and 1300 the fight is at 1150: 1450 is 300 m away from it, and 1451 is not.
    (fight,) = fights(*clash(0)[:1], hit(1, "b1", "a1", 80, **there(1300)), hit(2, "a1", "b1", 9, **there(1450)))
    assert (fight["center_x_m"], fight["duration_s"]) == (1250, 2)
    assert fight["spread_m"] == pytest.approx(math.sqrt((250**2 + 50**2 + 200**2) / 3))
    (fight,) = fights(*clash(0)[:1], hit(1, "b1", "a1", 80, **there(1300)), hit(2, "a1", "b1", 9, **there(1451)))
    assert fight["duration_s"] == 1


def test_where_a_place_is_unknown_time_alone_decides() -> None:
    nowhere: dict[str, Any] = {"place": None, "of": None}
    (fight,) = fights(*clash(0), hit(40, "a1", "b1", **nowhere))
    assert (fight["duration_s"], fight["center_x_m"]) == (40, 1000)
    (fight,) = fights(*clash(0, **nowhere), hit(40, "a1", "b1"))
    assert (fight["duration_s"], fight["center_x_m"]) == (40, 1000)
    (fight,) = fights(*clash(0, **nowhere))
    assert (fight["center_x_m"], fight["center_y_m"], fight["spread_m"]) == (None, None, None)
    assert {row["mean_x_m"] for row in people(*clash(0, **nowhere)).values()} == {None}


def test_an_exchange_of_two_other_teams_is_another_fight() -> None:
    assert [fight["team_ids"] for fight in fights(*clash(0), *clash(1, "c", "d"))] == [[1, 2], [3, 4]]


def test_a_third_party_joins_within_radius_and_time() -> None:
    near: dict[str, Any] = {"of": (1400.0, 1000.0)}
    far: dict[str, Any] = {"of": (1602.0, 1000.0)}
    (fight,) = fights(*clash(0), hit(45, "c1", "a1", **near))
    assert (fight["team_ids"], fight["first_team_ids"], fight["is_third_party"]) == ([1, 2, 3], [1, 2], True)
    assert fight["duration_s"] == 45
    for late_or_far in (hit(46, "c1", "a1", **near), hit(45, "c1", "a1", **far)):
        (fight,) = fights(*clash(0), late_or_far)
        assert (fight["team_ids"], fight["is_third_party"], fight["duration_s"]) == ([1, 2], False, 0)


def test_a_third_party_can_be_shot_at_as_well_as_shoot() -> None:
    (fight,) = fights(*clash(0), hit(5, "a1", "c1"))
    assert (fight["team_ids"], fight["is_third_party"]) == ([1, 2, 3], True)


def test_an_exchange_belongs_to_the_fight_both_teams_are_in_before_a_nearer_one() -> None:
    away: dict[str, Any] = {"place": (1400.0, 1000.0), "of": (1400.0, 1000.0)}
    between: dict[str, Any] = {"place": (1250.0, 1000.0), "of": (1250.0, 1000.0)}
    one, other = fights(*clash(0), *clash(1, "a", "c", **away), hit(2, "a1", "b1", 7, **between))
    assert (one["team_ids"], one["damage"], other["team_ids"], other["damage"]) == ([1, 2], 167, [1, 3], 160)


def test_of_two_fights_an_exchange_belongs_to_the_nearer() -> None:
    away: dict[str, Any] = {"place": (1200.0, 1000.0), "of": (1200.0, 1000.0)}
    nearer_to_second: dict[str, Any] = {"place": (1150.0, 1000.0), "of": (1150.0, 1000.0)}
    one, other = fights(*clash(0), *clash(1, "c", "d", **away), hit(2, "a1", "c1", 7, **nearer_to_second))
    assert (one["team_ids"], other["team_ids"], other["damage"]) == ([1, 2], [1, 3, 4], 167)


def test_of_two_fights_equally_near_an_exchange_belongs_to_the_older() -> None:
    one, other = fights(*clash(0), *clash(1, "c", "d"), hit(2, "c1", "a1", 7))
    assert (one["team_ids"], other["team_ids"]) == ([1, 2, 3], [3, 4])


@pytest.mark.parametrize("outcome", ["bled_out", "team_wiped", "hazard"])
def test_a_death_without_a_blow_belongs_to_the_fight_of_its_knock_and_prolongs_nothing(outcome: str) -> None:
    start = [knock(0, "a1", "b1"), hit(0, "b1", "a1", 10)]
    made = fights(*start, kill(30, "a1", "b1", ends=0, outcome=outcome), hit(46, "a1", "b2"))
    assert [(f["rule"], f["kills"], f["casualties"], f["duration_s"]) for f in made] == [("resisted_death", 1, 1, 0)]


def test_a_death_without_a_blow_belongs_to_none_when_the_fight_of_its_knock_is_over() -> None:
    start = [knock(0, "a1", "b1"), hit(0, "b1", "a1", 10)]
    assert rule(*start, kill(45, "a1", "b1", ends=0, outcome="bled_out")) == "resisted_death"
    assert rule(*start, kill(45.001, "a1", "b1", ends=0, outcome="bled_out")) is None


def test_a_finish_by_a_blow_is_an_exchange_wherever_the_knock_was() -> None:
    assert spans(*clash(0), knock(0, "a1", "b1"), kill(40, "a1", "b1", ends=2), hit(85, "a1", "b2")) == [(0, 85)]


def test_fights_are_numbered_by_their_start_and_what_is_no_fight_has_no_number() -> None:
    made = fights(*clash(300), hit(100, "a1", "b1"), *clash(0))
    assert [(f["fight_number"], f["elapsed_time_s"]) for f in made] == [(1, 0), (2, 300)]


# --------------------------------------------------------------------------- what counts as a fight


def test_two_casualties_make_a_fight() -> None:
    assert rule(kill(0, "a1", "b1"), kill(1, "a1", "b2")) == "two_casualties"
    assert rule(knock(0, "a1", "b1"), knock(1, "a1", "b2")) == "two_casualties"
    assert rule(knock(0, "a1", "b1"), kill(1, "b2", "a1")) == "two_casualties"
    assert rule(kill(0, "a1", "b1")) is None


def test_who_is_knocked_and_killed_or_knocked_twice_is_one_casualty() -> None:
    assert rule(knock(0, "a1", "b1"), kill(1, "a1", "b1", ends=0)) is None
    assert rule(knock(0, "a1", "b1"), knock(30, "a1", "b1")) is None


def test_a_death_is_resisted_when_the_losing_side_dealt_damage_back() -> None:
    assert rule(hit(0, "b2", "a1", 0.5), kill(1, "a1", "b1")) == "resisted_death"
    assert rule(hit(0, "a2", "b1", 99), kill(1, "a1", "b1")) is None
    assert rule(hit(0, "b2", "a1", 0), kill(1, "a1", "b1")) is None


def test_damage_to_a_third_team_is_no_resistance() -> None:
    assert rule(hit(0, "b2", "c1", 50), kill(1, "a1", "b1")) is None


def test_a_knock_alone_is_no_death_to_resist() -> None:
    assert rule(hit(0, "b2", "a1", 50), knock(1, "a1", "b1")) is None


@pytest.mark.parametrize(
    ("given_", "back", "is_fight"),
    [
        pytest.param(120, 30, True, id="150 in all, 20 % back"),
        pytest.param(119.99, 30, False, id="less than 150"),
        pytest.param(121, 30, False, id="less than 20 % back"),
        pytest.param(30, 120, True, id="the other side gave more"),
        pytest.param(500, 0, False, id="one side alone"),
    ],
)
def test_150_damage_with_20_percent_from_each_side_make_a_fight(given_: float, back: float, is_fight: bool) -> None:
    events = [hit(0, "a1", "b1", given_ / 3) for _ in range(3)] + [hit(1, "b1", "a1", back)]
    assert rule(*events) == ("mutual_damage" if is_fight else None)


def test_mutual_damage_is_between_two_teams() -> None:
    assert rule(hit(0, "a1", "b1", 100), hit(1, "c1", "a1", 100)) is None


@pytest.mark.parametrize(
    ("given_", "back", "expected"),
    [
        # More than 300 against 75 is no mutual damage any more.
        pytest.param(400, 75, "contested_knock", id="75 from both"),
        pytest.param(400, 74.99, None, id="less than 75 from one"),
        pytest.param(75, 400, "contested_knock", id="75 from the other"),
    ],
)
def test_a_knock_with_75_damage_from_each_side_makes_a_fight(given_: float, back: float, expected: str | None) -> None:
    hits = [hit(0, "a1", "b1", given_), hit(1, "b1", "a1", back)]
    assert rule(*hits, knock(2, "a1", "b2")) == expected
    assert rule(*hits) is None


def test_a_contested_knock_is_between_the_two_teams() -> None:
    assert rule(hit(0, "a1", "b1", 400), hit(1, "b1", "a1", 75), knock(2, "c1", "b1")) is None


def test_the_first_rule_that_holds_is_named() -> None:
    everything = [*clash(0), knock(1, "a1", "b1"), kill(2, "a1", "b1", ends=2)]
    assert rule(*everything, kill(3, "a1", "b2")) == "two_casualties"
    assert rule(*everything) == "resisted_death"
    assert rule(*everything[:3]) == "mutual_damage"


# --------------------------------------------------------------------------- who won


def winner(*events: Event) -> int | None:
    (fight,) = fights(*events)
    return fight["winner_team_id"]


def test_the_side_with_fewer_casualties_wins() -> None:
    assert winner(kill(0, "a1", "b1"), kill(1, "a1", "b2"), knock(2, "b3", "a1")) == 1
    assert winner(kill(0, "a1", "b1"), kill(1, "b1", "a2"), knock(2, "b3", "a1")) == 2


def test_equal_casualties_are_a_draw() -> None:
    assert winner(kill(0, "a1", "b1"), knock(1, "b2", "a2")) is None


def test_who_felled_nobody_does_not_win() -> None:
    assert winner(*clash(0)) is None
    assert winner(kill(0, "a1", "b1"), kill(1, "b2", "a1"), kill(2, "b2", "a2"), hit(3, "c1", "b2")) == 2


def test_a_team_that_is_out_does_not_win_against_one_that_remains() -> None:
    lost = [kill(0, "b1", "a1"), kill(1, "b1", "a2"), kill(2, "a3", "b1", victim_ranking=7)]
    assert winner(*lost) == 1
    # The rank of a death that is not the last of the team says nothing, nor does a death long after the fight.
    assert winner(*lost, kill(100, "c1", "b2")) == 2
    assert (
        winner(kill(0, "b1", "a1"), kill(1, "b1", "a2"), kill(2, "a3", "b1"), kill(99, "c1", "b2", victim_ranking=3))
        == 2
    )


def test_a_third_party_can_win() -> None:
    assert winner(kill(0, "a1", "b1"), kill(1, "b2", "a1"), kill(2, "c1", "b2")) == 3


# --------------------------------------------------------------------------- who took part


def test_what_each_person_did_in_a_fight() -> None:
    made = people(
        hit(10, "a1", "b1", 60, place=(1100.0, 1000.0)),
        hit(12, "b1", "a1", 25.5, of=(1100.0, 1000.0), place=(1010.0, 1000.0)),
        knock(14, "a1", "b1", place=(1100.0, 1030.0), of=(1020.0, 1000.0)),
        kill(20, "a2", "b1", ends=2, of=None, place=None),
        hit(30, "c1", "a1", 5),
        kill(31, "c1", "a1"),
    )
    keys = ("team_id", "is_third_party", "joined_at_s", "damage_dealt", "damage_taken", "knocks", "kills")
    assert {name: tuple(row[key] for key in keys) for name, row in made.items()} == {
        "a1": (1, False, 0, 60, 30.5, 1, 0),
        "a2": (1, False, 10, 0, 0, 0, 1),
        "b1": (2, False, 0, 25.5, 60, 0, 0),
        "c1": (3, True, 20, 5, 0, 0, 1),
    }
    assert {name: (row["was_knocked"], row["was_killed"], row["won"]) for name, row in made.items()} == {
        "a1": (False, True, False),
        "a2": (False, False, False),
        "b1": (True, True, False),
        "c1": (False, False, True),
    }
    assert (made["b1"]["mean_x_m"], made["b1"]["mean_y_m"], made["a2"]["mean_x_m"]) == (1100, 1010, None)


def test_a_draw_is_won_by_nobody() -> None:
    assert {row["won"] for row in people(*clash(0)).values()} == {None}


def test_a_match_without_telemetry_has_no_fights() -> None:
    made = with_fights(complete({}))
    assert {table.__name__: made[table].height for table, _ in MADE} == {table.__name__: 0 for table, _ in MADE}


# --------------------------------------------------------------------------- knocks

KNOCK = {
    "t": 10,
    "event_index": 1,
    "event_kind": "knock",
    "dbno_id": 7,
    "killer_account_id": "account.knocker",
    "killer_name": "Knocker",
    "killer_team_id": 1,
    "killer_is_bot": False,
    "victim_account_id": "account.victim",
    "victim_name": "Victim",
    "victim_team_id": 9,
    "distance_m": 50.0,
}
DEATH = {
    "t": 20,
    "event_index": 100,
    "event_kind": "kill",
    "dbno_id": 7,
    "killer_account_id": "account.knocker",
    "killer_name": "Knocker",
    "killer_team_id": 1,
    "killer_is_bot": False,
    "finisher_account_id": "account.knocker",
    "victim_account_id": "account.victim",
    "victim_team_id": 9,
    "finish_damage_type_category": "Damage_Gun",
}
REVIVE = {
    "t": 15,
    "event_index": 50,
    "dbno_id": 7,
    "victim_account_id": "account.victim",
    "reviver_account_id": "account.mate",
    "reviver_name": "Mate",
    "reviver_team_id": 9,
}
FALLS = {"finish_damage_type_category": "Damage_Groggy"}
MATE_FALLS = DEATH | {"event_index": 101, "t": 20.004, "dbno_id": -1, "victim_account_id": "account.mate"}


def knocked(
    *knocks: Mapping[str, Any],
    deaths: Sequence[Mapping[str, Any]] = (),
    revives: Sequence[Mapping[str, Any]] = (),
    hits: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Knock events of hand-made kills; a negative `dbno_id` of a death is null among the kills of silver."""
    silver = [{**row, "dbno_id": None} if (row["dbno_id"] or 0) < 0 else row for row in (*knocks, *deaths)]
    frames: dict[type[Table], pl.DataFrame] = {
        t.WeaponKills: rows(t.WeaponKills, *silver),
        t.TelemetryKills: rows(t.TelemetryKills, *deaths),
        t.TelemetryRevives: rows(t.TelemetryRevives, *revives),
        t.DamageEvents: rows(t.DamageEvents, *hits),
    }
    made = run(knock_events, frames)
    assert made.schema == KnockEvents.schema()
    assert screen(KnockEvents, made).rejections == []
    return list(made.sort("occurred_at", "event_index").iter_rows(named=True))


def outcome(*deaths: Mapping[str, Any], knock_: Mapping[str, Any] = KNOCK, revives: Any = ()) -> str:
    return knocked(knock_, deaths=deaths, revives=revives)[0]["outcome"]


def test_a_finished_knock() -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH])
    assert (row["outcome"], row["finished_by"], row["time_to_outcome_s"]) == ("killed", "knocker", 10)
    assert (row["ended_by_account_id"], row["ended_by_name"], row["ended_by_team_id"]) == (
        "account.knocker",
        "Knocker",
        1,
    )
    assert (row["ended_at"], row["ended_event_index"], row["ended_by_is_bot"]) == (at(20), 100, False)
    assert (row["knocker_account_id"], row["knocker_name"], row["victim_name"]) == (
        "account.knocker",
        "Knocker",
        "Victim",
    )


@pytest.mark.parametrize(
    ("death", "finished_by"),
    [
        pytest.param({"finisher_account_id": "account.x", "finisher_team_id": 1}, "knockers_team", id="a team mate"),
        pytest.param({"finisher_account_id": "account.x", "finisher_team_id": 2}, "other_team", id="another team"),
        pytest.param(
            {"finisher_account_id": "account.x", "finisher_team_id": 9}, "victims_team", id="a mate of the victim"
        ),
        pytest.param({"finisher_account_id": "account.x", "finisher_team_id": None}, None, id="of unknown team"),
        pytest.param(
            {"finisher_account_id": None, "killer_account_id": "account.x", "killer_team_id": 2},
            "other_team",
            id="the killer, where no finisher is told",
        ),
    ],
)
def test_who_finished(death: dict[str, Any], finished_by: str | None) -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH | death])
    assert (row["outcome"], row["finished_by"], row["ended_by_account_id"]) == ("killed", finished_by, "account.x")


def test_killsteals_are_those_of_the_kill() -> None:
    stolen = DEATH | {"is_killsteal": True, "is_finish_stolen": True}
    assert [(row["is_killsteal"], row["is_finish_stolen"]) for row in knocked(KNOCK, deaths=[stolen])] == [(True, True)]
    assert [(row["is_killsteal"], row["is_finish_stolen"]) for row in knocked(KNOCK)] == [(False, False)]


def test_a_revived_knock() -> None:
    (row,) = knocked(KNOCK, revives=[REVIVE], deaths=[DEATH])
    assert (row["outcome"], row["ended_by_account_id"], row["ended_by_name"]) == ("revived", "account.mate", "Mate")
    assert (row["time_to_outcome_s"], row["finished_by"]) == (5, None)
    assert outcome(revives=[REVIVE | {"dbno_id": None}]) == "revived"


def test_a_knock_ends_before_the_next() -> None:
    again = KNOCK | {"t": 18, "event_index": 60}
    first, second = knocked(KNOCK, again, revives=[REVIVE], deaths=[DEATH])
    assert (first["outcome"], second["outcome"], second["time_to_outcome_s"]) == ("revived", "killed", 2)
    first, second = knocked(KNOCK, again, deaths=[DEATH])
    assert (first["outcome"], second["outcome"]) == ("none", "killed")


def test_a_death_at_the_instant_of_the_knock_ends_it() -> None:
    assert outcome(DEATH | {"t": 10}) == "killed"
    assert outcome(DEATH | {"t": 9.999}) == "none"


def test_ids_that_differ_part_a_knock_from_a_death() -> None:
    assert outcome(DEATH | {"dbno_id": 8}) == "none"
    assert outcome(DEATH | {"dbno_id": -1}) == "none"
    assert outcome(DEATH | {"dbno_id": None}) == "killed"
    assert outcome(DEATH | {"dbno_id": -1}, knock_=KNOCK | {"dbno_id": -1}) == "killed"
    assert outcome(revives=[REVIVE | {"dbno_id": 8}]) == "none"


def test_of_another_match_or_another_person_is_no_end() -> None:
    assert outcome(DEATH | {"match_id": "other"}) == "none"
    assert outcome(DEATH | {"victim_account_id": "account.other"}) == "none"


def test_who_dies_without_a_blow_bled_out() -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH | FALLS])
    assert (row["outcome"], row["ended_by_account_id"], row["finished_by"]) == ("bled_out", None, None)
    assert row["time_to_outcome_s"] == 10
    old = {"finish_damage_type_category": None, "damage_type_category": "Damage_Groggy"}
    assert outcome(DEATH | old) == "bled_out"


@pytest.mark.parametrize(
    ("mate", "expected"),
    [
        pytest.param({}, "team_wiped", id="a standing mate falls just after"),
        pytest.param({"t": 19.996}, "team_wiped", id="just before"),
        pytest.param({"t": 20.2}, "bled_out", id="later"),
        pytest.param({"victim_team_id": 8}, "bled_out", id="somebody of another team"),
        pytest.param({"match_id": "other"}, "bled_out", id="in another match"),
    ],
)
def test_who_falls_with_the_last_standing_mate_is_wiped_with_the_team(mate: dict[str, Any], expected: str) -> None:
    assert outcome(DEATH | FALLS, MATE_FALLS | mate) == expected


def test_two_knocked_who_die_together_fall_with_nobody_standing() -> None:
    mate_knocked = KNOCK | {"event_index": 2, "dbno_id": 8, "victim_account_id": "account.mate"}
    made = knocked(KNOCK, mate_knocked, deaths=[DEATH | FALLS, MATE_FALLS | FALLS | {"dbno_id": 8}])
    assert [row["outcome"] for row in made] == ["bled_out", "bled_out"]


def test_a_finish_at_the_fall_of_the_team_stays_a_finish() -> None:
    assert outcome(DEATH, MATE_FALLS) == "killed"


def test_who_has_no_known_team_bled_out() -> None:
    unknown = {"victim_team_id": None}
    assert outcome(DEATH | FALLS | unknown, MATE_FALLS | unknown) == "bled_out"


@pytest.mark.parametrize(
    "death",
    [
        pytest.param({"finish_damage_type_category": "Damage_BlueZone"}, id="the zone"),
        pytest.param({"killer_account_id": None, "finisher_account_id": None}, id="nobody"),
        pytest.param({"finisher_account_id": "account.victim"}, id="the victim"),
    ],
)
def test_what_nobody_did_is_a_hazard(death: dict[str, Any]) -> None:
    (row,) = knocked(KNOCK, deaths=[DEATH | death])
    assert (row["outcome"], row["ended_by_account_id"], row["finished_by"]) == ("hazard", None, None)


def test_a_knock_whose_end_is_not_told() -> None:
    (row,) = knocked(KNOCK)
    assert (row["outcome"], row["ended_at"], row["time_to_outcome_s"], row["ended_event_index"]) == (
        "none",
        None,
        None,
        None,
    )


def test_bots_are_named_as_knockers_and_finishers() -> None:
    bot = {"killer_account_id": "ai.1", "killer_is_bot": True}
    (row,) = knocked(KNOCK | bot, deaths=[DEATH | bot | {"finisher_account_id": "ai.1"}])
    assert (row["knocker_is_bot"], row["ended_by_is_bot"], row["finished_by"]) == (True, True, "knocker")


def test_a_knock_is_where_the_damage_was_that_knocked() -> None:
    blow = {
        "t": 9.999,
        "attacker_account_id": "account.knocker",
        "attacker_x_m": 1.0,
        "attacker_y_m": 2.0,
        "victim_account_id": "account.victim",
        "victim_x_m": 3.0,
        "victim_y_m": 4.0,
    }

    def place(*hits: dict[str, Any]) -> tuple[float | None, ...]:
        (row,) = knocked(KNOCK, hits=hits)
        return tuple(row[f"{side}_{axis}_m"] for side in ("knocker", "victim") for axis in "xy")

    assert place(blow) == (1, 2, 3, 4)
    assert place(blow | {"victim_x_m": 9.0, "t": 9.5}, blow) == (1, 2, 3, 4)
    assert place(blow, blow | {"t": 10.001, "victim_x_m": 9.0}) == (1, 2, 3, 4)
    nowhere = (None, None, None, None)
    assert place() == nowhere
    assert place(blow | {"t": 7.9}) == nowhere
    assert place(blow | {"attacker_account_id": "account.x"}) == nowhere
    assert place(blow | {"victim_x_m": None}) == nowhere


# --------------------------------------------------------------------------- summaries of finishing


def summaries(*knocks: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    base = {
        "outcome": "none",
        "knocker_account_id": "account.k",
        "knocker_name": "K",
        "knocker_team_id": 1,
        "knocker_is_bot": False,
        "victim_account_id": "account.v",
        "victim_team_id": 9,
    }
    frames: dict[type[Table], pl.DataFrame] = {KnockEvents: rows(KnockEvents, *(base | dict(row) for row in knocks))}
    made = run(finishing_summaries, frames)
    assert made.schema == FinishingSummaries.schema()
    assert screen(FinishingSummaries, made).rejections == []
    return {row["account_id"]: row for row in made.iter_rows(named=True)}


def finished(by: str, account: str, seconds: float, team: int = 1) -> dict[str, Any]:
    return {
        "outcome": "killed",
        "finished_by": by,
        "ended_by_account_id": account,
        "ended_by_name": account[-1].upper(),
        "ended_by_team_id": team,
        "ended_by_is_bot": False,
        "time_to_outcome_s": seconds,
    }


def test_what_became_of_a_persons_knocks() -> None:
    made = summaries(
        finished("knocker", "account.k", 2),
        finished("knocker", "account.k", 4),
        finished("knockers_team", "account.m", 12),
        finished("other_team", "account.o", 50, team=2),
        finished("victims_team", "account.w", 50, team=9),
        {"outcome": "bled_out", "time_to_outcome_s": 90.0},
        {"outcome": "team_wiped"},
        {"outcome": "hazard"},
        {"outcome": "revived"},
        {"outcome": "none", "damage_reason": "HeadShot"},
        {"outcome": "revived", "victim_account_id": "ai.5", "victim_is_bot": True},
    )
    row = made["account.k"]
    assert (row["player_name"], row["team_id"], row["knocks"], row["headshot_knocks"]) == ("K", 1, 11, 1)
    assert {
        name: row[name] for name in row if name.startswith("knocks_") and not name.endswith(("_m", "distance"))
    } == {
        "knocks_finished_by_self": 2,
        "knocks_finished_by_team": 1,
        "knocks_stolen": 1,
        "knocks_finished_otherwise": 1,
        "knocks_bled_out": 1,
        "knocks_team_wiped": 1,
        "knocks_taken_by_hazard": 1,
        "knocks_revived": 2,
        "knocks_without_outcome": 1,
    }
    assert (row["avg_time_to_finish_s"], row["avg_time_to_own_finish_s"]) == (6, 3)
    keys = ("player_name", "team_id", "knocks", "team_mates_knocks_finished", "other_teams_knocks_finished")
    assert {name: tuple(made[name][key] for key in keys) for name in made if name != "account.k"} == {
        "account.m": ("M", 1, 0, 1, 0),
        "account.o": ("O", 2, 0, 0, 1),
    }


def test_knocks_by_distance() -> None:
    distances = [0, 9.99, 10, 49.99, 50, 99.99, 100, 199.99, 200, 800, None]
    row = summaries(*({"distance_m": distance} for distance in distances))["account.k"]
    bands = ("under_10_m", "10_to_50_m", "50_to_100_m", "100_to_200_m", "from_200_m", "at_unknown_distance")
    assert [row[f"knocks_{band}"] for band in bands] == [2, 2, 2, 2, 2, 1]
    assert row["max_knock_distance_m"] == 800
    assert row["avg_knock_distance_m"] == pytest.approx(sum(d for d in distances if d is not None) / 10)


@pytest.mark.parametrize(
    "given_",
    [
        pytest.param({"is_self_knock": True}, id="oneself"),
        pytest.param({"is_team_knock": True}, id="a team mate"),
        pytest.param({"knocker_account_id": None}, id="nobody"),
        pytest.param({"knocker_account_id": "ai.1", "knocker_is_bot": True}, id="a bot"),
    ],
)
def test_knocks_that_are_no_persons_of_an_enemy_do_not_count(given_: dict[str, Any]) -> None:
    assert summaries(given_) == {}


def test_finishing_what_a_bot_knocked_counts_for_the_finisher_and_a_bots_finish_for_none() -> None:
    by_bot = {"knocker_account_id": "ai.1", "knocker_is_bot": True}
    made = summaries(by_bot | finished("other_team", "account.o", 5, team=2))
    assert {name: row["other_teams_knocks_finished"] for name, row in made.items()} == {"account.o": 1}
    made = summaries(finished("other_team", "ai.2", 5, team=2) | {"ended_by_is_bot": True})
    assert {name: row["knocks_stolen"] for name, row in made.items()} == {"account.k": 1}


# --------------------------------------------------------------------------- properties


@st.composite
def skirmishes(draw: st.DrawFn) -> list[Event]:
    """Random exchanges of four teams over a few minutes, on two sides of a field."""
    names = [f"{team}{number}" for team in "abcd" for number in (1, 2)] + ["ai.a3"]
    events: list[Event] = []
    for _ in range(draw(st.integers(1, 40))):
        by, on = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        if by.removeprefix("ai.")[0] == on.removeprefix("ai.")[0]:
            continue
        second = draw(st.integers(0, 300))
        places = st.one_of(st.none(), st.tuples(st.integers(1, 8).map(lambda n: n * 99.7), st.just(500.0)))
        where: dict[str, Any] = {"place": draw(places), "of": draw(places)}
        kind = draw(st.sampled_from([hit, hit, hit, knock, kill]))
        events.append(kind(second, by, on, **where))
    return events


def fights_and_participants(frames: Frames) -> tuple[pl.DataFrame, pl.DataFrame]:
    fights = run(team_fights, frames)
    return fights, run(fight_participants, {**frames, TeamFights: fights})


@settings(max_examples=40)
@given(skirmishes(), st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_another_match_at_the_same_time_changes_anything(
    events: list[Event], shuffler: random.Random
) -> None:
    frames = frames_of(*events)
    mixed = {
        table: pl.concat([frame, frame.with_columns(match_id=pl.lit("other"))]).sample(
            fraction=1, shuffle=True, seed=shuffler.randrange(99)
        )
        for table, frame in frames.items()
    }
    for made, alone in zip(fights_and_participants(mixed), fights_and_participants(frames), strict=True):
        key = [name for name in ("fight_number", "account_id") if name in made.columns]
        expected = alone.sort(key)
        assert made.filter(match_id="m").sort(key).equals(expected)
        assert made.filter(match_id="other").drop("match_id").sort(key).equals(expected.drop("match_id"))


@settings(max_examples=25)
@given(skirmishes())
def test_both_tables_tell_of_the_same_fights(events: list[Event]) -> None:
    fights, participants = fights_and_participants(frames_of(*events))
    sums = (
        participants.group_by("fight_number")
        .agg(pl.len().cast(pl.Int16), pl.col("damage_dealt", "damage_taken").sum(), pl.col("knocks", "kills").sum())
        .sort("fight_number")
    )
    whole = fights.sort("fight_number")
    assert sums.get_column("fight_number").to_list() == whole.get_column("fight_number").to_list()
    for theirs, own in (("len", "participants"), ("knocks", "knocks"), ("kills", "kills")):
        assert sums.get_column(theirs).to_list() == whole.get_column(own).to_list()
    assert sums.get_column("damage_dealt").to_list() == pytest.approx(whole.get_column("damage").to_list())
    taken = (whole.get_column("damage") - whole.get_column("damage_to_bots")).to_list()
    assert sums.get_column("damage_taken").to_list() == pytest.approx(taken)


# --------------------------------------------------------------------------- whole matches


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Three simulated matches."""
    made = [
        simulate_match(21, datetime(2026, 3, 14, 20, tzinfo=UTC), players=64),
        simulate_match(22, datetime(2026, 3, 14, 21, tzinfo=UTC), players=40, match_type="custom"),
        simulate_match(23, datetime(2026, 3, 14, 22, tzinfo=UTC), players=24),
    ]
    files = [(match.truth.match_id, "telemetry", match.telemetry_json) for match in made]
    return with_fights(bronze(tmp_path_factory.mktemp("landing"), *files))


def plain_fights(frames: Frames) -> dict[tuple[str, int], dict[str, Any]]:
    """The fights read once more, row by row: what they hold, by match and number."""
    knocks = list(frames[KnockEvents].iter_rows(named=True))
    ended = {(k["match_id"], k["ended_event_index"]): k for k in knocks if k["outcome"] not in ("revived", "none")}
    bronze_kills = {(k["match_id"], k["event_index"]): k for k in frames[t.TelemetryKills].iter_rows(named=True)}
    stream: dict[str, list[tuple[Any, int, str, str, str, int, int, float, list[tuple[float, float]], int | None]]] = (
        defaultdict(list)
    )

    def add(row: dict[str, Any], kind: str, side: str, damage: float, places: Iterable[Any], of: int | None) -> None:
        a, v = row[f"{side}_team_id"], row["victim_team_id"]
        if row[f"{side}_account_id"] is None or row[f"{side}_is_bot"] or a is None or v is None or a == v:
            return
        known = [(x, y) for x, y in places if x is not None and y is not None and (x, y) != (0, 0)]
        who_ = (row[f"{side}_account_id"], row["victim_account_id"])
        stream[row["match_id"]].append((row["occurred_at"], row["event_index"], kind, *who_, a, v, damage, known, of))

    for row in frames[t.DamageEvents].iter_rows(named=True):
        if row["is_given"] and not row["victim_was_down"] and row["damage"] > 0:
            places = [(row["attacker_x_m"], row["attacker_y_m"]), (row["victim_x_m"], row["victim_y_m"])]
            add(row, "damage", "attacker", row["damage"], places, None)
    for row in knocks:
        places = [(row["knocker_x_m"], row["knocker_y_m"]), (row["victim_x_m"], row["victim_y_m"])]
        if not row["is_self_knock"] and not row["is_team_knock"]:
            add(row, "knock", "knocker", 0, places, None)
    for row in frames[t.WeaponKills].iter_rows(named=True):
        if row["event_kind"] != "kill" or row["is_suicide"] or row["is_team_kill"]:
            continue
        source, end = (known.get((row["match_id"], row["event_index"])) for known in (bronze_kills, ended))
        assert source is not None
        places = [
            (source[f"{side}_x_cm"] / 100, source[f"{side}_y_cm"] / 100)
            for side in ("killer", "victim")
            if source[f"{side}_x_cm"] is not None
        ]
        of = end["event_index"] if end is not None and end["outcome"] != "killed" else None
        if end is not None or source["finish_damage_type_category"] not in ("Damage_BlueZone", "Damage_Groggy"):
            add(row, "kill", "killer", 0, places, of)

    found: dict[tuple[str, int], dict[str, Any]] = {}
    for match_id, events in stream.items():
        engagements: list[dict[str, Any]] = []
        home: dict[int, dict[str, Any]] = {}
        for event in sorted(events, key=lambda e: (e[0], e[1])):
            when, index, _, _, _, a, v, _, known, of = event
            where = tuple(sum(axis) / len(known) for axis in zip(*known, strict=True)) if known else None
            candidates = []
            for number, e in enumerate(engagements):
                is_open = (when - e["end"]).total_seconds() <= 45 and (when - e["start"]).total_seconds() <= 240
                middle = [sum(axis) / len(e["places"]) for axis in zip(*e["places"], strict=True)]
                away = math.dist(middle, where) if where and middle else 0
                shared = len({a, v} & e["teams"])
                if is_open and (home.get(of) is e if of is not None else shared and away <= 300):
                    candidates.append((-shared, away, number))
            if of is None and not candidates:
                engagements.append({"start": when, "teams": set(), "places": [], "events": []})
                candidates = [(0, 0, len(engagements) - 1)]
            if not candidates:
                continue
            chosen = engagements[min(candidates)[2]]
            chosen["events"].append(event)
            if of is None:
                chosen["end"], home[index] = when, chosen
                chosen["teams"] |= {a, v}
                chosen["places"] += [where] if where else []
        number = 0
        for e in engagements:
            given_: dict[tuple[int, int], float] = defaultdict(float)
            for event in e["events"]:
                given_[event[5], event[6]] += event[7]
            fallen = {event[4] for event in e["events"] if event[2] != "damage"}
            is_fight = len(fallen) >= 2
            for _, _, kind, _, _, a, v, *_ in e["events"]:
                one, other = given_[a, v], given_[v, a]
                is_fight |= kind == "kill" and other > 0
                is_fight |= one + other >= 150 and min(one, other) >= 0.2 * (one + other)
                is_fight |= kind == "knock" and min(one, other) >= 75
            if is_fight:
                number += 1
                found[match_id, number] = {
                    "started_at": e["start"],
                    "ended_at": e["end"],
                    "team_ids": sorted(e["teams"]),
                    "casualties": len(fallen),
                    "knocks": sum(event[2] == "knock" for event in e["events"]),
                    "kills": sum(event[2] == "kill" for event in e["events"]),
                    "damage": pytest.approx(sum(given_.values()), abs=1e-3),
                }
    return found


def test_fights_of_whole_matches_are_those_of_a_plain_reading(played: Frames) -> None:
    expected = plain_fights(played)
    made = {(row["match_id"], row["fight_number"]): row for row in played[TeamFights].iter_rows(named=True)}
    assert len(made) > 20
    assert {key: {name: row[name] for name in expected[key]} for key, row in made.items()} == expected


def test_outcomes_of_whole_matches_agree_with_the_deaths(played: Frames) -> None:
    deaths = played[t.WeaponKills].filter(pl.col("event_kind") == "kill")
    knocks = played[KnockEvents]
    ended = knocks.filter(~pl.col("outcome").is_in(["revived", "none"]))
    # Those who had been knocked by somebody, as the kills themselves name the knocker.
    named = deaths.filter(pl.col("knocker_account_id").is_not_null())
    joined = named.join(
        ended, left_on=["match_id", "event_index"], right_on=["match_id", "ended_event_index"], suffix="_knock"
    )
    assert joined.height == named.height > 0
    assert joined.filter(pl.col("knocker_account_id") != pl.col("knocker_account_id_knock")).height == 0
    assert knocks.filter(pl.col("outcome") == "revived").height == played[t.TelemetryRevives].height
    assert set(knocks.get_column("outcome")) >= {"killed", "bled_out", "team_wiped", "hazard", "revived"}
    assert knocks.filter(pl.col("is_killsteal")).height == deaths.filter("is_killsteal").height > 0


def test_the_real_file(realdata: Path, tmp_path: Path) -> None:
    (path,) = (realdata / "pubg" / "telemetry").glob("*.json.gz")
    known = with_fights(bronze(tmp_path, ("real", "telemetry", gzip.decompress(path.read_bytes()))))
    outcomes = known[KnockEvents].group_by("outcome", "finished_by").len().rows()
    # Counted in the file by hand: knocks, revives and deaths in order of time.
    assert {(kind, by): number for kind, by, number in outcomes} == {
        ("killed", "knocker"): 8,
        ("killed", "other_team"): 2,
        ("team_wiped", None): 8,
        ("hazard", None): 3,
        ("revived", None): 1,
        ("none", None): 1,
    }
    assert known[KnockEvents].get_column("victim_x_m").null_count() == 0
    expected = plain_fights(known)
    made = {(row["match_id"], row["fight_number"]): row for row in known[TeamFights].iter_rows(named=True)}
    assert {key: {name: row[name] for name in expected[key]} for key, row in made.items()} == expected
