"""The simulator against the form of real files, the sums every match must satisfy, and its own word of what it planted.

Matches are read plainly, as JSON, by code that knows nothing of how they were made.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gamestats_assets.rocket_league.simulation.seasons import (
    MARK,
    PLAYLISTS,
    SKILLS,
    Planted,
    Season,
    Training,
    effects,
    simulate_season,
    write_season,
)

FIRST_DAY = date(2026, 1, 5)
COLOURS = ("blue", "orange")
OPTIONAL = {"overtime_seconds", "min_rank", "max_rank"}
OPTIONAL_OF_PLAYER = {"mvp", "rank", "goals_against_while_last_defender", "avg_powerslide_duration"}
FAMILIES = {
    "movement": (("slow_speed", "boost_speed", "supersonic_speed"), ("ground", "low_air", "high_air")),
    "positioning": (
        ("defensive_third", "neutral_third", "offensive_third"),
        ("defensive_half", "offensive_half"),
        ("behind_ball", "infront_ball"),
    ),
    "boost": (("boost_0_25", "boost_25_50", "boost_50_75", "boost_75_100"),),
}


def _season(**changed: Any) -> Season:
    asked: dict[str, Any] = {"seed": 5, "players": 150, "matches": 800, "first_day": FIRST_DAY, "days": 60}
    return simulate_season(**asked | changed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a written season, all ranks and playlists."""
    folder = tmp_path_factory.mktemp("season")
    write_season(folder, _season())
    return folder


@pytest.fixture(scope="module")
def matches(folder: Path) -> list[dict[str, Any]]:
    """The matches of the folder, by time."""
    read = [json.loads(path.read_bytes(), parse_constant=_refuse) for path in sorted(folder.iterdir())]
    return sorted(read, key=lambda match: match["date"])


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.fixture(scope="module")
def real(realdata: Path) -> list[dict[str, Any]]:
    """Real statistics of ballchasing's."""
    found = sorted((realdata / "rocket_league").glob("*.ballchasing.json"))
    if not found:
        pytest.skip(f"no *.ballchasing.json in {realdata / 'rocket_league'}")
    return [json.loads(path.read_bytes()) for path in found]


# --- form ----------------------------------------------------------------------------------------------------------


