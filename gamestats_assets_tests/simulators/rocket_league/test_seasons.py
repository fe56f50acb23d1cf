"""The simulator against the form of real files, the sums every match must satisfy, and the truth that it planted.

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
import polars as pl
import pytest
from polars import col

from gamestats_assets.simulators.rocket_league.players import PLAYLISTS, SKILLS, Planted, Training
from gamestats_assets.simulators.rocket_league.seasons import MARK, Season, simulate_season, write_season
from gamestats_assets.simulators.rocket_league.statistics import derived, draw, effects, height

FIRST_DAY = date(2026, 1, 5)
COLOURS = ("blue", "orange")
OPTIONAL = {"overtime_seconds", "min_rank", "max_rank"}
OPTIONAL_OF_PLAYER = {"mvp", "rank", "goals_against_while_last_defender", "avg_powerslide_duration"}


def _season(**changed: Any) -> Season:
    asked: dict[str, Any] = {"seed": 5, "players": 150, "matches": 800, "first_day": FIRST_DAY, "days": 60}
    return simulate_season(**asked | changed)


@pytest.fixture(scope="module")
def matches(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The matches of a written season, all ranks and playlists, in their order."""
    paths = write_season(tmp_path_factory.mktemp("season"), _season())
    return [json.loads(path.read_bytes(), parse_constant=_refuse) for path in paths]


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.fixture(scope="module")
def real(realdata: Path) -> list[dict[str, Any]]:
    """Real statistics of ballchasing's."""
    found = sorted((realdata / "rocket_league").glob("*.ballchasing.json"))
    if not found:
        pytest.skip(f"no *.ballchasing.json in {realdata / 'rocket_league'}")
    return [json.loads(path.read_bytes()) for path in found]


def _players(match: dict[str, Any]) -> list[dict[str, Any]]:
    return [player for colour in COLOURS for player in match[colour]["players"]]


def _flat(stats: dict[str, Any]) -> dict[str, Any]:
    return {key: value for family in stats.values() for key, value in family.items()}


@pytest.fixture(scope="module")
def players(matches: list[dict[str, Any]]) -> pl.DataFrame:
    """A row for each player of each match: the statistics, those of both teams, and the match's."""
    rows = []
    for number, match in enumerate(matches):
        for colour, other in (COLOURS, COLOURS[::-1]):
            of_match = {name: match[name] for name in ("team_size", "duration", "overtime")}
            of_team = {f"team_{key}": value for key, value in _flat(match[colour]["stats"]).items()}
            of_others = {f"other_{key}": value for key, value in _flat(match[other]["stats"]).items()}
            for player in match[colour]["players"]:
                own = {"number": number, "colour": colour, "end_time": player["end_time"], "is_mvp": "mvp" in player}
                rows.append({**of_match, **of_team, **of_others, **own, **_flat(player["stats"])})
    return pl.DataFrame(rows, infer_schema_length=None).fill_null(0)


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


def test_matches_have_the_keys_and_types_of_real_ones(
    real: list[dict[str, Any]], matches: list[dict[str, Any]]
) -> None:
    expected, made = _form(real), _form([match for match in matches if match["team_size"] > 1])
    assert made.keys() - expected.keys() == {f".{MARK}", ".overtime_seconds"}
    assert not expected.keys() - made.keys()
    for path, kinds in expected.items():
        # A number is written without a fraction where it has none.
        assert made[path] <= kinds | ({"int"} if "float" in kinds else set()), path


def test_only_optional_keys_are_ever_missing(real: list[dict[str, Any]], matches: list[dict[str, Any]]) -> None:
    of_match = set.intersection(*(set(match) for match in real)) - OPTIONAL
    real_players = [player for match in real for player in _players(match)]
    of_player = set.intersection(*(set(player) for player in real_players)) - OPTIONAL_OF_PLAYER
    of_stats = set.intersection(*(set(_flat(player["stats"])) for player in real_players)) - OPTIONAL_OF_PLAYER
    for match in matches:
        assert of_match <= set(match)
        without_mates = {"avg_distance_to_mates"} if match["team_size"] == 1 else set[str]()
        for player in _players(match):
            assert of_player <= set(player)
            assert of_stats - set(_flat(player["stats"])) == without_mates
    missing = {key: sum(key not in match for match in matches) for key in OPTIONAL}
    assert all(0 < count < len(matches) for count in missing.values()), missing


