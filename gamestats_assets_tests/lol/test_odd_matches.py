"""Documents as Riot's API really gives them: whatever is odd about one match, the others of its day are made."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lol import tables as t
from gamestats_assets.lol.assets import game
from gamestats_assets.lol.questions.questions import games_set_aside
from gamestats_assets.lol.source import SOURCE
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.lol.files import write
from gamestats_assets.simulators.lol.plan import Plan
from gamestats_assets.simulators.lol.seasons import simulate
from gamestats_assets_tests.support.odd_matches import Made, Odd, OddMatchesOfAGame, made_with

Document = dict[str, Any]


def no_skill_chosen(match: Document, timeline: Document) -> None:
    """Somebody never chose a skill."""
    for frame in timeline["frames"]:
        frame["events"] = [
            event for event in frame["events"] if (event["type"], event.get("participantId")) != ("SKILL_LEVEL_UP", 1)
        ]


def aborted(match: Document, timeline: Document) -> None:
    """The game was aborted before it began."""
    match.update(gameVersion="", participants=[], teams=[], endOfGameResult="Abort_Unexpected", gameDuration=0)
    timeline["frames"] = []


def no_length(match: Document, timeline: Document) -> None:
    """The game has a length of 0."""
    match["gameDuration"] = 0


def no_version(match: Document, timeline: Document) -> None:
    """Nobody knows the patch of a game that was played."""
    match["gameVersion"] = ""


def begins_before_itself(match: Document, timeline: Document) -> None:
    """Times of the timeline are negative."""
    for frame in timeline["frames"]:
        frame["timestamp"] -= 120_000
        for event in frame["events"]:
            event["timestamp"] -= 120_000


def somebody_stands_twice(match: Document, timeline: Document) -> None:
    """Two participants have one number."""
    match["participants"][1]["participantId"] = 1


def items_after_the_end(match: Document, timeline: Document) -> None:
    """Items are bought hours after the game has ended."""
    for frame in timeline["frames"]:
        for event in frame["events"]:
            event["timestamp"] += 9_000_000 * event["type"].startswith("ITEM")


ODD = (
    Odd(no_skill_chosen, is_made=True),
    Odd(aborted),
    Odd(no_length),
    Odd(no_version, "patch|nullability"),
    Odd(begins_before_itself, "timestamp_ms|min"),
    Odd(somebody_stands_twice, "primary_key"),
    Odd(items_after_the_end, "items_are_completed_within_the_game"),
)
KINDS = ("matches", "timelines")


def read(path: Path) -> Document:
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("odd")
    write(simulate(Plan(matches=12, days=2, patches=(("13.13", 2),), aram=0, bots=0, remakes=0)), folder / "f")
    sound: dict[str, tuple[str, Sequence[Path]]] = {}
    for path in sorted((folder / "f" / "matches").iterdir()):
        began = datetime.fromtimestamp(read(path)["info"]["gameStartTimestamp"] / 1000, UTC)
        sound[path.name.partition(".")[0]] = str(began.date()), [folder / "f" / kind / path.name for kind in KINDS]

    def planted(odd: Odd, files: Sequence[Path]) -> Sequence[Path]:
        match, timeline = map(read, files)
        odd.plant(match["info"], timeline["info"])
        paths = [folder / f"{odd.plant.__name__}.{kind}.json" for kind in KINDS]
        for path, document in zip(paths, (match, timeline), strict=True):
            path.write_text(json.dumps(document))
        return paths

    stores = Stores(Settings(data=str(folder / "data"), postgres_url=SecretStr("postgresql://nowhere"), workers=1))
    lists = [folder / "f" / "datadragon"]
    return made_with(game(), stores, t.ParticipantFeatures, SOURCE.ingest, ODD, sound, planted, lists)


def test_answers_say_what_is_set_aside(made: Made) -> None:
    result = sum(odd.rule is not None for odd in ODD)
    assert games_set_aside(made.stores.lake).startswith(f"{result} of {len(made.sound)} games are set aside: ")


class TestOddMatches(OddMatchesOfAGame):
    odd = ODD