def _kinds(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield path, "object"
        for key, inner in value.items():
            yield from _kinds(inner, f"{path}.{key}".replace(".orange", ".blue"))
    elif isinstance(value, list):
        yield path, "list"
        for inner in value:
            yield from _kinds(inner, f"{path}[]")
    else:
        yield path, type(value).__name__


def _form(matches: list[dict[str, Any]]) -> dict[str, set[str]]:
    form: dict[str, set[str]] = defaultdict(set)
    for match in matches:
        for path, kind in _kinds(match):
            form[path].add(kind)
    return form


def _players(match: dict[str, Any]) -> list[dict[str, Any]]:
    return [player for colour in COLOURS for player in match[colour]["players"]]


def test_matches_have_the_keys_and_types_of_real_ones(
    real: list[dict[str, Any]], matches: list[dict[str, Any]]
) -> None:
    expected, made = _form(real), _form([match for match in matches if match["team_size"] > 1])
    assert made.keys() - expected.keys() == {f".{MARK}", ".overtime_seconds"}
    assert not expected.keys() - made.keys()
    for path, kinds in expected.items():
        # A number in single precision is written without a fraction where it has none.
        assert made[path] <= kinds | ({"int"} if "float" in kinds else set()), path


def test_only_optional_keys_are_ever_missing(real: list[dict[str, Any]], matches: list[dict[str, Any]]) -> None:
    top = set.intersection(*(set(match) for match in real)) - OPTIONAL
    of_player, of_family = _required(real)
    for match in matches:
        assert top <= set(match)
        without_mates = {"avg_distance_to_mates"} if match["team_size"] == 1 else set()
        for player in _players(match):
            assert of_player <= set(player)
            for family, keys in of_family.items():
                assert keys - without_mates <= set(player["stats"][family])
            assert without_mates.isdisjoint(player["stats"]["positioning"])


def _required(real: list[dict[str, Any]]) -> tuple[set[str], dict[str, set[str]]]:
    players = [player for match in real for player in _players(match)]
    of_player = set.intersection(*(set(player) for player in players)) - OPTIONAL_OF_PLAYER
    of_family = {
        family: set.intersection(*(set(player["stats"][family]) for player in players)) - OPTIONAL_OF_PLAYER
        for family in players[0]["stats"]
    }
    return of_player, of_family


def test_optional_keys_are_there_in_some_and_missing_in_others(matches: list[dict[str, Any]]) -> None:
    players = [player for match in matches for player in _players(match)]
    for key in ("mvp", "rank"):
        assert 0 < sum(key in player for player in players) < len(players)
    last = ["goals_against_while_last_defender" in player["stats"]["positioning"] for player in players]
    assert 0 < sum(last) < len(last)
    for key in OPTIONAL:
        assert 0 < sum(key in match for match in matches) < len(matches)


def test_every_match_says_that_it_is_simulated(matches: list[dict[str, Any]]) -> None:
    assert MARK == "gamestats_simulated"
    assert all(match[MARK] is True for match in matches)


def test_ids_have_the_forms_of_their_platforms(matches: list[dict[str, Any]]) -> None:
    forms = {
        "steam": r"7656\d{13}",
        "epic": r"[0-9a-f]{32}",
        "ps4": r"[A-Za-z0-9_-]+",
        "xbox": r"[0-9a-f]{10}010900",
    }
    seen = set()
    for match in matches:
        assert _full(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", match["id"])
        assert _full(r"[0-9A-F]{32}", match["rocket_league_id"])
        assert _full(r"[0-9A-F]{32}", match["match_guid"])
        assert _full(forms["steam"], match["uploader"]["steam_id"])
        for player in _players(match):
            seen.add(player["id"]["platform"])
            assert _full(forms[player["id"]["platform"]], player["id"]["id"]), player["id"]
    assert seen == set(forms)


def _full(form: str, text: str) -> bool:
    return re.fullmatch(form, text) is not None


def test_no_two_matches_share_an_id(matches: list[dict[str, Any]]) -> None:
    for key in ("id", "rocket_league_id", "match_guid"):
        assert len({match[key] for match in matches}) == len(matches)


# --- identities ----------------------------------------------------------------------------------------------------


def test_goals_shots_and_saves_fit_each_other(matches: list[dict[str, Any]]) -> None:
    for match in matches:
        for colour, other in (COLOURS, COLOURS[::-1]):
            own, theirs = match[colour]["stats"]["core"], match[other]["stats"]["core"]
            assert own["goals"] == theirs["goals_against"]
            assert own["shots_against"] == theirs["shots"]
            assert own["saves"] + theirs["goals"] <= theirs["shots"]
            assert own["goals"] != theirs["goals"]
            for player in match[colour]["players"]:
                core = player["stats"]["core"]
                assert core["goals"] <= core["shots"]
                assert core["shots_against"] == own["shots_against"]
                assert core["goals_against"] == own["goals_against"]
                # Goals 100, assists and saves 50, shots 10 points; touches and clears are the rest.
                told = 100 * core["goals"] + 50 * (core["assists"] + core["saves"]) + 10 * core["shots"]
                assert 0 < core["score"] - told < 700
                assert core["assists"] <= own["goals"] - core["goals"]
                expected = 100 * core["goals"] / core["shots"] if core["shots"] else 0
                assert core["shooting_percentage"] == pytest.approx(expected, rel=1e-6)
            last = [p["stats"]["positioning"].get("goals_against_while_last_defender", 0) for p in _team(match, colour)]
            assert sum(last) == own["goals_against"]
            demolished = sum(player["stats"]["demo"]["taken"] for player in _team(match, colour))
            assert demolished == match[other]["stats"]["demo"]["inflicted"]


def _team(match: dict[str, Any], colour: str) -> list[dict[str, Any]]:
    return match[colour]["players"]


def test_the_best_of_the_winners_is_mvp_except_in_duels(matches: list[dict[str, Any]]) -> None:
    for match in matches:
        won = max(COLOURS, key=lambda colour: match[colour]["stats"]["core"]["goals"])
        named = [player for player in _players(match) if player["stats"]["core"]["mvp"]]
        assert [player for player in _players(match) if "mvp" in player] == named
        if match["team_size"] == 1:
            assert not named
            continue
        assert len(named) == 1
        assert named[0] in _team(match, won)
        assert named[0]["stats"]["core"]["score"] == max(p["stats"]["core"]["score"] for p in _team(match, won))


def test_times_of_a_family_add_up_to_the_players_time_and_percentages_are_their_hundredths(
    matches: list[dict[str, Any]],
) -> None:
    for match in matches:
        for player in _players(match):
            sums = []
            for family, groups in FAMILIES.items():
                stats = player["stats"][family]
                for group in groups:
                    times = [stats[f"time_{name}"] for name in group]
                    assert min(times) >= 0
                    for name, time in zip(group, times, strict=True):
                        assert stats[f"percent_{name}"] == pytest.approx(100 * time / sum(times), rel=1e-5, abs=1e-6)
                    if family != "boost":
                        sums.append(sum(times))
            assert max(sums) - min(sums) < 0.04
            assert sums[0] <= player["end_time"] <= match["duration"] + 1
            boost, moved = player["stats"]["boost"], player["stats"]["movement"]
            assert boost["time_zero_boost"] <= boost["time_boost_0_25"]
            assert boost["time_full_boost"] <= boost["time_boost_75_100"]
            assert sum(boost[f"time_{name}"] for name in FAMILIES["boost"][0]) <= sums[0]
            assert moved["avg_speed_percentage"] == pytest.approx(moved["avg_speed"] / 23, rel=1e-6)
            assert moved["total_distance"] == pytest.approx(moved["avg_speed"] * sums[0], rel=0.1)


def test_boost_collected_is_that_of_big_and_small_pads(matches: list[dict[str, Any]]) -> None:
    for match in matches:
        for player in _players(match):
            boost = player["stats"]["boost"]
            for what in ("collected", "stolen"):
                big, small = boost[f"amount_{what}_big"], boost[f"amount_{what}_small"]
                assert boost[f"amount_{what}"] == big + small
                assert big <= 100 * boost[f"count_{what}_big"]
                assert small <= 12 * boost[f"count_{what}_small"]
            assert boost["amount_stolen"] <= boost["amount_collected"]
            assert boost["amount_overfill_stolen"] <= boost["amount_overfill"]
            played = 100 * boost["time_full_boost"] / boost["percent_full_boost"]
            assert boost["bcpm"] == pytest.approx(60 * boost["amount_collected"] / played, rel=1e-3)


def test_what_a_team_has_is_the_sum_of_its_players_in_single_precision(matches: list[dict[str, Any]]) -> None:
    not_sums = {"shots_against", "goals_against", "shooting_percentage"}
    for match in matches[:200]:
        for colour in COLOURS:
            for family, stats in match[colour]["stats"].items():
                for key, told in stats.items():
                    if family == "ball" or key in not_sums:
                        continue
                    total = np.float32(0)
                    for player in _team(match, colour):
                        total += np.float32(player["stats"][family][key])
                    assert np.float32(told) == total, (family, key)


def test_numbers_in_single_precision_are_written_as_short_as_can_be(matches: list[dict[str, Any]]) -> None:
    for match in matches[:50]:
        for player in _players(match):
            for family in player["stats"].values():
                for key, told in family.items():
                    if key.startswith("percent_") or key in ("bcpm", "shooting_percentage", "avg_speed_percentage"):
                        assert float(str(np.float32(told))) == told, key


def test_in_teams_the_roles_of_a_team_share_its_time_and_in_duels_a_player_has_all(
    matches: list[dict[str, Any]],
) -> None:
    roles = ("most_back", "most_forward", "closest_to_ball", "farthest_from_ball")
    for match in matches:
        for colour in COLOURS:
            for role in roles:
                shares = [player["stats"]["positioning"][f"percent_{role}"] for player in _team(match, colour)]
                assert min(shares) > 0
                assert sum(shares) == pytest.approx(101.5, abs=2)


def test_overtime_is_told_with_its_length_and_ended_by_a_goal(matches: list[dict[str, Any]]) -> None:
    late = [match for match in matches if match["overtime"]]
    assert 0.08 < len(late) / len(matches) < 0.3
    for match in late:
        goals = [match[colour]["stats"]["core"]["goals"] for colour in COLOURS]
        assert abs(goals[0] - goals[1]) == 1
        assert match["duration"] > 300 + match["overtime_seconds"]
    assert all("overtime_seconds" not in match for match in matches if not match["overtime"])


# --- who plays whom ------------------------------------------------------------------------------------------------


def test_matches_come_in_time_order_and_lie_within_the_season() -> None:
    dates = [datetime.fromisoformat(match["date"]) for match in _season(matches=300, days=10).matches]
    assert dates == sorted(dates)
    assert {moment.date() for moment in dates} == {FIRST_DAY + timedelta(days=day) for day in range(10)}


def test_players_meet_their_like_and_are_in_one_match_at_a_time(matches: list[dict[str, Any]]) -> None:
    played: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for match in matches:
        players = _players(match)
        assert len(players) == 2 * match["team_size"] == 2 * PLAYLISTS[match["playlist_id"]]
        accounts = {(player["id"]["platform"], player["id"]["id"]) for player in players}
        assert len(accounts) == len(players)
        tiers = [player["rank"]["tier"] for player in players if "rank" in player]
        if tiers:
            assert max(tiers) - min(tiers) <= 4
            assert (match["min_rank"]["tier"], match["max_rank"]["tier"]) == (min(tiers), max(tiers))
        end = datetime.fromisoformat(match["date"])
        for player in players:
            played[player["id"]["id"]].append((end - timedelta(seconds=player["end_time"]), end))
    assert sum(len(spans) for spans in played.values()) > 2_000
    for spans in played.values():
        assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))


