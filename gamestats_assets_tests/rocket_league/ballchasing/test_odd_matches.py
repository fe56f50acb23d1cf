"""Documents as ballchasing really gives them: whatever is odd about one match, the others of its day are made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.assets import game
from gamestats_assets.rocket_league.source import ingest
from gamestats_assets.settings import Settings
from gamestats_assets.simulators.rocket_league.seasons import simulate_season, write_season
from gamestats_assets_tests.support.odd_matches import Made, Odd, OddMatchesOfAGame, made_with
from gamestats_assets_tests.support.postgres_fixture import database

Document = dict[str, Any]


def goals_of_a_private_match_exceed_its_score(match: Document) -> None:
    """Somebody changed teams and took goals along, or the host set the score."""
    match["playlist_id"] = "private"
    goals_of_a_ranked_match_exceed_its_score(match)


def goals_of_a_ranked_match_exceed_its_score(match: Document) -> None:
    """A player has more goals than the team."""
    match["blue"]["stats"]["core"]["goals"] = 1
    match["blue"]["players"][0]["stats"]["core"]["goals"] = 5


def no_length(match: Document) -> None:
    """The match has a length of 0."""
    match["duration"] = 0


def nobody_played(match: Document) -> None:
    """The match was left before it began."""
    for team in ("blue", "orange"):
        match[team]["players"] = []


def somebody_stands_twice(match: Document) -> None:
    """One account plays for both teams."""
    match["orange"]["players"][0]["id"] = match["blue"]["players"][0]["id"]


def scores_are_below_nothing(match: Document) -> None:
    """Every player has a negative number of shots."""
    for team in ("blue", "orange"):
        for player in match[team]["players"]:
            player["stats"]["core"]["shots"] = -3


ODD = (
    Odd(goals_of_a_private_match_exceed_its_score, is_made=True),
    Odd(goals_of_a_ranked_match_exceed_its_score, "goals_are_in_the_score"),
    Odd(no_length, is_made=True),
    Odd(nobody_played),
    Odd(somebody_stands_twice, is_made=True),
    Odd(scores_are_below_nothing, "shots|min"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, ops_template: str) -> Iterator[Made]:
    folder, days = tmp_path_factory.mktemp("odd"), len(ODD)
    season = simulate_season(
        seed=3, players=8, matches=4 * days, first_day=date(2026, 1, 5), days=days, playlists=["ranked-doubles"]
    )
    sound: dict[str, tuple[str, Sequence[Path]]] = {}
    for path in write_season(folder / "files", season):
        match = json.loads(path.read_bytes())
        sound[match["match_guid"]] = match["date"][:10], [path]

    def planted(odd: Odd, files: Sequence[Path]) -> Sequence[Path]:
        match = json.loads(files[0].read_bytes())
        odd.plant(match)
        path = folder / f"{odd.plant.__name__}.json"
        path.write_text(json.dumps(match))
        return [path]

    with database(postgres_url, ops_template) as url:
        stores = Stores(Settings(data=str(folder / "data"), postgres_url=SecretStr(url), workers=1))
        yield made_with(game(), stores, t.PlayerMatchFeatures, ingest, ODD, sound, planted)


class TestOddMatches(OddMatchesOfAGame):
    odd = ODD