def test_matches_are_marked_and_ids_have_the_forms_of_their_platforms(
    matches: list[dict[str, Any]],
) -> None:
    forms = {"steam": r"7656\d{13}", "epic": r"[0-9a-f]{32}", "ps4": r"[A-Za-z0-9_-]+", "xbox": r"[0-9a-f]{10}010900"}
    seen = set()
    for match in matches:
        assert match["gamestats_simulated"] is True
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", match["id"])
        assert re.fullmatch(forms["steam"], match["uploader"]["steam_id"])
        for key in ("rocket_league_id", "match_guid"):
            assert re.fullmatch(r"[0-9A-F]{32}", match[key])
        for player in _players(match):
            seen.add(player["id"]["platform"])
            assert re.fullmatch(forms[player["id"]["platform"]], player["id"]["id"]), player["id"]
    assert seen == set(forms)
    for key in ("id", "rocket_league_id", "match_guid"):
        assert len({match[key] for match in matches}) == len(matches)


# --- sums ----------------------------------------------------------------------------------------------------------

PARTS = (
    ("slow_speed", "boost_speed", "supersonic_speed"),
    ("ground", "low_air", "high_air"),
    ("defensive_third", "neutral_third", "offensive_third"),
    ("defensive_half", "offensive_half"),
    ("behind_ball", "infront_ball"),
)
QUARTERS = ("boost_0_25", "boost_25_50", "boost_50_75", "boost_75_100")
ROLES = ("most_back", "most_forward", "closest_to_ball", "farthest_from_ball")
_POINTS = 100 * col("goals") + 50 * (col("assists") + col("saves")) + 10 * col("shots")
_TIME = pl.sum_horizontal(f"time_{name}" for name in PARTS[0])


def _near(a: pl.Expr, b: pl.Expr, within: float) -> pl.Expr:
    return (a - b).abs() <= within


def _of_team(expr: pl.Expr) -> pl.Expr:
    return expr.over("number", "colour")


HOLDS = {
    "goals are conceded": col("team_goals") == col("other_goals_against"),
    "shots are conceded": col("team_shots_against") == col("other_shots"),
    "shots against are the team's": col("shots_against") == col("team_shots_against"),
    "a shot is saved, goes in or misses": col("team_saves") + col("other_goals") <= col("other_shots"),
    "somebody wins": col("team_goals") != col("other_goals"),
    "goals are shots": col("goals") <= col("shots"),
    "assists are to goals of mates": col("assists") <= col("team_goals") - col("goals"),
    "points are for goals, assists, saves, shots, and some for touches": (col("score") - _POINTS).is_between(1, 699),
    "share of shots": _near(col("shooting_percentage") * col("shots"), 100 * col("goals"), 0.01),
    "one was last at each goal": _of_team(col("goals_against_while_last_defender").sum()) == col("other_goals"),
    "demolitions": _of_team(col("taken").sum()) == col("other_inflicted"),
    "the best of the winners, but in duels": col("is_mvp") == col("mvp"),
    "one mvp": col("mvp").sum().over("number") == (col("team_size") > 1).cast(int),
    "of the winners": ~col("mvp") | (col("team_goals") > col("other_goals")),
    "with most points": ~col("mvp") | (col("score") == _of_team(col("score").max())),
    **{
        f"parts of the time: {names[0]}": _near(pl.sum_horizontal(f"time_{name}" for name in names), _TIME, 0.04)
        for names in PARTS
    },
    **{
        f"share of the time: {name}": _near(
            col(f"percent_{name}") * pl.sum_horizontal(f"time_{each}" for each in names), 100 * col(f"time_{name}"), 0.1
        )
        for names in (*PARTS, QUARTERS)
        for name in names
    },
    "time is of the match": (col("end_time") >= _TIME) & (col("end_time") <= col("duration") + 1),
    "time with known boost": pl.sum_horizontal(f"time_{name}" for name in QUARTERS) <= _TIME,
    "an empty tank": col("time_zero_boost") <= col("time_boost_0_25"),
    "a full tank": col("time_full_boost") <= col("time_boost_75_100"),
    "speed is of the highest": _near(col("avg_speed_percentage") * 23, col("avg_speed"), 0.01),
    "distance": _near(col("total_distance") / (col("avg_speed") * _TIME), pl.lit(1.0), 0.1),
    "big and small pads": col("amount_collected") == col("amount_collected_big") + col("amount_collected_small"),
    "big pads": col("amount_collected_big") <= 100 * col("count_collected_big"),
    "small pads": col("amount_collected_small") <= 12 * col("count_collected_small"),
    "stolen": col("amount_stolen") <= col("amount_collected"),
    **{
        f"roles of a team: {role}": (_of_team(col(f"percent_{role}").sum()).is_between(99.5, 103.5))
        & (col(f"percent_{role}") > 0)
        for role in ROLES
    },
    **{
        f"sum of the team: {name}": _near(_of_team(col(name).sum()), col(f"team_{name}"), 0.01)
        for name in ("shots", "score", "bpm", "amount_collected", "total_distance", "time_ground", "inflicted")
    },
    "overtime is ended by a goal": ~col("overtime") | _near(col("team_goals"), col("other_goals"), 1),
}