def test_ranks_are_named_as_the_game_names_them() -> None:
    told = {}
    for match in _season(players=400, matches=1500).matches:
        for player in _players(match):
            if "rank" in player:
                rank = player["rank"]
                told[rank["tier"]] = (rank["id"], rank["name"].split(" Division ")[0])
    assert sorted(told) == list(range(1, 23))
    assert told[1] == ("bronze-1", "Bronze I")
    assert told[14] == ("diamond-2", "Diamond II")
    assert told[18] == ("champion-3", "Champion III")
    assert told[19] == ("grand-champion-1", "Grand Champion I")
    assert told[22] == ("supersonic-legend", "Supersonic Legend")


def test_only_the_playlists_and_ranks_asked_for_are_played() -> None:
    season = _season(playlists=("ranked-standard",), tiers=(8, 10), matches=60)
    assert {match["playlist_id"] for match in season.matches} == {"ranked-standard"}
    assert {tier for player in season.players for tier in player.tiers.values()} == {8, 9, 10}


def test_skills_are_normal_in_the_cohort() -> None:
    season = _season(players=3000, matches=0)
    assert list(season.matches) == []
    for skill in SKILLS:
        drawn = np.array([player.skills[skill] for player in season.players])
        assert abs(drawn.mean()) < 4 / np.sqrt(3000)
        assert abs(drawn.std() - 1) < 4 / np.sqrt(6000)
        assert abs((np.abs(drawn) > 1.96).mean() - 0.05) < 0.016
    assert len({player.player_id for player in season.players}) == 3000
    assert len({player.name for player in season.players}) == 3000


