"""Documents as PUBG's API gives them, and damaged ones: whatever is odd about one match, the others are made."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.source.files import ingest
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.pubg.matches import write_match
from gamestats_assets_tests.support.odd_matches import Made, Odd, OddMatchesOfAGame, made_with
from gamestats_assets_tests.support.postgres_fixture import database

Document = dict[str, Any]
Events = list[Document]
FIRST = datetime(2026, 3, 14, 18, tzinfo=UTC)


def people(match: Document) -> list[Document]:
    return [each["attributes"]["stats"] for each in match["included"] if each["type"] == "participant"]


def no_length(match: Document, events: Events) -> None:
    """The match object tells a duration of 0."""
    match["data"]["attributes"]["duration"] = 0


def nobody_played(match: Document, events: Events) -> None:
    """The match object lists nobody, and the telemetry was never stored."""
    match["included"] = []
    match["data"]["relationships"]["rosters"]["data"] = []
    events.clear()


def kills_are_below_nothing(match: Document, events: Events) -> None:
    """Everybody has a negative number of kills."""
    for stats in people(match):
        stats["kills"] = -1


def ends_without_an_end(match: Document, events: Events) -> None:
    """The telemetry breaks off."""
    del events[-len(events) // 2 :]


def everything_is_told_twice(match: Document, events: Events) -> None:
    """Every event stands twice in the telemetry."""
    events += [dict(event) for event in events]


def begins_before_the_game_was_out(match: Document, events: Events) -> None:
    """The telemetry tells that the match began in 2001."""
    for event in events:
        if event["_T"] == "LogMatchStart":
            event["_D"] = "2001" + event["_D"][4:]


ODD = (
    Odd(no_length, is_made=True),
    Odd(nobody_played),
    Odd(kills_are_below_nothing, "kills|min"),
    Odd(ends_without_an_end, is_made=True),
    Odd(everything_is_told_twice, is_made=True),
    Odd(begins_before_the_game_was_out, "matches_are_of_their_time"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "f").mkdir()
    sound: dict[str, tuple[str, Sequence[Path]]] = {}
    for number in range(len(ODD) + 2):
        began = FIRST + timedelta(days=number % 2, hours=number // 2)
        match_id = write_match(folder / "f", number, began, players=16).match_id
        sound[match_id] = str(began.date()), sorted((folder / "f").glob(f"{match_id}.*"))

    def planted(odd: Odd, files: Sequence[Path]) -> Sequence[Path]:
        match, events = json.loads(files[0].read_bytes()), json.loads(gzip.decompress(files[1].read_bytes()))
        odd.plant(match, events)
        paths = [folder / f"{odd.plant.__name__}.{number}.json" for number in (1, 2)]
        for path, document in zip(paths, (match, events), strict=True):
            path.write_text(json.dumps(document))
        return paths if events else paths[:1]

    with database(postgres_url, ops_template) as url:
        stores = Stores(Settings(data=str(folder / "data"), postgres_url=SecretStr(url), workers=1))
        yield made_with(game(), stores, t.MatchSummaries, ingest, ODD, sound, planted)


class TestOddMatches(OddMatchesOfAGame):
    odd = ODD