def test_every_match_satisfies_its_sums(players: pl.DataFrame) -> None:
    failed = players.select((~rule).sum().alias(name) for name, rule in HOLDS.items()).row(0, named=True)
    assert {name: count for name, count in failed.items() if count} == {}


# --- who plays whom ------------------------------------------------------------------------------------------------


def test_players_meet_their_like_and_are_in_one_match_at_a_time(matches: list[dict[str, Any]]) -> None:
    played: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for match in matches:
        seats = _players(match)
        assert len({player["id"]["id"] for player in seats}) == 2 * PLAYLISTS[match["playlist_id"]]
        tiers = [player["rank"]["tier"] for player in seats if "rank" in player]
        if tiers:
            assert max(tiers) - min(tiers) <= 4
            assert (match["min_rank"]["tier"], match["max_rank"]["tier"]) == (min(tiers), max(tiers))
        end = datetime.fromisoformat(match["date"])
        for player in seats:
            played[player["id"]["id"]].append((end - timedelta(seconds=player["end_time"]), end))
    for spans in played.values():
        assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    planted = [Planted("Nobody", 13, training=[Training("saves", 3, 0.1)], matches=20)]
    written = [
        {path.name: path.read_bytes() for path in write_season(tmp_path / str(number), season)}
        for number, season in enumerate(_season(seed=seed, matches=80, planted=planted) for seed in (9, 9, 10))
    ]
    assert written[0] == written[1]
    assert len(written[0]) == 80
    assert not written[0].keys() & written[2].keys()


# --- planted truth -------------------------------------------------------------------------------------------------

Figures = dict[str, np.ndarray]
STATISTICS: dict[str, tuple[str, str]] = {
    "high_air_share": ("time_high_air", "time"),
    "low_air_share": ("time_low_air", "time"),
    "ground_share": ("time_ground", "time"),
    "saves_per_shot_against": ("saves", "shots_against"),
    "goals_against_per_shot_against": ("goals_against", "shots_against"),
    "behind_ball_share": ("time_behind_ball", "time"),
    "last_defender_per_goal_against": ("goals_against_while_last_defender", "goals_against"),
    "role_imbalance": ("imbalance", "one"),
    "goals_per_shot": ("goals", "shots"),
    "shots": ("shots", "one"),
}
"""What `effects` names, as ratios of sums over matches."""
OTHERS = {
    "speed": ("avg_speed", "one"),
    "supersonic": ("time_supersonic_speed", "time"),
    "boost": ("bpm", "one"),
    "slow": ("time_slow_speed", "time"),
}