# --- repeatable ----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    planted = [Planted("Nobody", 13, training=[Training("saves", 3, 0.1)], matches=20)]
    written = [
        [(path.name, path.read_bytes()) for path in write_season(tmp_path / str(number), season)]
        for number, season in enumerate(_season(seed=seed, matches=80, planted=planted) for seed in (9, 9, 10))
    ]
    assert written[0] == written[1]
    assert {name for name, _ in written[0]}.isdisjoint(name for name, _ in written[2])
    assert len(written[0]) == len(set(written[0])) == 80


def test_every_pass_over_the_matches_gives_the_same() -> None:
    season = _season(matches=40)
    assert list(season.matches) == list(season.matches)
    assert len(season.matches) == 40


# --- planted truth -------------------------------------------------------------------------------------------------

Row = dict[str, float]
STATISTICS: dict[str, tuple[str, str]] = {
    "high_air_share": ("high", "time"),
    "low_air_share": ("low", "time"),
    "ground_share": ("ground", "time"),
    "saves_per_shot_against": ("saves", "shots_against"),
    "goals_against_per_shot_against": ("goals_against", "shots_against"),
    "behind_ball_share": ("behind", "time"),
    "last_defender_per_goal_against": ("last", "goals_against"),
    "role_imbalance": ("imbalance", "one"),
    "goals_per_shot": ("goals", "shots"),
    "shots": ("shots", "one"),
}
OTHERS = {"speed": ("speed", "one"), "supersonic": ("supersonic", "time"), "boost": ("boost", "one")}


