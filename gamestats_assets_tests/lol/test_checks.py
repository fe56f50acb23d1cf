"""Every check passes on sound data and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy.stats import false_discovery_control

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import CHECKS, game
from gamestats_assets.lol.patterns.patterns import discovered_patterns, pattern_tests
from gamestats_assets.lol.statistics.build_stats import item_build_stats
from gamestats_assets.lol.statistics.objective_stats import first_objective_stats
from gamestats_assets.lol.statistics.variables import vision_survival
from gamestats_assets.simulators.lol.files import write
from gamestats_assets.simulators.lol.plan import Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.lol import gold
from gamestats_assets_tests.lol.gold import make, table_of
from gamestats_assets_tests.lol.pipeline import real_tables, tables_of
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, breaking, changed, doubled, without

BY_NAME = {check.name: check for check in CHECKS}
OF_PATCHES: tuple[Callable[..., Any], ...] = (
    vision_survival,
    item_build_stats,
    first_objective_stats,
    pattern_tests,
    discovered_patterns,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Matches as files, one of them without its timeline, and all that is made of each match; statistics of more."""
    folder = tmp_path_factory.mktemp("files")
    write(simulate(Plan(matches=50, days=1, patches=(("13.14", 1),), aram=0.2, bots=0.05, remakes=0.05)), folder)
    min((folder / "timelines").iterdir()).unlink()
    known = dict(tables_of(*(folder / part for part in ("matches", "timelines", "datadragon"))))
    of_patches = dict(gold.frames())
    known[t.Patches] = of_patches[t.Patches]
    for function in OF_PATCHES:
        of_patches[table_of(function)] = known[table_of(function)] = make(function, of_patches)
    return known


# --------------------------------------------------------------------------- planting

LAST_FRAME = pl.col("frame_index") == pl.col("frame_index").max().over("match_id", "participant_id")
KILL = (pl.col("event_type") == "CHAMPION_KILL") & (pl.col("participant_id") > 0)
SEVERAL = pl.col("core_items") > 1
WINNING = (pl.col("wins") > 0) & (pl.col("wins") < pl.col("games"))


UNTRIED = pl.col("discovery_half_q_value") > 0.05
HELD = pl.col("is_replicated")
LOWEST = pl.col("p_value") == pl.col("p_value").min().over("patch")


def q_is_p(frames: Frames) -> Planted:
    """No p is made larger by the number of tests."""
    q = pl.col("p_value")
    return {t.PatternTests: frames[t.PatternTests].with_columns(q_value=q, is_found=(q <= 0.05).fill_null(False))}


def of_untested(q_values: Callable[[list[float | None]], list[float | None]]) -> Callable[[Frames], Planted]:
    """The test with the lowest p of each patch could not be tested; q of the others are as given."""

    def plant(frames: Frames) -> Planted:
        parts = []
        for part in frames[t.PatternTests].partition_by("patch"):
            untested = part.with_columns(p_value=pl.when(~LOWEST).then("p_value"))
            q = pl.Series("q_value", q_values(untested.get_column("p_value").to_list()), pl.Float64)
            parts.append(untested.with_columns(q, is_found=(q <= 0.05).fill_null(False)))
        return {t.PatternTests: pl.concat(parts)}

    return plant


def over_all(p: list[float | None]) -> list[float | None]:
    """Benjamini and Hochberg's q, what has no p standing in the family with a p of 1."""
    q = false_discovery_control([1.0 if each is None else each for each in p])
    return [None if each is None else float(value) for each, value in zip(p, q, strict=True)]


def over_tested(p: list[float | None]) -> list[float | None]:
    """The same over what has a p alone."""
    q = iter(false_discovery_control([each for each in p if each is not None]))
    return [None if each is None else float(next(q)) for each in p]


def items_end_otherwise(frames: Frames) -> Planted:
    """One participant in ten does not end with the recorded items."""
    frame = frames[t.FinalItems].with_row_index("__row__")
    return {t.FinalItems: frame.with_columns(agrees=pl.col("__row__") % 10 > 0).drop("__row__")}


