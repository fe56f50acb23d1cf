"""Lakes to ask questions of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lol.tables import Champions, Items, ParticipantFeatures
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.lol.patterns.discoveries import wide
from gamestats_assets_tests.lol.questions.asked import (
    MANAMUNE,
    PLAN,
    Made,
    of,
)
from gamestats_assets_tests.lol.silver import silver


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The wide rows of a simulated season, and its lists."""
    story = simulate(PLAN)
    frames = silver(story)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = wide(story)[0].collect()
    lake.replace(ParticipantFeatures, rows, partitions=rows.get_column("match_date").unique().to_list())
    lake.replace(Items, frames[Items])
    lake.replace(Champions, frames[Champions])
    return lake


@pytest.fixture(scope="module")
def games(lake: Lake) -> list[dict[str, Any]]:
    return lake.scan(ParticipantFeatures).collect().to_dicts()


@pytest.fixture
def made(tmp_path: Path, lake: Lake, games: list[dict[str, Any]]) -> Made:
    usual = of(games, champion_key="Ezreal")[0] | {
        "patch": "13.14", "queue_group": "ranked_solo", "duration_s": 1800.0, "has_timeline": True, "kills": 5,
        "core_items": 1, "core_item_ids": [MANAMUNE], "core_items_at_s": [900.0],
        "core_items_team_gold_diff": [0.0], "core_items_lane_gold_diff": [0.0],
        "completed_item_ids": [MANAMUNE], "completed_items_at_s": [900.0],
    }  # fmt: skip

    def of_rows(rows: list[dict[str, Any]]) -> Lake:
        schema = ParticipantFeatures.schema()
        given = {"match_id"}.union(*rows)
        whole = [usual | {"match_id": f"NA1_{number:09d}"} | row for number, row in enumerate(rows)]
        different = pl.DataFrame({name: [row[name] for row in whole] for name in given}, schema_overrides=schema)
        alike = pl.DataFrame([usual], schema=schema).drop(given)
        frame = different.join(alike, how="cross").select(*schema)
        other = Lake(tmp_path / "made")
        other.replace(ParticipantFeatures, frame, partitions=frame.get_column("match_date").unique().to_list())
        for table in (Items, Champions):
            other.replace(table, lake.scan(table).collect())
        return other

    return of_rows