def _row(match: dict[str, Any], player: dict[str, Any]) -> Row:
    core, moved, place = (player["stats"][family] for family in ("core", "movement", "positioning"))
    size = match["team_size"]
    time = moved["time_ground"] + moved["time_low_air"] + moved["time_high_air"]
    away = [abs(place[f"percent_{role}"] / 100 - 1 / size) for role in ("most_back", "most_forward", "closest_to_ball")]
    return {
        "one": 1,
        "time": time,
        "high": moved["time_high_air"],
        "low": moved["time_low_air"],
        "ground": moved["time_ground"],
        "slow": moved["time_slow_speed"],
        "supersonic": moved["time_supersonic_speed"],
        "behind": place["time_behind_ball"],
        "last": place.get("goals_against_while_last_defender", 0),
        "imbalance": sum(away) / 3,
        "speed": moved["avg_speed"],
        "boost": player["stats"]["boost"]["bpm"],
        "tier": player["rank"]["tier"] if "rank" in player else 0,
        "at": datetime.fromisoformat(match["date"]).timestamp(),
        **{key: core[key] for key in ("saves", "shots", "shots_against", "goals", "goals_against")},
    }


def _rows(season: Season) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    names = {(player.platform, player.account): player.name for player in season.players}
    for match in season.matches:
        for player in _players(match):
            rows[names[player["id"]["platform"], player["id"]["id"]]].append(_row(match, player))
    return rows


def _mean(rows: list[Row], over: tuple[str, str]) -> tuple[float, float]:
    """A ratio of sums, and its standard error."""
    above, below = (np.array([row[key] for row in rows]) for key in over)
    ratio = above.sum() / below.sum()
    return float(ratio), float(np.sqrt(((above - ratio * below) ** 2).sum()) / below.sum())


@pytest.fixture(scope="module", params=list(PLAYLISTS))
def weak(request: pytest.FixtureRequest) -> tuple[str, Season, dict[str, list[Row]]]:
    """Diamond 1 in one playlist, with an average player and five who are weak in one thing each."""
    planted = [Planted("Nobody", 13, matches=400), *(Planted(skill, 13, {skill: -2}, matches=400) for skill in SKILLS)]
    season = _season(
        seed=21, players=100, matches=3000, days=120, playlists=(request.param,), tiers=(13, 13), planted=planted
    )
    return request.param, season, _rows(season)


