"""The wide rows, against silver rows read one by one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lol import tables as t
from gamestats_assets.lol.matches.features import is_held_out, participant_features
from gamestats_assets_tests.lol.gold import (
    frames,
    make,
)
from gamestats_assets_tests.lol.scenario import rows, ten

EPIC = ("dragon", "herald", "grubs", "baron", "atakhan")
FIRSTS = {
    "team_first_blood": "first_blood",
    "team_first_dragon": "dragon",
    "team_first_herald": "herald",
    "team_first_grubs": "grubs",
    "team_first_baron": "baron",
    "team_first_tower": "tower",
}
Row = dict[str, Any]


def features() -> pl.DataFrame:
    return frames()[t.ParticipantFeatures]


def by(table: type[t.Matches] | Any, *key: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows of a table by some columns."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in frames()[table].to_dicts():
        found[tuple(row[name] for name in key)].append(row)
    return found


# --------------------------------------------------------------------------- who has a row


def test_participants_of_counted_matches_are_one_row_each_and_unchanged() -> None:
    known = frames()
    counted = {row["match_id"]: row for row in known[t.Matches].to_dicts() if row["in_statistics"]}
    assert 0 < len(counted) < known[t.Matches].height, "some matches do not count"
    own = known[t.Participants].filter(pl.col("match_id").is_in(list(counted)))
    columns = t.Participants.column_names()
    assert features().select(columns).equals(own.sort(t.Participants.primary_key()).select(columns))
    for row in features().to_dicts():
        match = counted[row["match_id"]]
        for name in ("patch", "queue_id", "queue_group", "platform_id", "duration_s", "has_timeline"):
            assert row[name] == match[name]


# --------------------------------------------------------------------------- halves


@pytest.mark.parametrize(
    ("match_id", "digest"), [("NA1_4736000000", 0x92), ("KR_1", 0x7F), ("EUW1_6500000001", 0xB9), ("NA1_1", 0x5B)]
)
def test_a_match_stays_in_its_half_for_ever(match_id: str, digest: int) -> None:
    # As `b2sum -l 8` tells it of the id.
    assert is_held_out(match_id) == (digest % 2 == 1)


# --------------------------------------------------------------------------- items


def test_items_stand_in_the_order_of_completion() -> None:
    builds = by(t.ItemBuilds, "match_id", "participant_id")
    transformed, booted = 0, 0
    for row in features().filter("has_timeline").to_dicts():
        own = sorted(builds[row["match_id"], row["participant_id"]], key=lambda each: each["completion"])
        core = sorted(
            (each for each in own if each["kind"] == "core" and not each["is_transformation"]),
            key=lambda each: each["core_order"],
        )
        boots = [each["item_id"] for each in own if each["kind"] == "boots"]
        assert row["core_items"] == len(core)
        assert row["core_item_ids"] == [each["item_id"] for each in core]
        assert row["core_items_at_s"] == [each["completed_at_s"] for each in core]
        assert row["core_items_team_gold_diff"] == [each["team_gold_diff"] for each in core]
        assert row["core_items_lane_gold_diff"] == [each["lane_gold_diff"] for each in core]
        assert row["completed_item_ids"] == [each["item_id"] for each in own]
        assert row["completed_items_at_s"] == [each["completed_at_s"] for each in own]
        assert row["boots_id"] == (boots[0] if boots else None)
        transformed += len(own) > len(core) + len(boots)
        booted += bool(boots)
    assert transformed
    assert booted


def made_of(**tables: Any) -> pl.DataFrame:
    """The wide rows of one match of ten, with what is given of it."""
    known: dict[type[Any], pl.DataFrame] = {
        t.Matches: rows(t.Matches, {"duration_s": 1800.0}),
        t.Participants: ten(),
        t.ItemBuilds: rows(t.ItemBuilds),
        t.SkillOrders: rows(t.SkillOrders),
        t.Objectives: rows(t.Objectives),
        t.TeamCoordination: rows(t.TeamCoordination),
    }
    return make(participant_features, known | {getattr(t, name): frame for name, frame in tables.items()})


def test_what_an_item_turned_into_is_completed_but_no_core_item_of_its_own() -> None:
    tear, trinity, muramana, boots = 3004, 3078, 3042, 3006
    built = rows(
        t.ItemBuilds,
        *(
            {"participant_id": 4, "item_id": item, "completion": number, "completed_at_s": 300.0 * number} | more
            for number, (item, more) in enumerate(
                [
                    (boots, {"kind": "boots"}),
                    (tear, {"core_order": 1}),
                    (trinity, {"core_order": 2, "team_gold_diff": 700.0}),
                    (muramana, {"core_order": 1, "is_transformation": True, "transformed_from": tear}),
                ],
                1,
            )
        ),
    ).reverse()
    row = made_of(ItemBuilds=built).row(3, named=True)
    assert row["core_items"] == 2
    assert row["core_item_ids"] == [tear, trinity]
    assert row["core_items_at_s"] == [600.0, 900.0]
    assert row["core_items_team_gold_diff"] == [None, 700.0]
    assert row["completed_item_ids"] == [boots, tear, trinity, muramana]
    assert row["boots_id"] == boots


# --------------------------------------------------------------------------- skills and teams


def test_objectives_are_those_of_the_team() -> None:
    objectives = by(t.Objectives, "match_id")
    untaken = 0
    for row in features().to_dicts():
        taken = objectives[row["match_id"],]
        for name, objective in FIRSTS.items():
            first = [each for each in taken if each["objective"] == objective and each["number_in_match"] == 1]
            assert row[name] == (first[0]["team_id"] == row["team_id"] if first else None), name
            untaken += row["has_timeline"] and not first
        own = [each for each in taken if each["team_id"] == row["team_id"]]
        for name, objective in (("team_dragons", "dragon"), ("team_towers", "tower")):
            count = sum(each["objective"] == objective for each in own)
            assert row[name] == (count if row["has_timeline"] else None)
        epic = [each for each in own if each["objective"] in EPIC]
        there = sum(row["participant_id"] in each["participant_ids"] for each in epic)
        assert row["objective_participation"] == (there / len(epic) if epic else None)
    assert untaken, "in some matches with a timeline nobody takes something"


def test_a_match_in_which_nothing_was_taken_has_no_first_and_counts_of_nought() -> None:
    assert made_of().select(*FIRSTS).null_count().row(0) == (10,) * len(FIRSTS)
    assert made_of().select("team_dragons", "team_towers").unique().rows() == [(0, 0)]
    assert made_of().get_column("objective_participation").null_count() == 10


def test_the_team_that_took_nothing_knows_that_the_other_did() -> None:
    dragon = {"objective": "dragon", "number_in_match": 1, "number_of_team": 1, "team_id": 200, "participant_ids": [7]}
    made = made_of(Objectives=rows(t.Objectives, dragon))
    assert made.get_column("team_first_dragon").to_list() == [False] * 5 + [True] * 5
    assert made.get_column("team_dragons").to_list() == [0] * 5 + [1] * 5
    assert made.get_column("objective_participation").to_list() == [None] * 5 + [0, 1, 0, 0, 0]


def test_both_teams_know_when_the_first_was_taken_and_how_they_stood_before() -> None:
    objectives = by(t.Objectives, "match_id")
    seen: set[str] = set()
    for row in features().to_dicts():
        for name, kind in FIRSTS.items():
            first = name.removeprefix("team_")
            taken = [each for each in objectives[(row["match_id"],)] if each["objective"] == kind]
            if not taken:
                assert (row[name], row[f"{first}_at_s"], row[f"team_gold_diff_before_{first}"]) == (None, None, None)
                continue
            own = min(taken, key=lambda each: (each["at_s"], each["event_index"]))
            lead = own["team_gold_diff_before"]
            assert row[name] == (own["team_id"] == row["team_id"])
            assert row[f"{first}_at_s"] == own["at_s"]
            assert row[f"team_gold_diff_before_{first}"] == (lead if lead is None or row[name] else -lead)
            seen.add(name)
    assert seen >= {"team_first_blood", "team_first_dragon", "team_first_tower"}


def test_without_a_timeline_what_needs_one_is_unknown() -> None:
    without = features().filter(~pl.col("has_timeline"))
    assert without.height
    unknown = [*FIRSTS, "team_dragons", "team_towers", "objective_participation", "team_synchronisation", "boots_id"]
    unknown += [name for name in without.columns if name.startswith(("skill_", "first_")) or "gold_diff" in name]
    unknown += [name for name, kind in without.schema.items() if isinstance(kind, pl.List) or name == "core_items"]
    unknown.remove("first_blood")
    for name in unknown:
        assert without.get_column(name).null_count() == without.height, name
    assert without.select("kills", "dpm", "vision_score").null_count().row(0) == (0, 0, 0)
