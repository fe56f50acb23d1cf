"""Fights: one test for every sentence of the rules."""

import gzip
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.fights.fights import team_fights
from gamestats_assets.pubg.fights.tables import FightParticipants, KnockEvents, TeamFights
from gamestats_assets_tests.pubg.scenario import at, bronze, derive, rows, run

Event = tuple[str, dict[str, Any]]

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
    return list(made.sort("fight_number").iter_rows(named=True))


def people(*events: Event) -> dict[str, dict[str, Any]]:
    """What each person did in the only fight of a match, by name."""
    made = derive(frames_of(*events), [FightParticipants])[FightParticipants]
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


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(hit(20, "a1", "b1", is_given=False), id="damage that is not given"),
        pytest.param(hit(20, "a1", "b1", 99, victim_was_down=True), id="damage to the knocked"),
        pytest.param(hit(20, "ai.b9", "a1", 50), id="damage by a bot"),
        pytest.param(knock(20, "ai.b9", "a1"), id="a knock by a bot"),
        pytest.param(kill(20, "ai.b9", "a2"), id="a kill by a bot"),
        pytest.param(hit(20, "a1", "b1", attacker_team_id=None), id="an attacker of unknown team"),
        pytest.param(hit(20, "a1", "b1", victim_team_id=None), id="a victim of unknown team"),
        pytest.param(kill(20, "a1", "b2", is_team_kill=True), id="a team kill"),
        pytest.param(kill(20, "b1", "a3", is_suicide=True), id="a suicide"),
        pytest.param(knock(20, "a1", "b2", is_team_knock=True), id="a team mate knocked"),
        pytest.param(knock(20, "a1", "b2", is_self_knock=True), id="somebody who knocks themselves"),
        pytest.param(
            kill(20, "a1", "b2", finish_damage_type_category="Damage_BlueZone"), id="a standing death by the zone"
        ),
    ],
)
def test_what_is_no_exchange(event: Event) -> None:
    (fight,) = fights(*clash(10), event)
    assert (fight["duration_s"], fight["damage"], fight["casualties"], fight["kills"]) == (0, 160, 0, 0)


def test_what_people_do_to_bots_counts() -> None:
    events = [hit(0, "a1", "ai.b1", 70), hit(0, "a1", "b3", 5), kill(1, "a1", "ai.b1"), kill(2, "a1", "ai.b2")]
    (fight,) = fights(*events)
    assert (fight["casualties"], fight["damage"], fight["damage_to_bots"], fight["participants"]) == (2, 75, 70, 2)
    assert set(people(*events)) == {"a1", "b3"}


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


def shots(given_: float, back: float) -> list[Event]:
    """Damage that a gives to b in three hits, and that b gives back."""
    return [*(hit(0, "a1", "b1", given_ / 3) for _ in range(3)), hit(1, "b1", "a1", back)]


EVERYTHING = [*clash(0), knock(1, "a1", "b1"), kill(2, "a1", "b1", ends=2)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([kill(0, "a1", "b1"), kill(1, "a1", "b2")], "two_casualties"),
        ([knock(0, "a1", "b1"), knock(1, "a1", "b2")], "two_casualties"),
        ([knock(0, "a1", "b1"), kill(1, "b2", "a1")], "two_casualties"),
        ([kill(0, "a1", "b1")], None),
        # Who is knocked and killed, or knocked twice, is one casualty.
        ([knock(0, "a1", "b1"), kill(1, "a1", "b1", ends=0)], None),
        ([knock(0, "a1", "b1"), knock(30, "a1", "b1")], None),
        # The losing side dealt damage back, to the team that killed.
        ([hit(0, "b2", "a1", 0.5), kill(1, "a1", "b1")], "resisted_death"),
        ([hit(0, "a2", "b1", 99), kill(1, "a1", "b1")], None),
        ([hit(0, "b2", "a1", 0), kill(1, "a1", "b1")], None),
        ([hit(0, "b2", "c1", 50), kill(1, "a1", "b1")], None),
        ([hit(0, "b2", "a1", 50), knock(1, "a1", "b1")], None),
        # 150 damage between two teams, 20 % of it from each.
        (shots(120, 30), "mutual_damage"),
        (shots(30, 120), "mutual_damage"),
        (shots(119.99, 30), None),
        (shots(121, 30), None),
        (shots(500, 0), None),
        ([hit(0, "a1", "b1", 100), hit(1, "c1", "a1", 100)], None),
        # A knock between two teams with 75 damage from each; more than 300 against 75 is no mutual damage any more.
        ([*shots(400, 75), knock(2, "a1", "b2")], "contested_knock"),
        ([*shots(75, 400), knock(2, "a1", "b2")], "contested_knock"),
        ([*shots(400, 74.99), knock(2, "a1", "b2")], None),
        (shots(400, 75), None),
        ([*shots(400, 75), knock(2, "c1", "b1")], None),
        # The first that holds.
        ([*EVERYTHING, kill(3, "a1", "b2")], "two_casualties"),
        (EVERYTHING, "resisted_death"),
        (EVERYTHING[:3], "mutual_damage"),
    ],
)
def test_which_rule_makes_a_fight(events: list[Event], expected: str | None) -> None:
    assert rule(*events) == expected


# --------------------------------------------------------------------------- who won


LOST = [kill(0, "b1", "a1"), kill(1, "b1", "a2")]


@pytest.mark.parametrize(
    ("events", "winner"),
    [
        pytest.param([kill(0, "a1", "b1"), kill(1, "a1", "b2"), knock(2, "b3", "a1")], 1, id="fewer casualties"),
        pytest.param([kill(0, "a1", "b1"), kill(1, "b1", "a2"), knock(2, "b3", "a1")], 2, id="fewer, the other"),
        pytest.param([kill(0, "a1", "b1"), knock(1, "b2", "a2")], None, id="a draw"),
        pytest.param(clash(0), None, id="nobody felled anybody"),
        pytest.param(
            [kill(0, "a1", "b1"), kill(1, "b2", "a1"), kill(2, "b2", "a2"), hit(3, "c1", "b2")],
            2,
            id="who felled nobody does not win",
        ),
        pytest.param([kill(0, "a1", "b1"), kill(1, "b2", "a1"), kill(2, "c1", "b2")], 3, id="a third party"),
        pytest.param([*LOST, kill(2, "a3", "b1", victim_ranking=7)], 1, id="the other team is out"),
        pytest.param(
            [*LOST, kill(2, "a3", "b1", victim_ranking=7), kill(100, "c1", "b2")],
            2,
            id="the rank of a death that is not the last of the team",
        ),
        pytest.param(
            [*LOST, kill(2, "a3", "b1"), kill(99, "c1", "b2", victim_ranking=3)], 2, id="out long after the fight"
        ),
    ],
)
def test_who_wins(events: list[Event], winner: int | None) -> None:
    (fight,) = fights(*events)
    assert fight["winner_team_id"] == winner


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


# --------------------------------------------------------------------------- whole matches


def test_the_real_file(realdata: Path, tmp_path: Path) -> None:
    (path,) = (realdata / "pubg" / "telemetry").glob("*.json.gz")
    known = derive(bronze(tmp_path, ("real", "telemetry", gzip.decompress(path.read_bytes()))), [FightParticipants])
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
    assert known[TeamFights].height > 0