@pytest.mark.parametrize("skill", SKILLS)
def test_a_weak_skill_moves_its_statistics_as_far_as_told_and_nothing_else(
    weak: tuple[str, Season, dict[str, list[Row]]], skill: str
) -> None:
    playlist, _, rows = weak
    told = effects(playlist, 13)[skill]
    for name, over in (STATISTICS | OTHERS).items():
        if PLAYLISTS[playlist] == 1 and name in ("last_defender_per_goal_against", "role_imbalance"):
            continue
        (average, spread), (found, own_spread) = (_mean(rows[who], over) for who in ("Nobody", skill))
        chance = 4 * np.hypot(spread, own_spread)
        expected = -2 * told.get(name, 0)
        assert found - average == pytest.approx(expected, abs=chance + 0.15 * abs(expected)), name
        if expected and name != "goals_against_per_shot_against":
            assert abs(found - average) > chance, name


def test_rotation_is_of_teams_alone_and_every_skill_moves_something() -> None:
    for playlist in PLAYLISTS:
        for skill, told in effects(playlist, 13).items():
            assert bool(told) == (skill != "rotation" or playlist != "ranked-duels")


def test_an_average_player_differs_from_the_cohort_in_nothing() -> None:
    season = _season(seed=33, matches=4000, days=120, tiers=(13, 13), playlists=("ranked-doubles",),
                     planted=[Planted("Nobody", 13, matches=500)])  # fmt: skip
    rows = _rows(season)
    steady = [player.name for player in season.players[1:] if player.trend == 0 and len(rows[player.name]) > 20]
    for name, over in (STATISTICS | OTHERS).items():
        means = np.array([_mean(rows[each], over)[0] for each in steady])
        found, spread = _mean(rows["Nobody"], over)
        chance = 4 * np.hypot(spread, means.std(ddof=1) / np.sqrt(len(means)))
        assert found == pytest.approx(means.mean(), abs=chance), name


def test_matches_differ_more_than_players(weak: tuple[str, Season, dict[str, list[Row]]]) -> None:
    playlist, _, rows = weak
    told = {name: by for skill in effects(playlist, 13).values() for name, by in skill.items()}
    for name, most in (("high_air_share", 3), ("low_air_share", 3), ("behind_ball_share", 3), ("shots", 5)):
        above, below = STATISTICS[name]
        between_matches = np.std([row[above] / row[below] for row in rows["Nobody"]])
        assert 2 < between_matches / abs(told[name]) < most, name


