"""The simulator against its own word, read by an independent hand, and against the form of real files.

Files are read plainly, as JSON, by code that knows nothing of how they were made. What is planted is looked for by
counting games in the arrays of a story.
"""

from __future__ import annotations

import ast
import contextlib
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from gamestats_assets.lakehouse.decoding import decode_batches
from gamestats_assets.lakehouse.landing import LandedFile, Landing
from gamestats_assets.lol import tables
from gamestats_assets.lol.simulation import seasons as simulator
from gamestats_assets.lol.simulation.reference import CHAMPIONS, ITEMS, POSITIONS, WIN_MORE
from gamestats_assets.lol.simulation.seasons import (
    Effect,
    Plan,
    Story,
    is_true_null,
    silver,
    simulate,
    truth,
    write,
    write_season,
)
from gamestats_assets.lol.simulation.story import ARAM, BOTS, ORDERS, skill_levels
from gamestats_assets.lol.source import GAME, SOURCE
from gamestats_assets.lol.tables import RawMatches, TimelineEventCounts
from gamestats_assets.lol.timelines.bronze import DECODER

PLANNED = Plan(
    matches=12_000,
    patches=(("13.14", 1),),
    seed=11,
    arms=2_000,
    effects=(
        Effect(kind="item", champion="Ezreal", position="BOTTOM", core_order=2, item=3004, points=0.10),
        Effect(kind="objective", objective="dragon", points=0.08),
        Effect(kind="skill_order", champion="Ahri", position="MIDDLE", order="QEW", dpm=60),
        Effect(kind="vision", position="UTILITY", correlation=-0.25),
    ),
)
EZREAL, AHRI = (next(i for i, each in enumerate(CHAMPIONS) if each.key == key) for key in ("Ezreal", "Ahri"))
TABLES = {
    "matches": tables.Matches,
    "participants": tables.Participants,
    "item_builds": tables.ItemBuilds,
    "skill_orders": tables.SkillOrders,
    "objectives": tables.Objectives,
    "team_coordination": tables.TeamCoordination,
    "items": tables.Items,
    "champions": tables.Champions,
}
MATCHES = 120
OF_13_14 = ("NA1_4726449462", "NA1_4732170826")
"""Real pairs of patch 13.14 on Summoner's Rift."""


@pytest.fixture(scope="module")
def story() -> Story:
    """Matches with an effect of each kind."""
    return simulate(PLANNED)


@pytest.fixture(scope="module")
def objectives(story: Story) -> pl.DataFrame:
    """Objectives of these matches."""
    return silver(story)["objectives"]


@dataclass(frozen=True)
class Season:
    """What was written, read plainly: by match, `info` of both documents."""

    folder: Path
    summary: dict[str, Any]
    matches: dict[str, dict[str, Any]]
    timelines: dict[str, dict[str, Any]]

    def pairs(self) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
        """Id, match and events of every match."""
        for match_id, match in self.matches.items():
            frames = self.timelines[match_id]["frames"]
            yield match_id, match, [event for frame in frames for event in frame["events"]]


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """A season as it is written by default, but for half its matches."""
    folder = tmp_path_factory.mktemp("season")
    summary = write_season(folder / "files", matches=MATCHES, truth_file=folder / "truth.json")
    read = {
        part: {path.name.split(".")[0]: _document(path)["info"] for path in sorted((folder / "files" / part).iterdir())}
        for part in ("matches", "timelines")
    }
    return Season(folder / "files", summary, read["matches"], read["timelines"])


def _document(path: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress(path.read_bytes()))


def stratified(won: np.ndarray, has: np.ndarray, gold: np.ndarray, strata: int = 40) -> tuple[float, float]:
    """Difference of win rates at an equal gold difference, by Mantel and Haenszel, and its standard error."""
    of = np.searchsorted(np.quantile(gold, np.linspace(0, 1, strata + 1)[1:-1]), gold)
    total = weight = variance = 0.0
    for stratum in range(strata):
        one, other = won[(of == stratum) & has], won[(of == stratum) & ~has]
        if min(one.size, other.size) < 2:
            continue
        w = one.size * other.size / (one.size + other.size)
        total += w * (one.mean() - other.mean())
        weight += w
        variance += w**2 * (one.mean() * (1 - one.mean()) / one.size + other.mean() * (1 - other.mean()) / other.size)
    return total / weight, variance**0.5 / weight


