"""Files that name somebody who was forgotten: their matches land without them, once, and add what is new."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.lakehouse.landing.decoding import Unit
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, FORGOTTEN_NAME
from gamestats_assets.rocket_league.privacy.masked_matches import rows_of_matches
from gamestats_assets.rocket_league.privacy.masking import Rows, players_in
from gamestats_assets.rocket_league.privacy.naming import holds_text, names_account
from gamestats_assets.rocket_league.privacy.tombstones import bury
from gamestats_assets.rocket_league.source import BALLCHASING, GAME, REPLAY, ingest
from gamestats_assets.rocket_league.tables import RawPlayerStats, RawReplays, ReplayEvents, ReplayFigures, ReplayFrames
from gamestats_assets_tests.rocket_league.support import real_files

PAIR = real_files.PAIRS[0]
DAY = "2026-03-10"
PLAYER, NAME = "epic_14d2c197a569431cbd227f56203b852e", "Quantavious1234"
"""A player of the pair, whose game recorded it."""


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    """A landing zone where the player is forgotten, and of whom nothing is held."""
    landing = Landing(tmp_path / "landing")
    bury(landing, GAME, PLAYER, date(2026, 11, 23))
    return landing


def rows(landing: Landing) -> Rows:
    """What the files of the pair's day tell."""
    files = landing.files(GAME, DAY)
    ((_, found),) = rows_of_matches(landing, [Unit(files[0].unit_id, date.fromisoformat(DAY), tuple(files))])
    return found


def expect_nothing_of(landing: Landing, player_id: str = PLAYER, name: str = NAME) -> None:
    for path in Path(landing.root).rglob("*.*"):
        content = path.read_bytes()
        parts = [content]
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                found = [pl.read_parquet(archive.read(each)) for each in archive.namelist()]
            parts = [str(frame.select(pl.col(pl.String).unique().implode()).to_dicts()).encode() for frame in found]
        assert not any(names_account(part, player_id) or holds_text(part, name) for part in parts), path


def test_a_replay_reads_as_without_the_player_and_nothing_of_the_player_lands(realdata: Path, landing: Landing) -> None:
    replay = realdata / GAME / f"{PAIR}.replay"
    report = ingest([replay], landing)
    assert (report.totals, report.days) == ({("masked", "taken"): 1}, (DAY,))
    expect_nothing_of(landing)
    found, plain = rows(landing), real_files.decoded([replay])
    (alias,) = players_in(found) - players_in(plain)
    assert alias.startswith(FORGOTTEN)
    for table in (ReplayFrames, ReplayEvents, ReplayFigures):
        named = [name for name in table.column_names() if name.endswith("player_id")]
        assert found[table].with_columns(pl.col(named).replace({alias: PLAYER})).equals(plain[table]), table
    others = plain[RawPlayerStats].filter(pl.col("player_id") != PLAYER)
    assert found[RawPlayerStats].filter(pl.col("player_id") != alias).equals(others)
    assert found[RawPlayerStats].filter(player_id=alias)["player_name"].to_list() == [FORGOTTEN_NAME]


@pytest.mark.parametrize("order", [(REPLAY, BALLCHASING), (BALLCHASING, REPLAY)], ids="then".join)
def test_what_another_source_tells_is_added_to_a_masked_match_once(
    realdata: Path, landing: Landing, order: tuple[str, str]
) -> None:
    statistics, replay = real_files.paths(realdata, PAIR)
    files = {REPLAY: replay, BALLCHASING: statistics}
    for number, kind in enumerate(order, 1):
        assert ingest([files[kind]], landing).totals == {("masked", "taken"): 1}
        assert rows(landing)[RawReplays].height == number
    assert ingest(files.values(), landing).totals == {("masked", "known"): 2}
    expect_nothing_of(landing)
    found = rows(landing)
    assert sorted(found[RawReplays]["source"]) == ["ballchasing", "replay"]
    assert set(found[RawReplays]["match_date"]) == {date.fromisoformat(DAY)}
    players = {source: {*of["player_id"]} for (source,), of in found[RawPlayerStats].group_by("source")}
    # Who is masked is the same player in both.
    assert players["replay"] == players["ballchasing"]
    assert sum(each.startswith(FORGOTTEN) for each in players["replay"]) == 1
    assert found[RawReplays]["replay_id"].null_count() == 2


def test_of_a_match_that_is_there_nothing_is_lost(realdata: Path, tmp_path: Path) -> None:
    """Who uploaded the other source's file did not play, so nobody is masked."""
    statistics, replay = real_files.paths(realdata, PAIR)
    landing = Landing(tmp_path / "landing")
    assert ingest([replay], landing).totals == {("replay", "taken"): 1}
    before = rows(landing)
    bury(landing, GAME, "steam_76561198000000001", date(2026, 11, 23))
    found = json.loads(statistics.read_bytes())
    found["uploader"] = {"steam_id": "76561198000000001", "name": "Uploader Nobody"}
    (tmp_path / "statistics.json").write_text(json.dumps(found))
    assert ingest([tmp_path / "statistics.json"], landing).totals == {("masked", "taken"): 1}
    expect_nothing_of(landing, "steam_76561198000000001", "Uploader Nobody")
    after = rows(landing)
    assert sorted(after[RawReplays]["source"]) == ["ballchasing", "replay"]
    for table in (ReplayFrames, ReplayEvents, ReplayFigures):
        assert after[table].equals(before[table])
    assert players_in(after) == players_in(before)