def lasting(seconds: float, frames: Frames) -> Planted:
    """Every match is told to be that long."""
    return {t.Matches: frames[t.Matches].with_columns(duration_s=pl.lit(seconds))}


VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("every_event_of_a_timeline_is_counted", changed(t.TimelineFiles, events=pl.col("events") + 1)),
    ("every_event_of_a_timeline_is_counted", without(t.TimelineEventCounts)),
    ("no_more_rows_than_events", doubled(t.TimelineEvents)),
    ("no_more_rows_than_events", changed(t.TimelineEvents, event_type="NEW_KIND")),
    ("every_event_is_a_row", without(t.TimelineEvents)),
    ("every_event_is_a_row", changed(t.TimelineEventCounts, events=pl.col("events") + 1)),
    ("kinds_of_events_are_known", doubled(t.TimelineEventCounts, event_type="NEW_KIND", is_known=False)),
    ("every_participant_is_a_row", without(t.RawParticipants)),
    ("every_participant_is_a_row", changed(t.RawMatches, participants=16)),
    ("every_match_object_is_a_match", without(t.Matches)),
    ("every_match_object_is_a_match", doubled(t.Matches)),
    ("every_match_object_is_a_match", changed(t.Matches, match_date=date(2026, 1, 1))),
    ("every_match_object_is_a_match", doubled(t.RawMatches, match_id="NA1_1", game_version="", participants=10)),
    ("queues_are_known", changed(t.Matches, queue_id=9999, queue_group="queue_9999")),
    ("items_of_the_patch_are_at_hand", changed(t.Patches, version_is="none", data_dragon_version=None)),
    ("items_of_the_patch_are_at_hand", changed(t.Patches, version_is="later")),
    ("teams_are_of_one_size", without(t.Participants, pl.col("position") == "TOP")),
    ("kills_are_somebodys_deaths", without(t.Participants)),
    *(
        ("kills_are_somebodys_deaths", changed(t.Participants, **{name: pl.col(name) + 1}))
        for name in ("kills", "deaths", "assists", "gold_earned", "damage_to_champions")
    ),
    *(
        ("timelines_end_as_match_objects_tell", changed(t.TimelineFrames, LAST_FRAME, **{name: pl.col(name) + 3000}))
        for name in ("total_gold", "damage_to_champions")
    ),
    ("kills_of_timelines_are_those_of_match_objects", without(t.TimelineEvents, KILL)),
    ("kills_of_timelines_are_those_of_match_objects", doubled(t.TimelineEvents, KILL, event_index=999_999)),
    ("items_end_as_recorded", items_end_otherwise),
    ("items_are_completed_within_the_game", changed(t.ItemBuilds, completed_at_s=7_200.0)),
    ("items_are_completed_within_the_game", lambda frames: lasting(60.0, frames)),
    ("items_are_completed_within_the_game", changed(t.ItemBuilds, left_at_s=pl.col("completed_at_s") - 1)),
    ("orders_are_of_the_levels", changed(t.SkillOrders, max_order="QQE")),
    ("orders_are_of_the_levels", changed(t.SkillOrders, levels="", first_levels="")),
    ("orders_are_of_the_levels", changed(t.SkillOrders, pl.col("levels").str.len_chars() > 5, first_levels="RRRRRR")),
    ("the_first_of_a_kind_is_one", doubled(t.Objectives, event_index=999_999)),
    ("the_first_of_a_kind_is_one", changed(t.Objectives, number_in_match=99)),
    ("the_first_of_a_kind_is_one", changed(t.Objectives, pl.col("number_in_match") == 2, number_in_match=1)),
    ("every_counted_participant_is_a_wide_row", without(t.ParticipantFeatures)),
    ("every_counted_participant_is_a_wide_row", doubled(t.ParticipantFeatures, participant_id=11)),
    ("every_counted_participant_is_a_wide_row", without(t.Matches, pl.col("in_statistics"))),
    *(
        ("every_counted_participant_is_a_wide_row", changed(t.ParticipantFeatures, **{name: pl.col(name) + 1}))
        for name in ("kills", "deaths", "gold_earned", "damage_to_champions")
    ),
    ("lists_of_items_are_of_one_length", changed(t.ParticipantFeatures, SEVERAL, core_items=pl.col("core_items") + 1)),
    (
        "lists_of_items_are_of_one_length",
        changed(t.ParticipantFeatures, SEVERAL, core_items_at_s=pl.col("core_items_at_s").list.reverse()),
    ),
    *(
        (
            "lists_of_items_are_of_one_length",
            changed(t.ParticipantFeatures, SEVERAL, **{name: pl.col(name).list.head(1)}),
        )
        for name in (
            "core_item_ids",
            "completed_item_ids",
        )
    ),
    (
        "lists_of_items_are_of_one_length",
        changed(
            t.ParticipantFeatures,
            SEVERAL,
            core_item_ids=pl.col("core_item_ids").list.eval(pl.element().first().repeat_by(pl.len()).explode()),
        ),
    ),
    ("builds_add_up", changed(t.ItemBuildStats, pl.col("pick_share") < 0.5, pick_share=1.0)),
    ("builds_add_up", changed(t.ItemBuildStats, WINNING, wins=pl.col("games") + 1)),
    ("somebody_wins", changed(t.FirstObjectiveStats, win_rate=pl.col("win_rate_high") + 0.001)),
    ("somebody_wins", changed(t.FirstObjectiveStats, wins=pl.col("games") + 1)),
    ("q_values_are_of_one_family", changed(t.PatternTests, q_value=pl.col("p_value") / 2)),
    ("q_values_are_of_one_family", changed(t.PatternTests, tests=pl.col("tests") + 1)),
    ("q_values_are_of_one_family", without(t.PatternTests)),
    ("q_values_are_of_one_family", changed(t.PatternTests, is_found=~pl.col("is_found"))),
    ("q_values_are_of_one_family", changed(t.PatternTests, LOWEST, q_value=None)),
    ("q_values_are_of_one_family", changed(t.PatternTests, pl.col("is_found"), q_value=None, p_value=None)),
    ("q_values_are_of_one_family", q_is_p),
    ("q_values_are_of_one_family", changed(t.PatternTests, HELD, discovery_half_q_value=pl.col("discovery_p_value"))),
    ("q_values_are_of_one_family", changed(t.PatternTests, HELD, discovery_p_value=None)),
    ("q_values_are_of_one_family", of_untested(over_tested)),
    *(
        ("what_replicates_was_found_by_one_half", changed(t.PatternTests, where, **values))
        for where, values in (
            (UNTRIED, {"is_replicated": True}),
            (UNTRIED, {"held_out_p_value": 0.5}),
            (UNTRIED, {"held_out_effect": 0.01}),
            (HELD, {"discovery_half_q_value": 0.051}),
            (HELD, {"is_replicated": False}),
            (HELD, {"held_out_p_value": 0.051}),
            (HELD, {"held_out_effect": -pl.col("held_out_effect")}),
            (HELD, {"discovery_effect": None, "is_replicated": False}),
        )
    ),
    ("what_is_found_was_tested", without(t.DiscoveredPatterns)),
    ("what_is_found_was_tested", doubled(t.DiscoveredPatterns, pattern_id="never/tested")),
    ("what_is_found_was_tested", changed(t.PatternTests, pl.col("is_found"), is_found=False)),
    ("what_items_are_made_of_is_listed", without(t.Items, pl.col("item_id") == 3044)),
    ("what_items_are_made_of_is_listed", changed(t.Items, transformed_from=999_999)),
]


