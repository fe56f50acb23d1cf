"""Files of simulated matches: read plainly, as JSON, by code that knows nothing of how they were made."""

from __future__ import annotations

import contextlib
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lol.source import GAME, SOURCE
from gamestats_assets.lol.tables import RawMatches, TimelineEventCounts
from gamestats_assets.lol.timelines.bronze import DECODER
from gamestats_assets.simulators.lol.files import write
from gamestats_assets.simulators.lol.plan import Plan
from gamestats_assets.simulators.lol.seasons import simulate, write_season
from gamestats_assets.simulators.lol.story import ARAM, BOTS

MATCHES = 100
OF_13_14 = ("NA1_4726449462", "NA1_4732170826")
"""Real pairs of patch 13.14 on Summoner's Rift."""
NOT_SIMULATED = ("TURRET_PLATE_DESTROYED", "DRAGON_SOUL_GIVEN", "OBJECTIVE_BOUNTY", "multiKillLength")
"""What real timelines tell besides: no table is made of it."""


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
    missing = {path for path in set(real) - set(ours) if not any(kind in path for kind in NOT_SIMULATED)}
    assert missing == set()
    for path, kinds in real.items():
        # A number that happens to be whole is written so.
        if path not in ours:
            continue
        number = ours[path] <= {"int", "float"} and kinds <= {"int", "float"} and "float" in kinds | ours[path]
        assert ours[path] <= kinds or (number and "challenges" in path), (path, kinds, ours[path])


@pytest.mark.parametrize("part", ["matches", "timelines"])
def test_files_have_no_key_that_real_ones_do_not_have(season: Season, realdata: Path, part: str) -> None:
    real = _shapes(*(_document(path) for path in sorted((realdata / "lol" / part).iterdir()) if path.name > "NA1_45"))
    ours = _shapes(*(_document(path) for path in sorted((season.folder / part).iterdir())[-50:]))
    assert set(ours) - set(real) == set()


def test_a_season_is_small_and_tells_its_truth(season: Season) -> None:
    on_disk = sum(path.stat().st_size for path in season.folder.rglob("*") if path.is_file())
    assert on_disk == season.summary["bytes"] < 25e6 * MATCHES / 240
    found = json.loads((season.folder.parent / "truth.json").read_text())["effects"]
    assert found == season.summary["truth"]
    assert {row["kind"] for row in found} == {"item", "objective", "skill_order", "vision"}
    queues = Counter(match["queueId"] for match in season.matches.values())
    assert queues[ARAM] >= 2
    assert queues[BOTS] >= 1
    remakes = [match for match in season.matches.values() if match["participants"][0]["gameEndedInEarlySurrender"]]
    assert len(remakes) == season.summary["remakes"] >= 2
    assert all(match["gameDuration"] < 300 for match in remakes)


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
        CHAMPION_KILL CHAMPION_SPECIAL_KILL ELITE_MONSTER_KILL BUILDING_KILL GAME_END
    """
    assert set(counts["event_type"]) == set(usual.split())


def test_newer_patches_have_riot_ids_and_grubs(tmp_path: Path) -> None:
    write(simulate(Plan(matches=6, patches=(("14.10", 1),))), tmp_path)
    for path in (tmp_path / "matches").iterdir():
        info = _document(path)["info"]
        assert all(player["riotIdGameName"] and player["riotIdTagline"] for player in info["participants"])
        assert all("horde" in team["objectives"] for team in info["teams"])