def test_statistics_rise_and_fall_with_rank() -> None:
    season = _season(seed=3, players=400, matches=3000, playlists=("ranked-doubles",))
    of_rank: dict[int, list[Row]] = defaultdict(list)
    for rows in _rows(season).values():
        for row in rows:
            if row["tier"]:
                of_rank[int(row["tier"] - 1) // 3].append(row)
    assert sorted(of_rank) == list(range(8))
    rising = {"speed": ("speed", "one"), "boost": ("boost", "one"), "supersonic": ("supersonic", "time"),
              "high": ("high", "time"), "behind": ("behind", "time")}  # fmt: skip
    falling = {"ground": ("ground", "time"), "slow": ("slow", "time")}
    for sign, statistics in ((1, rising), (-1, falling)):
        for name, over in statistics.items():
            means = [sign * _mean(of_rank[rank], over)[0] for rank in range(7)]
            assert all(lower < higher for lower, higher in pairwise(means)), (name, means)
    # Shots are few, so that it takes more matches to tell ranks apart.
    conceded = [_mean(of_rank[rank] + of_rank[rank + 1], ("shots_against", "one"))[0] for rank in (0, 2, 4, 6)]
    assert all(higher < lower for lower, higher in pairwise(conceded)), conceded
    slowest, fastest = _mean(of_rank[0], rising["speed"])[0], _mean(of_rank[7], rising["speed"])[0]
    assert 880 < slowest < 1000
    assert 1600 < fastest < 1750


def test_training_shows_after_the_sessions_and_not_before() -> None:
    hard = Training("shooting", hours=10, effect_per_hour=0.2)
    in_vain = replace(hard, effect_per_hour=0.0)
    season = _season(
        seed=8, players=60, matches=2700, days=90, tiers=(13, 13), playlists=("ranked-doubles",),
        planted=[Planted("Trained", 13, training=[hard], matches=900),
                 Planted("In vain", 13, training=[in_vain], matches=900),
                 Planted("Nobody", 13, matches=900)],
    )  # fmt: skip
    trained = season.players[0]
    sessions = [session for session in season.sessions if session.player_id == trained.player_id]
    assert sum(session.duration_s for session in sessions) == 36_000
    assert {session.skill for session in sessions} == {"shooting"}
    assert all(0 <= session.successes <= session.attempts for session in season.sessions)
    first, last = sessions[0].started_at, sessions[-1].started_at + timedelta(hours=1)
    days = [(moment.date() - FIRST_DAY).days for moment in (first, last)]
    assert 36 <= days[0] < days[1] <= 54
    assert season.skill_at(trained, "shooting", first) == 0
    assert season.skill_at(trained, "shooting", last) == pytest.approx(2)
    assert season.skill_at(season.players[1], "shooting", last) == 0

    rows = _rows(season)
    told = effects("ranked-doubles", 13)["shooting"]
    for name in told:
        for who, expected in (("Trained", 2 * told[name]), ("In vain", 0.0)):
            before = [row for row in rows[who] if row["at"] < first.timestamp()]
            after = [row for row in rows[who] if row["at"] > last.timestamp() + 1000]
            (at_first, spread), (at_last, own_spread) = (_mean(some, STATISTICS[name]) for some in (before, after))
            chance = 3 * np.hypot(spread, own_spread)
            assert at_last - at_first == pytest.approx(expected, abs=chance), (who, name)
            average, spread = _mean(rows["Nobody"], STATISTICS[name])
            assert at_first == pytest.approx(average, abs=4 * np.hypot(spread, own_spread)), (who, name)
            if expected:
                assert at_last - at_first > chance, name


def test_a_player_who_climbs_does_so_in_every_match() -> None:
    season = _season(days=90, tiers=(8, 14), planted=[Planted("Climber", 9, trend=1.3, matches=300)])
    tiers = [int(row["tier"]) for row in _rows(season)["Climber"] if row["tier"]]
    assert len(tiers) > 280
    assert tiers == sorted(tiers)
    assert (tiers[0], tiers[-1]) == (9, 13)


def test_planted_players_come_first_and_get_their_matches() -> None:
    season = _season(planted=[Planted("One", 12, {"saves": -2}, matches=70), Planted("Two", 14, matches=30)])
    one, two = season.players[:2]
    assert (one.name, two.name) == ("One", "Two")
    assert one.skills == dict.fromkeys(SKILLS, 0) | {"saves": -2}
    assert set(one.tiers.values()) == {12}
    assert one.player_id == f"{one.platform}_{one.account.lower()}"
    rows = _rows(season)
    assert len(rows["One"]) >= 70
    assert len(rows["Two"]) >= 30


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"playlists": ("hoops",)}, "hoops is not simulated"),
        ({"playlists": ()}, "a playlist at least"),
        ({"days": 0}, "a day at least"),
        ({"seed": -1}, "a seed"),
        ({"tiers": (5, 23)}, "from 1 to 22"),
        ({"players": 5}, "too few"),
        ({"planted": [Planted("A", matches=900)]}, "the season has 800"),
        ({"planted": [Planted("A", skills={"luck": 1})]}, "luck is no skill"),
        ({"planted": [Planted("A", tier=23)]}, "tier 23"),
        ({"planted": [Planted("A", training=[Training("saves", 2, 0.1, first_day=55, days=9)])]}, "days 55 to 63"),
        ({"planted": [Planted("A", training=[Training("saves", 2, 0.1), Training("saves", 1, 0)])]}, "trained twice"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_the_reason(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _season(**changed)