def _drawn(playlist: str, *, skill: tuple[str, float] | None = None, tier: int = 13, matches: int = 6000) -> Figures:
    """Figures of one player in matches of average players, who has a skill, maybe."""
    size = PLAYLISTS[playlist]
    shape = (matches, 2, size)
    skills = np.zeros((*shape, len(SKILLS)))
    if skill is not None:
        skills[:, 0, 0, SKILLS.index(skill[0])] = skill[1]
    rank, no_habits = np.full(shape, height(float(tier))), np.zeros((*shape, 3))
    drawn = draw(np.random.default_rng(tier), size, rank, skills, no_habits)
    drawn |= derived(drawn)
    found = {name: values[:, 0, 0] for name, values in drawn.items() if values.ndim == 3}
    away = [np.abs(found[f"percent_{role}"] / 100 - 1 / size) for role in ROLES[:3]]
    time = sum(found[f"time_{name}"] for name in PARTS[1])
    return found | {"one": np.ones(matches), "time": np.asarray(time), "imbalance": np.mean(away, axis=0)}


def _mean(figures: Figures, over: tuple[str, str], rows: Any = slice(None)) -> tuple[float, float]:
    """A ratio of sums, and its standard error."""
    above, below = (figures[key][rows] for key in over)
    ratio = above.sum() / below.sum()
    return float(ratio), float(np.sqrt(((above - ratio * below) ** 2).sum()) / below.sum())


@pytest.mark.parametrize("playlist", PLAYLISTS)
def test_a_weak_skill_moves_its_statistics_as_far_as_planted_and_nothing_else(playlist: str) -> None:
    truth, average = effects(playlist, 13), _drawn(playlist)
    in_duels = PLAYLISTS[playlist] == 1
    assert {skill for skill, moved in truth.items() if not moved} == ({"rotation"} if in_duels else set())
    of_teams = {"last_defender_per_goal_against", "role_imbalance"} if in_duels else set[str]()
    for skill in SKILLS:
        weak = _drawn(playlist, skill=(skill, -2))
        for name, over in (STATISTICS | OTHERS).items():
            if name in of_teams:
                continue
            (mean, spread), (found, own_spread) = (_mean(figures, over) for figures in (average, weak))
            chance = 4 * np.hypot(spread, own_spread)
            expected = -2 * truth[skill].get(name, 0)
            assert found - mean == pytest.approx(expected, abs=chance + 0.15 * abs(expected)), (skill, name)
            if expected and name != "goals_against_per_shot_against":
                assert abs(found - mean) > chance, (skill, name)
    # A player's matches differ more than players do.
    moved = {name: by for skill in truth.values() for name, by in skill.items()}
    for name, most in (("high_air_share", 3), ("low_air_share", 3), ("behind_ball_share", 3), ("shots", 5)):
        above, below = STATISTICS[name]
        assert 2 < np.std(average[above] / average[below]) / abs(moved[name]) < most, name


def test_statistics_rise_and_fall_with_rank() -> None:
    ranks = [_drawn("ranked-doubles", tier=tier) for tier in range(1, 23, 3)]
    rising = {name: (1, OTHERS[name]) for name in ("speed", "boost", "supersonic")}
    rising |= {name: (1, STATISTICS[name]) for name in ("high_air_share", "behind_ball_share")}
    falling = {"slow": OTHERS["slow"], "ground": STATISTICS["ground_share"], "conceded": ("shots_against", "one")}
    for name, (sign, over) in (rising | {name: (-1, over) for name, over in falling.items()}).items():
        means = [sign * _mean(figures, over)[0] for figures in ranks]
        assert all(lower < higher for lower, higher in pairwise(means)), (name, means)
    assert _mean(ranks[0], OTHERS["speed"])[0] == pytest.approx(900, abs=20)
    assert _mean(ranks[-1], OTHERS["speed"])[0] == pytest.approx(1700, abs=20)