def games(story: Story, champion: int, core_order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a champion's games with so many core items: the last of them, gold difference at that moment, and wins."""
    item, gold, won = [], [], []
    for match, seat in zip(*np.nonzero((story.champion == champion) & story.counted[:, None]), strict=True):
        ms = int(story.core_ms[match, seat, core_order - 1])
        if ms < 0:
            continue
        at, side = story.frame_ms[match], 1 if seat < 5 else -1
        lead = story.gold[match, :5].sum(axis=0) - story.gold[match, 5:].sum(axis=0)
        item.append(story.core_item[match, seat, core_order - 1])
        gold.append(side * np.interp(ms, at, lead))
        won.append(bool(story.blue_won[match]) == (seat < 5))
    return np.array(item), np.array(gold), np.array(won, dtype=float)


# ---------------------------------------------------------------------------------------------- what it rests upon


def test_shares_no_code_with_the_pipeline() -> None:
    """The modules import each other, and nothing else of this project."""
    for path in Path(simulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            ours = [name for name in names if name.startswith("gamestats_assets")]
            assert all(name.startswith("gamestats_assets.lol.simulation.") for name in ours), (path.name, ours)


def test_items_and_champions_are_those_of_data_dragon(realdata: Path) -> None:
    folder = realdata / "lol" / "datadragon"
    listed = _document(folder / "13.15.1_en_US_item.json.gz")["data"]
    korean = _document(folder / "14.10.1_ko_KR_item.json.gz")["data"]
    for item in ITEMS.values():
        real = listed[str(item.item_id)]
        assert item.name == real["name"]
        assert item.gold_total == real["gold"]["total"]
        assert [str(component) for component in item.recipe] == real.get("from", [])
        assert item.transformed_from == real.get("specialRecipe", 0)
        assert set(item.tags) <= set(real["tags"])
        assert item.is_mythic == ("rarityMythic" in real["description"])
        # These two have other names in Korean since.
        if item.item_id not in (2420, 3191):
            assert item.name_ko == korean[str(item.item_id)]["name"]
    champions = _document(folder / "13.24.1_en_US_champion.json.gz")["data"]
    named = _document(folder / "15.23.1_ko_KR_champion.json.gz")["data"].values()
    in_korean = {each["key"]: each["name"] for each in named}
    for champion in CHAMPIONS:
        real = champions[champion.key]
        assert (str(champion.champion_id), champion.name) == (real["key"], real["name"])
        assert champion.name_ko == in_korean[real["key"]]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("first", range(6))
def test_skills_are_levelled_as_the_game_allows(order: str, first: int) -> None:
    levels = skill_levels(order, first)
    assert Counter(levels) == {"Q": 5, "W": 5, "E": 5, "R": 3}
    assert set(levels[:3]) == set("QWE")
    assert [level for level, skill in enumerate(levels, 1) if skill == "R"] == [6, 11, 16]
    reached = {skill: [level for level, each in enumerate(levels, 1) if each == skill] for skill in "QWE"}
    assert all(level >= 2 * rank - 1 for ranks in reached.values() for rank, level in enumerate(ranks, 1))
    assert sorted("QWE", key=lambda skill: reached[skill][-1]) == list(order)
    assert sorted(ranks[-1] for ranks in reached.values())[:2] == [9, 13]


# ---------------------------------------------------------------------------------------------- the story


def test_same_plan_same_story() -> None:
    plan = replace(PLANNED, matches=700, arms=None, effects=PLANNED.effects[1:])
    one, again = silver(simulate(plan)), silver(simulate(plan))
    assert all(frame.equals(again[name]) for name, frame in one.items())
    other = silver(simulate(replace(plan, seed=12)))
    assert not one["participants"]["gold_earned"].equals(other["participants"]["gold_earned"])
    assert set(one["matches"]["match_id"]).isdisjoint(other["matches"]["match_id"])


def test_nobody_plays_what_another_plays(story: Story) -> None:
    assert all(len(set(row)) == 10 for row in story.champion.tolist())
    assert all(len(set(row)) == 10 for row in story.player.tolist())
    for seat in range(10):
        places = {CHAMPIONS[index].position for index in np.unique(story.champion[:, seat])}
        assert places == {POSITIONS[seat % 5]}


def test_items_are_bought_once_with_one_mythic_among_them(story: Story) -> None:
    mythic = {item.item_id for item in ITEMS.values() if item.is_mythic}
    for row in story.core_item.reshape(-1, 5).tolist():
        bought = [item for item in row if item]
        assert len(set(bought)) == len(bought)
        assert len(mythic.intersection(bought)) <= 1
    assert ((story.core_item > 0) == (story.core_ms >= 0)).all()


def test_times_are_in_order_and_within_the_game(story: Story) -> None:
    end = story.end_ms[:, None, None]
    for times in (story.core_ms, story.level_ms, story.skill_ms()):
        known = times >= 0
        assert (known[..., 1:] <= known[..., :-1]).all()
        assert (times <= end)[known].all()
        later = known[..., 1:] & known[..., :-1]
        assert (np.diff(times.astype(np.int64), axis=2)[later] > 0).all()
    # The gold at hand pays for what was bought.
    assert (np.diff(story.gold, axis=2) >= 0).all()


def test_leading_players_complete_more_and_earlier_items(story: Story) -> None:
    """Naively whatever is done third wins: it is done by those who are ahead."""
    seat = 3
    counted = story.counted
    third = story.core_ms[counted, seat, 2] >= 0
    long = story.end_ms[counted] > 26 * 60_000
    won = story.blue_won[counted]
    assert won[third & long].mean() > won[~third & long].mean() + 0.2
    ahead = story.lead_at(np.flatnonzero(counted), np.full(counted.sum(), 12 * 60_000)) > 0
    first = story.core_ms[counted, seat, 0]
    assert first[ahead & (first > 0)].mean() < first[~ahead & (first > 0)].mean() - 15_000


# ---------------------------------------------------------------------------------------------- what is planted


def test_arms_have_exactly_the_games_that_were_planned(story: Story) -> None:
    item, _, _ = games(story, EZREAL, 2)
    assert Counter(item == 3004) == {True: 2_000, False: 2_000}
    row = truth(story).filter(pl.col("kind") == "item").to_dicts()[0]
    assert (row["games"], row["baseline_games"]) == (2_000, 2_000)


def test_a_planted_item_wins_as_much_more_as_planned(story: Story) -> None:
    item, gold, won = games(story, EZREAL, 2)
    has = item == 3004
    effect, error = stratified(won, has, gold)
    assert effect == pytest.approx(0.10, abs=4 * error)
    assert error < 0.02
    naive = won[has].mean() - won[~has].mean()
    assert naive > effect + 0.05, "it is bought more often when ahead"
    row = truth(story).filter(pl.col("kind") == "item").to_dicts()[0]
    assert row["realised"] == pytest.approx(0.10, abs=1e-6)
    assert row["naive_effect"] == pytest.approx(naive)


def test_planted_log_odds_make_the_planted_difference(story: Story) -> None:
    """Counted game by game: chance of winning with the item, less that without it."""
    planted = story.planted[0]
    differences = []
    for match, seat in zip(*np.nonzero((story.champion == EZREAL) & story.counted[:, None]), strict=True):
        if story.core_ms[match, seat, 1] < 0:
            continue
        own = story.logit[match] * (1 if seat < 5 else -1)
        without = own - planted.log_odds * (story.core_item[match, seat, 1] == 3004)
        differences.append(1 / (1 + np.exp(-without - planted.log_odds)) - 1 / (1 + np.exp(-without)))
    assert np.mean(differences) == pytest.approx(0.10, abs=1e-6)


@pytest.mark.parametrize(("objective", "effect"), [("dragon", 0.08), ("herald", 0.0), ("tower", 0.0), ("baron", 0.0)])
def test_first_objectives_are_worth_what_is_planted_and_no_more(
    objectives: pl.DataFrame, objective: str, effect: float
) -> None:
    first = objectives.filter(
        (pl.col("objective") == objective) & (pl.col("number_in_match") == 1) & pl.col("in_statistics")
    )
    blue = (first["team_id"] == 100).to_numpy()
    won = (first["won"] == (first["team_id"] == 100)).to_numpy().astype(float)
    gold = first["team_gold_diff_before"].to_numpy() * np.where(blue, 1, -1)
    found, error = stratified(won, blue, gold)
    assert found == pytest.approx(effect, abs=4 * error)
    assert blue[gold > 2_000].mean() > blue[gold < -2_000].mean() + 0.15, "who is ahead takes it more often"


def test_a_skill_order_deals_exactly_the_damage_that_is_planted(story: Story) -> None:
    without = simulate(replace(PLANNED, effects=tuple(e for e in PLANNED.effects if e.kind != "skill_order")))
    more = story.stats["damage"].astype(int) - without.stats["damage"]
    has = (story.champion == AHRI) & (story.order == ORDERS.index("QEW"))
    assert has.sum() > 300
    minutes = np.repeat(story.end_ms[:, None] / 60_000, 10, axis=1)
    np.testing.assert_allclose(more[has], 60 * minutes[has], atol=1)
    assert (more[~has] == 0).all()


@pytest.mark.parametrize("position", POSITIONS)
def test_vision_goes_with_deaths_where_that_is_planted(story: Story, position: str) -> None:
    planted = -0.25 if position == "UTILITY" else 0.0
    seats = [POSITIONS.index(position), POSITIONS.index(position) + 5]
    seconds = np.repeat(story.duration_s[story.counted][:, None], 2, axis=1).ravel().astype(float)
    seen = story.stats["vision"][story.counted][:, seats].ravel() / seconds
    died = story.stats["deaths"][story.counted][:, seats].ravel().astype(float)
    rho = {
        name: float(np.corrcoef(*map(stats.rankdata, pair))[0, 1])
        for name, pair in {"xy": (seen, died), "xz": (seen, seconds), "yz": (died, seconds)}.items()
    }
    partial = (rho["xy"] - rho["xz"] * rho["yz"]) / np.sqrt((1 - rho["xz"] ** 2) * (1 - rho["yz"] ** 2))
    assert partial == pytest.approx(planted, abs=0.002 if planted else 4 / np.sqrt(seen.size))


@pytest.mark.parametrize("item", [3031, 3072])
def test_what_is_bought_when_ahead_wins_naively_and_not_at_equal_gold(story: Story, item: int) -> None:
    """The confounded null: a large naive difference, and none given the gold difference at the moment of the choice."""
    assert WIN_MORE[item] > 0
    held, gold, won = [], [], []
    for champion, each in enumerate(CHAMPIONS):
        if each.build == "marksman" and each.position == "BOTTOM":
            bought, lead, wins = games(story, champion, 2)
            held.append(bought == item)
            gold.append(lead)
            won.append(wins)
    has, gold_diff, wins = np.concatenate(held), np.concatenate(gold), np.concatenate(won)
    assert wins[has].mean() - wins[~has].mean() > 0.12
    effect, error = stratified(wins, has, gold_diff)
    assert error < 0.02
    assert abs(effect) < 4 * error


def test_without_confounding_choices_say_nothing() -> None:
    fair = simulate(Plan(matches=3_000, seed=4, confounding=0))
    jinx = next(i for i, each in enumerate(CHAMPIONS) if each.key == "Jinx")
    item, gold, _ = games(fair, jinx, 1)
    has = item == 3031
    assert min(has.sum(), (~has).sum()) > 80
    error = np.sqrt(gold[has].var() / has.sum() + gold[~has].var() / (~has).sum())
    assert abs(gold[has].mean() - gold[~has].mean()) < 4 * error


def test_truth_has_a_row_for_each_effect_and_patch() -> None:
    effects = (PLANNED.effects[1], PLANNED.effects[3])
    told = simulate(Plan(matches=900, patches=(("13.13", 1), ("13.14", 2)), effects=effects))
    rows = truth(told)
    assert rows.select("patch", "kind").rows() == [
        ("13.13", "objective"), ("13.13", "vision"), ("13.14", "objective"), ("13.14", "vision"),
    ]  # fmt: skip
    dragons = silver(told)["objectives"].filter(
        (pl.col("objective") == "dragon") & (pl.col("number_in_match") == 1) & pl.col("in_statistics")
    )
    for row in rows.filter(pl.col("kind") == "objective").to_dicts():
        of_patch = dragons.filter(pl.col("patch") == row["patch"])
        assert row["games"] == of_patch.height
        won = int(of_patch["won"].sum()) / of_patch.height
        assert (row["value"], row["naive_effect"]) == (pytest.approx(won), pytest.approx(2 * won - 1))


def test_true_nulls_are_those_in_which_nothing_is_planted() -> None:
    ezreal, jinx = 81, 222
    assert not is_true_null(PLANNED, "item", champion_id=ezreal, position="BOTTOM")
    assert not is_true_null(PLANNED, "item_path", champion_id=ezreal, position="BOTTOM")
    assert is_true_null(PLANNED, "item", champion_id=ezreal, position="MIDDLE")
    assert is_true_null(PLANNED, "item", champion_id=jinx, position="BOTTOM")
    assert not is_true_null(PLANNED, "objective", objective="dragon")
    assert is_true_null(PLANNED, "objective", objective="baron")
    assert not is_true_null(PLANNED, "skill_order", champion_id=103, position="MIDDLE", outcome="dpm")
    assert is_true_null(PLANNED, "skill_order", champion_id=103, position="MIDDLE")
    assert not is_true_null(PLANNED, "vision", position="UTILITY")
    assert is_true_null(PLANNED, "vision", position="TOP")
    assert not is_true_null(PLANNED, "vision", position="ALL")


def test_what_cannot_be_planted_is_refused_and_told_why() -> None:
    item = PLANNED.effects[0]
    with pytest.raises(ValueError, match=r"need 4000 matches that have one; \d+ of 1000 can. Simulate at least about"):
        simulate(Plan(matches=1_000, effects=(item,), arms=2_000))
    with pytest.raises(ValueError, match=r"at most \+0\.\d+"):
        simulate(Plan(matches=1_000, effects=(replace(item, points=0.9),)))
    with pytest.raises(ValueError, match="found 'Teemo'"):
        replace(item, champion="Teemo")
    with pytest.raises(ValueError, match="does not build item 3089"):
        replace(item, item=3089)
    with pytest.raises(ValueError, match="needs core_order"):
        Effect(kind="item", champion="Ezreal", position="BOTTOM", item=3004, points=0.1)
    with pytest.raises(ValueError, match="not among the champions of TOP"):
        Plan(effects=(replace(item, position="TOP"),))
    with pytest.raises(ValueError, match="one planted item"):
        Plan(effects=(item, replace(item, core_order=1)), arms=100)


# ---------------------------------------------------------------------------------------------- silver


@pytest.mark.parametrize("table", TABLES)
def test_silver_tables_are_as_declared(table: str) -> None:
    plan = Plan(matches=120, aram=0.1, bots=0.05, remakes=0.05, patches=(("13.13", 1), ("14.10", 1)))
    frame = silver(simulate(plan))[table]
    declared = TABLES[table]
    assert dict(frame.schema) == dict(declared.schema())
    assert declared.validate(frame).height == frame.height > 0


def test_matches_of_other_queues_and_remakes_are_told_as_such() -> None:
    plan = Plan(matches=400, aram=0.1, bots=0.05, remakes=0.05)
    frames = silver(simulate(plan))
    matches, participants = frames["matches"], frames["participants"]
    assert Counter(matches["queue_group"]) == {"ranked_solo": 340, "aram": 40, "bots": 20}
    assert (matches.filter("is_remake")["duration_s"] < 300).all()
    assert matches.filter("is_remake").height == 20
    counted = matches.filter("in_statistics")
    assert counted.height == 360
    of_aram = participants.join(matches.filter(pl.col("queue_group") == "aram"), on="match_id", how="semi")
    assert of_aram["position"].null_count() == of_aram.height == 400
    epic = frames["objectives"].join(of_aram, on="match_id", how="semi")["objective"].unique()
    assert set(epic) <= {"tower", "inhibitor", "first_blood"}


def test_grubs_come_with_the_patch_that_brought_them() -> None:
    frames = silver(simulate(Plan(matches=300, patches=(("13.24", 1), ("14.10", 1)))))
    grubs = frames["objectives"].filter(pl.col("objective") == "grubs")
    assert set(grubs["patch"]) == {"14.10"}
    assert grubs.group_by("match_id").agg(teams=pl.col("team_id").n_unique())["teams"].max() == 1


# ---------------------------------------------------------------------------------------------- the files


def _shape(value: Any, path: str, into: dict[str, set[str]]) -> None:
    """JSON types by path; events by their kind, whole numbers apart from others."""
    if isinstance(value, dict):
        if "type" in value and "timestamp" in value:
            path += f"<{value['type']}>"
        into[path].add("object")
        for key, each in value.items():
            _shape(each, f"{path}.{'#' if key.isdigit() else key}", into)
    elif isinstance(value, list):
        into[path].add("array")
        for each in value:
            _shape(each, f"{path}[]", into)
    else:
        into[path].add(type(value).__name__)


def _shapes(*documents: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for document in documents:
        _shape(document, "", found)
    return found


@pytest.mark.parametrize("part", ["matches", "timelines"])
def test_files_have_every_key_of_real_ones_with_its_type(season: Season, realdata: Path, part: str) -> None:
    real = _shapes(*(_document(realdata / "lol" / part / f"{match_id}.json.gz") for match_id in OF_13_14))
    ours = _shapes(*(_document(path) for path in sorted((season.folder / part).iterdir())[-50:]))
    assert set(real) - set(ours) == set()
    for path, kinds in real.items():
        # A number that happens to be whole is written so.
        number = ours[path] <= {"int", "float"} and kinds <= {"int", "float"} and "float" in kinds | ours[path]
        assert ours[path] <= kinds or (number and "challenges" in path), (path, kinds, ours[path])


@pytest.mark.parametrize("part", ["matches", "timelines"])
def test_files_have_no_key_that_real_ones_do_not_have(season: Season, realdata: Path, part: str) -> None:
    real = _shapes(*(_document(path) for path in sorted((realdata / "lol" / part).iterdir()) if path.name > "NA1_45"))
    ours = _shapes(*(_document(path) for path in sorted((season.folder / part).iterdir())[-50:]))
    # The real pairs end before patch 13.15, and no bounty of theirs was over before the game was.
    assert {path for path in set(ours) - set(real) if "OBJECTIVE_BOUNTY_FINISH" not in path} == set()


def test_files_are_named_as_riot_names_matches(season: Season) -> None:
    assert len(season.matches) == season.summary["matches"] == MATCHES
    assert list(season.matches) == list(season.timelines)
    for match_id, match in season.matches.items():
        assert match_id == f"NA1_{match['gameId']}"
        begun = date.fromtimestamp(match["gameStartTimestamp"] / 1000)
        assert date(2023, 7, 17) <= begun <= date(2023, 7, 21)
    versions = {match["gameVersion"].rsplit(".", 2)[0] for match in season.matches.values()}
    assert sorted(versions) == season.summary["patches"] == ["13.13", "13.14"]
    documents = {path.name for path in (season.folder / "datadragon").iterdir()}
    assert documents == {
        f"{patch}.1_{name}.json.gz"
        for patch in versions
        for name in ("en_US_item", "ko_KR_item", "en_US_championFull", "ko_KR_champion")
    }


def test_a_season_is_small_and_tells_its_truth(season: Season) -> None:
    on_disk = sum(path.stat().st_size for path in season.folder.rglob("*") if path.is_file())
    assert on_disk == season.summary["bytes"] < 25e6 * MATCHES / 240
    told = json.loads((season.folder.parent / "truth.json").read_text())["effects"]
    assert told == season.summary["truth"]
    assert {row["kind"] for row in told} == {"item", "objective", "skill_order", "vision"}
    queues = Counter(match["queueId"] for match in season.matches.values())
    assert queues[ARAM] >= 2
    assert queues[BOTS] >= 1
    remakes = [match for match in season.matches.values() if match["participants"][0]["gameEndedInEarlySurrender"]]
    assert len(remakes) == season.summary["remakes"] >= 2
    assert all(match["gameDuration"] < 300 for match in remakes)


def test_same_story_same_bytes(tmp_path: Path) -> None:
    contents = []
    for number in range(2):
        write(simulate(Plan(matches=3)), tmp_path / str(number))
        contents.append({
            path.relative_to(tmp_path / str(number)): path.read_bytes()
            for path in sorted((tmp_path / str(number)).rglob("*.json*"))
        })  # fmt: skip
    assert contents[0] == contents[1]
    write(simulate(Plan(matches=3)), tmp_path / "plain", compress=False)
    plain = sorted((tmp_path / "plain" / "matches").iterdir())
    assert [path.name for path in plain] == [f"NA1_{5_007_000_001 + number}.json" for number in range(3)]
    assert json.loads(plain[0].read_bytes()) == _document(tmp_path / "0" / "matches" / f"{plain[0].name}.gz")


def test_files_land_and_decode_without_rejections(season: Season, tmp_path: Path) -> None:
    landing = Landing(str(tmp_path))
    for part in ("datadragon", "matches", "timelines"):
        outcomes = SOURCE.ingest([season.folder / part], landing).outcomes
        assert {outcome.status for outcome in outcomes} == {"taken"}
    files: list[LandedFile] = [file for day in landing.days(GAME) for file in landing.files(GAME, day)]
    with contextlib.closing(decode_batches(DECODER, landing, [files], workers=1, part=1000)) as batches:
        decoded = next(batches)
        assert decoded.unreadable == 0
        assert decoded.rejections == {}
        counts = decoded.frames[TimelineEventCounts].collect()
        matches = decoded.frames[RawMatches].collect()
    assert matches.height == MATCHES
    assert matches["unknown_keys"].max() == 0
    assert counts["events"].sum() == season.summary["events"]
    assert counts["quarantined"].sum() == 0
    assert counts["is_known"].all()
    usual = """
        PAUSE_END ITEM_PURCHASED ITEM_SOLD ITEM_DESTROYED ITEM_UNDO SKILL_LEVEL_UP LEVEL_UP WARD_PLACED WARD_KILL
        CHAMPION_KILL CHAMPION_SPECIAL_KILL ELITE_MONSTER_KILL BUILDING_KILL TURRET_PLATE_DESTROYED DRAGON_SOUL_GIVEN
        OBJECTIVE_BOUNTY_PRESTART OBJECTIVE_BOUNTY_FINISH GAME_END
    """
    assert set(counts["event_type"]) == set(usual.split())


def test_frames_drift_off_the_minute_and_end_with_the_game(season: Season) -> None:
    for match_id, timeline in season.timelines.items():
        at = [frame["timestamp"] for frame in timeline["frames"]]
        assert at[0] == 0
        assert all(60_000 * number < moment <= 60_000 * number + 2_000 for number, moment in enumerate(at[1:-1], 1))
        assert at == sorted(set(at))
        last = timeline["frames"][-1]["events"][-1]
        assert (last["type"], last["timestamp"]) == ("GAME_END", at[-1])
        assert season.matches[match_id]["gameDuration"] == at[-1] // 1000
        first = timeline["frames"][0]["events"][0]
        assert first["type"] == "PAUSE_END"
        assert 0 < season.matches[match_id]["gameStartTimestamp"] - first["realTimestamp"] < 100
        for before, frame in zip([-1, *at], timeline["frames"], strict=False):
            times = [event["timestamp"] for event in frame["events"]]
            assert times == sorted(times)
            assert all(before < moment <= frame["timestamp"] for moment in times)
        for number in range(1, 11):
            gold = [frame["participantFrames"][str(number)]["totalGold"] for frame in timeline["frames"]]
            assert gold == sorted(gold)


def test_match_objects_and_timelines_tell_the_same(season: Season) -> None:
    for match_id, match, events in season.pairs():
        last = season.timelines[match_id]["frames"][-1]["participantFrames"]
        kills = [event for event in events if event["type"] == "CHAMPION_KILL"]
        learnt = {(e["participantId"], e["skillSlot"], e["timestamp"]) for e in events if e["type"] == "SKILL_LEVEL_UP"}
        for player in match["participants"]:
            number = player["participantId"]
            state = last[str(number)]
            assert player["kills"] == sum(event["killerId"] == number for event in kills)
            assert player["deaths"] == sum(event["victimId"] == number for event in kills)
            assert player["assists"] == sum(number in event.get("assistingParticipantIds", ()) for event in kills)
            assert player["goldEarned"] == state["totalGold"]
            assert player["champExperience"] == state["xp"]
            assert player["champLevel"] == state["level"]
            assert player["totalMinionsKilled"] == state["minionsKilled"]
            assert player["neutralMinionsKilled"] == state["jungleMinionsKilled"]
            dealt = state["damageStats"]
            assert player["totalDamageDealtToChampions"] == dealt["totalDamageDoneToChampions"]
            assert player["totalDamageTaken"] == dealt["totalDamageTaken"]
            slots = Counter(slot for who, slot, _ in learnt if who == number)
            assert all(count <= (3 if slot == 4 else 5) for slot, count in slots.items())
        for team in match["teams"]:
            own = [p["participantId"] for p in match["participants"] if p["teamId"] == team["teamId"]]
            assert team["objectives"]["champion"]["kills"] == sum(event["killerId"] in own for event in kills)
            slain = Counter(e["monsterType"] for e in events if e.get("killerTeamId") == team["teamId"])
            fell = [event for event in events if event["type"] == "BUILDING_KILL"]
            lost = Counter(event["buildingType"] for event in fell if event["teamId"] != team["teamId"])
            assert team["objectives"]["dragon"]["kills"] == slain["DRAGON"]
            assert team["objectives"]["baron"]["kills"] == slain["BARON_NASHOR"]
            assert team["objectives"]["riftHerald"]["kills"] == slain["RIFTHERALD"]
            assert team["objectives"]["tower"]["kills"] == lost["TOWER_BUILDING"]
            assert team["objectives"]["inhibitor"]["kills"] == lost["INHIBITOR_BUILDING"]
        over = events[-1]
        assert [team["win"] for team in match["teams"]] == [over["winningTeam"] == 100, over["winningTeam"] == 200]


class Inventory:
    """What one participant holds, by the book: undos take back the last purchase or sale with all that went into it."""

    def __init__(self, trinket: int) -> None:
        self.held: Counter[int] = Counter()
        self.trinket = trinket
        self.done: list[tuple[str, int, list[int]]] = []
        self.completed: list[tuple[int, int]] = []

    def play(self, events: list[dict[str, Any]]) -> None:
        """Go through a participant's item events."""
        for number, event in enumerate(events):
            if event["type"] == "ITEM_UNDO":
                self._undo(event)
                continue
            at, item = event["timestamp"], event["itemId"]
            later = (each for each in events[number + 1 :] if each["type"] != "ITEM_DESTROYED")
            bought = next(later, {"type": "", "timestamp": -1})
            if event["type"] == "ITEM_PURCHASED":
                parts = []
                for before in reversed(events[:number]):
                    if before["type"] != "ITEM_DESTROYED" or before["timestamp"] != at:
                        break
                    parts.append(before["itemId"])
                self._buy(at, item, parts)
            elif event["type"] == "ITEM_SOLD":
                self.held[item] -= 1
                self.done.append(("sold", item, []))
            elif not (bought["type"] == "ITEM_PURCHASED" and bought["timestamp"] == at):
                self.held[item] -= 1
                becomes = [each.item_id for each in ITEMS.values() if each.transformed_from == item]
                self.held.update(becomes)
                self.completed += [(at, each) for each in becomes if ITEMS[each].kind == "core"]
            assert min(self.held.values(), default=0) >= 0, (event, self.held)

    def _buy(self, at: int, item: int, parts: list[int]) -> None:
        if ITEMS[item].kind == "trinket":
            assert parts in ([], [self.trinket])
            self.done.append(("trinket", item, [self.trinket]))
            self.trinket = item
            return
        self.done.append(("bought", item, parts))
        if item not in parts:
            self.held.subtract(parts)
            self.held[item] += 1
        if ITEMS[item].kind in ("core", "boots"):
            self.completed.append((at, item))

    def _undo(self, event: dict[str, Any]) -> None:
        kind, item, parts = self.done.pop()
        gold = event["goldGain"]
        if kind == "sold":
            assert (event["beforeId"], event["afterId"], gold) == (0, item, -ITEMS[item].gold_sell)
            self.held[item] += 1
        elif kind == "trinket":
            assert (event["beforeId"], event["afterId"], gold) == (0, item, 0)
            self.trinket = parts[0]
        else:
            paid = ITEMS[item].gold_total - sum(ITEMS[part].gold_total for part in parts)
            assert (event["beforeId"], event["afterId"], gold) == (item, 0, paid)
            self.held[item] -= 1
            self.held.update(parts)
            if self.completed and self.completed[-1][1] == item:
                self.completed.pop()


def test_item_events_end_in_the_final_items_and_complete_what_silver_tells(season: Season) -> None:
    plan = simulator.season(matches=MATCHES, first_day=date(2023, 7, 18), days=3, seed=7)
    builds = defaultdict(list)
    for row in silver(simulate(plan))["item_builds"].sort("completed_at_s").to_dicts():
        builds[row["match_id"], row["participant_id"]].append((round(row["completed_at_s"] * 1000), row["item_id"]))
    seen: Counter[str] = Counter()
    for match_id, match, events in season.pairs():
        of = defaultdict(list)
        for event in events:
            if event["type"].startswith("ITEM_"):
                of[event["participantId"]].append(event)
        for player in match["participants"]:
            inventory = Inventory(2052 if match["queueId"] == ARAM else 3340)
            inventory.play(of[player["participantId"]])
            held = {item for item, count in inventory.held.items() if count}
            assert sorted(held) == sorted(player[f"item{slot}"] for slot in range(6) if player[f"item{slot}"])
            assert player["item6"] == inventory.trinket
            assert inventory.completed == builds[match_id, player["participantId"]]
            kept = [kind for kind, _, _ in inventory.done if kind != "sold"]
            assert player["itemsPurchased"] == len(kept)
            seen.update(event["type"] for event in of[player["participantId"]])
            seen["a sale undone"] += sum(event.get("goldGain", 0) < 0 for event in of[player["participantId"]])
    assert len(seen) == 5
    assert min(seen.values()) > 10


def test_rare_things_happen_in_a_season(season: Season) -> None:
    found: Counter[str] = Counter()
    for _, _, events in season.pairs():
        levels = Counter(
            (e["participantId"], e["skillSlot"], e["timestamp"]) for e in events if e["type"] == "SKILL_LEVEL_UP"
        )
        found["doubled level"] += sum(count == 2 for count in levels.values())
        for event in events:
            found["soul announced"] += event["type"] == "DRAGON_SOUL_GIVEN" and event["teamId"] == 0
            found["herald unclaimed"] += event.get("killerTeamId") == 300
            found["turned"] += event["type"] == "ITEM_DESTROYED" and event["itemId"] == 3004
            found["executed"] += event["type"] == "CHAMPION_KILL" and event["killerId"] == 0
            found["no damage dealt"] += event["type"] == "CHAMPION_KILL" and "victimDamageDealt" not in event
            found["first blood"] += event.get("killType") == "KILL_FIRST_BLOOD"
            found["combined undone"] += event["type"] == "ITEM_UNDO" and bool(ITEMS[event["beforeId"] or 1001].recipe)
            found["trinket swapped"] += event["type"] == "ITEM_PURCHASED" and event["itemId"] in (3363, 3364)
    assert min(found.values()) >= 3, found
    assert found["first blood"] >= MATCHES - 5


def test_newer_patches_have_riot_ids_and_grubs(tmp_path: Path) -> None:
    write(simulate(Plan(matches=6, patches=(("14.10", 1),))), tmp_path)
    for path in (tmp_path / "matches").iterdir():
        info = _document(path)["info"]
        assert all(player["riotIdGameName"] and player["riotIdTagline"] for player in info["participants"])
        assert all("horde" in team["objectives"] for team in info["teams"])