# --------------------------------------------------------------------------- tests


class TestChecks(ChecksOfAGame):
    checks, violations, game = CHECKS, VIOLATIONS, staticmethod(game)


def test_an_unreadable_timeline_breaks_nothing(sound: Frames) -> None:
    of_match = sound[t.TimelineFiles].get_column("match_id").min()
    lost = pl.col("match_id") == of_match
    files = sound[t.TimelineFiles].with_columns(
        status=pl.when(lost).then(pl.lit("unreadable")).otherwise("status"),
        events=pl.when(lost).then(0).otherwise("events").cast(pl.Int32),
    )
    of_timelines = (t.TimelineFrames, t.TimelineEvents, t.TimelineEventCounts)
    frames = {**sound, t.TimelineFiles: files, **{table: sound[table].filter(~lost) for table in of_timelines}}
    assert [check.name for check in CHECKS if breaking(check, frames).height] == []


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("orders_are_of_the_levels", changed(t.SkillOrders, levels="", first_levels="", max_order="")),
        ("orders_are_of_the_levels", changed(t.SkillOrders, levels="R", first_levels="R", max_order="")),
        (
            "every_match_object_is_a_match",
            doubled(t.RawMatches, match_id="NA1_1", game_version="", participants=0, end_of_game_result="Abort"),
        ),
        ("items_are_completed_within_the_game", lambda frames: lasting(0.0, frames)),
    ],
    ids=["no skill chosen", "the ultimate alone", "a game that never began", "no length told"],
)
def test_what_the_game_allows_breaks_nothing(name: str, plant: Callable[[Frames], Planted], sound: Frames) -> None:
    assert breaking(BY_NAME[name], {**sound, **plant(sound)}).to_dicts() == []