def _of_players(season: Season, *keys: str) -> dict[str, Figures]:
    """Some statistics of each player's matches in the files, by name, with their times and tiers."""
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for match in season.matches:
        at = datetime.fromisoformat(match["date"]).timestamp()
        for player in _players(match):
            stats = _flat(player["stats"])
            rows[player["name"]].append([at, player.get("rank", {}).get("tier", 0), 1, *(stats[key] for key in keys)])
    return {name: dict(zip(("at", "tier", "one", *keys), np.array(of).T, strict=True)) for name, of in rows.items()}


def test_training_shows_in_the_files_after_the_sessions_and_not_before() -> None:
    hard = Training("shooting", hours=10, effect_per_hour=0.2)
    plans = [("Trained", [hard]), ("In vain", [replace(hard, effect_per_hour=0.0)])]
    season = _season(
        seed=8, players=60, matches=2000, days=90, tiers=(13, 13), playlists=("ranked-doubles",),
        planted=[Planted(name, 13, training=training, matches=900) for name, training in plans],
    )  # fmt: skip
    trained = season.players[0]
    sessions = [session for session in season.sessions if session.player_id == trained.player_id]
    assert sum(session.duration_s for session in sessions) == 36_000
    assert {session.skill for session in sessions} == {"shooting"}
    assert all(0 <= session.successes <= session.attempts for session in season.sessions)
    first, last = sessions[0].started_at, sessions[-1].started_at + timedelta(hours=1)
    assert season.skill_at(trained, "shooting", first) == 0
    assert season.skill_at(trained, "shooting", last) == pytest.approx(2)
    assert season.skill_at(season.players[1], "shooting", last) == 0
    of_players, truth = _of_players(season, "goals", "shots"), effects("ranked-doubles", 13)["shooting"]
    for name, by in truth.items():
        for who, expected in (("Trained", 2 * by), ("In vain", 0.0)):
            own = of_players[who]
            spans = (own["at"] < first.timestamp(), own["at"] > last.timestamp() + 1000)
            (at_first, spread), (at_last, own_spread) = (_mean(own, STATISTICS[name], rows) for rows in spans)
            chance = 3 * np.hypot(spread, own_spread)
            assert at_last - at_first == pytest.approx(expected, abs=chance), (who, name)
            assert not expected or at_last - at_first > chance, name


def test_planted_players_come_first_get_their_matches_and_climb() -> None:
    climber = Planted("Climber", 9, trend=1.3, matches=300)
    season = _season(days=90, tiers=(8, 14), planted=[climber, Planted("Two", 14, {"saves": -2}, matches=30)])
    assert [player.name for player in season.players[:2]] == ["Climber", "Two"]
    assert season.players[1].skills == dict.fromkeys(SKILLS, 0) | {"saves": -2}
    of_players = _of_players(season)
    assert len(of_players["Two"]["at"]) >= 30
    tiers = [tier for tier in of_players["Climber"]["tier"].tolist() if tier]
    assert len(tiers) > 280
    assert tiers == sorted(tiers)
    assert (tiers[0], tiers[-1]) == (9, 13)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"playlists": ("hoops",)}, "hoops is not simulated"),
        ({"playlists": ()}, "at least one playlist"),
        ({"days": 0}, "at least one playlist and one day"),
        ({"seed": -1}, "neither seed nor matches"),
        ({"tiers": (5, 23)}, "from 1 to 22"),
        ({"players": 5}, "too few"),
        ({"planted": [Planted("A", matches=900)]}, "the season has 800"),
        ({"planted": [Planted("A", skills={"luck": 1})]}, "luck is not a skill"),
        ({"planted": [Planted("A", tier=23)]}, "tier 23"),
        ({"planted": [Planted("A", training=[Training("saves", 2, 0.1, first_day=55, days=9)])]}, "days 55 to 63"),
        ({"planted": [Planted("A", training=[Training("saves", 2, 0.1), Training("saves", 1, 0)])]}, "trained twice"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_the_reason(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _season(**changed)
