"""What maps are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gamestats_assets.rocket_league.reference.maps import map_name
from gamestats_assets_tests.rocket_league.support.real_files import PAIRS, paths


@pytest.mark.parametrize("name", PAIRS)
def test_maps_are_called_as_ballchasing_calls_them(realdata: Path, name: str) -> None:
    (document,) = (json.loads(path.read_text()) for path in paths(realdata, name) if path.suffix == ".json")
    assert map_name(document["map_code"]) == document["map_name"] != document["map_code"]