def test_few_participants_whose_items_differ_break_nothing(sound: Frames) -> None:
    check = BY_NAME["items_end_as_recorded"]
    planted = items_end_otherwise(sound)
    few = planted[t.FinalItems].filter(pl.col("agrees").not_() | (pl.col("match_id") == pl.col("match_id").first()))
    assert breaking(check, {**sound, t.FinalItems: few.head(49)}).is_empty()
    one = sound[t.FinalItems].with_columns(agrees=pl.int_range(pl.len()) > 0)
    assert breaking(check, {**sound, t.FinalItems: one}).is_empty()


def test_what_could_not_be_tested_is_of_the_family(sound: Frames) -> None:
    planted = of_untested(over_all)(sound)
    assert planted[t.PatternTests].get_column("q_value").null_count() == 2
    assert breaking(BY_NAME["q_values_are_of_one_family"], {**sound, **planted}).to_dicts() == []


def test_of_equal_p_either_may_come_first(sound: Frames) -> None:
    parts = []
    for part in sound[t.PatternTests].partition_by("patch"):
        p = part.get_column("p_value").round(1)
        assert p.n_unique() < part.height
        q = pl.Series("q_value", over_all(p.to_list()), pl.Float64)
        parts.append(part.with_columns(p, q, is_found=q <= 0.05))
    tied = {**sound, t.PatternTests: pl.concat(parts)}
    assert breaking(BY_NAME["q_values_are_of_one_family"], tied).to_dicts() == []


@pytest.mark.parametrize(
    "values",
    [
        {"held_out_p_value": 0.051, "is_replicated": False},
        {"held_out_effect": -pl.col("held_out_effect"), "is_replicated": False},
        {"held_out_p_value": None, "held_out_effect": None, "is_replicated": None},
    ],
    ids=["a high p", "another sign", "not tried for want of games"],
)
def test_what_does_not_hold_breaks_nothing(values: dict[str, Any], sound: Frames) -> None:
    planted = changed(t.PatternTests, HELD, **values)(sound)
    assert breaking(BY_NAME["what_replicates_was_found_by_one_half"], {**sound, **planted}).to_dicts() == []


def test_patches_are_families_of_their_own(sound: Frames) -> None:
    tests = sound[t.PatternTests]
    assert tests.get_column("patch").n_unique() == 2
    assert tests.get_column("is_found").any()
    assert not tests.get_column("is_found").all()


def test_real_matches_break_no_blocking_check(realdata: Path) -> None:
    known = real_tables(realdata)
    blocking = [check for check in CHECKS if check.blocking and known.keys() >= set(check.inputs.values())]
    assert len(blocking) > 8
    assert {check.name: found for check in blocking if (found := breaking(check, known).to_dicts())} == {}
