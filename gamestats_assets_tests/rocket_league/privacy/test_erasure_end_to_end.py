"""A tracked player takes everything along and is forgotten where everything runs, by the commands of a user."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.rocket_league.players.identities import FORGOTTEN, FORGOTTEN_NAME
from gamestats_assets.rocket_league.privacy.erasure import player_columns, traces
from gamestats_assets.rocket_league.tables import ALL, Participants, PlayerProfiles, ReplayTracks, Users
from gamestats_assets.rocket_league.tables.rows import RL_PLAYER
from gamestats_assets.settings import Settings
from gamestats_assets_tests.cli.runner import Admin, Gamestats, replaced_environment
from gamestats_assets_tests.rocket_league.replays.opened import opened
from gamestats_assets_tests.rocket_league.support import real_files
from gamestats_assets_tests.support.published import read_published

NAMED, OTHER = "epic_14d2c197a569431cbd227f56203b852e", "epic_6e829ecc728345feb48e2f4179ea1695"
"""Two players of the pair, who are tracked both."""
NAMED_AS, OTHER_AS = (each.replace("_", ":", 1) for each in (NAMED, OTHER))
TEXTS = [NAMED, NAMED.partition("_")[2], "Quantavious1234", "quanta"]
pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def admin(tmp_path: Path, ops_database: str, monkeypatch: pytest.MonkeyPatch) -> Admin:
    """The command line over empty stores, called in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Admin(tmp_path / "data", ops_database)


def held(stores: Stores, table: type[Table]) -> pl.DataFrame:
    """Rows of a table by match: the player called as nobody is, so that what is of others can be compared."""
    frame, names = stores.lake.scan(table).collect(), player_columns(table)
    nobody = {
        each: "nobody"
        for name in names
        for each in frame[name].unique().drop_nulls()
        if each == NAMED or each.startswith(FORGOTTEN)
    }
    frame = frame.with_columns(pl.col(names).replace(nobody)) if names else frame
    # The name, and what the player chose, are hidden in the player's own rows.
    return frame.sort([*table.primary_key(), *names])


def expect_everything_exported(admin: Admin) -> None:
    """The player takes the own rows along, and nobody else's."""
    found = admin.does("rocket-league", "export", "quanta")
    assert f"{NAMED}.zip" in found
    with zipfile.ZipFile(f"{NAMED}.zip") as archive:
        assert json.loads(archive.read("entry.json"))["player_id"] == NAMED
        assert pl.read_csv(archive.read("tables/participants.csv"))["player_id"].to_list() == [NAMED]
    assert "is a folder" in admin.fails("rocket-league", "export", NAMED_AS, "--out", ".", code=2)
    Path(f"{NAMED}.zip").unlink()


def expect_the_track_without_the_name(stores: Stores, before: bytes) -> None:
    """The match can be watched as before: all that moves is the same, and one of those who move is nobody."""
    (track,) = read_published(stores.postgres_url, ReplayTracks, objects=stores.objects)["track"]
    assert len(stores.objects.list("rocket_league")) == 1
    was, now = opened(before), opened(track)
    names = [player["name"] for player in was.header["players"]]
    masked = [FORGOTTEN_NAME if name == "Quantavious1234" else name for name in names]
    now_names = [player["name"] for player in now.header["players"]]
    assert sorted(now_names) == sorted(masked)
    assert [now.players[now_names.index(name)] for name in masked] == was.players
    assert (now.ball, now.time_ms) == (was.ball, was.time_ms)
    assert now.header["players"][now_names.index(FORGOTTEN_NAME)] == {
        "name": FORGOTTEN_NAME, "team": "blue", "car_id": None, "hitbox": "octane", "camera": None,
    }  # fmt: skip


def test_a_tracked_player_takes_everything_along_and_is_forgotten_everywhere(
    realdata: Path, admin: Admin, tmp_path: Path
) -> None:
    stores = Stores(Settings(data=str(tmp_path / "data"), postgres_url=SecretStr(admin.url), workers=1))
    files = [str(path) for path in real_files.paths(realdata, real_files.PAIRS[0])]
    assert "2 taken" in admin.does("ingest", "rocket-league", *files)
    for player, name in ((NAMED_AS, "quanta"), (OTHER_AS, "other")):
        admin.does("rocket-league", "track", player, "--name", name, "--consent", "--keep-days", "36500")
    admin.does("rocket-league", "rank", "quanta", "ranked-doubles", "champion-1")
    admin.does("rocket-league", "train", "quanta", "--skill", "saves", "--minutes", "20")
    admin.does("materialize", "--select", "rocket_league")
    places = traces(stores, TEXTS)
    for part in ("landing: rocket_league/2026-03-10/", "lake: rocket_league/replay_frames/match_date=",
                 "lake: rocket_league/users/player_id=", "lake: rocket_league/touches/match_date=",
                 "lake: rocket_league/users/_delta_log/", "PostgreSQL: ops.rl_players",
                 "PostgreSQL: rocket_league.users", "PostgreSQL: rocket_league.player_stats_2026_03",
                 "PostgreSQL: rocket_league.published_partitions", "PostgreSQL: dagster.dynamic_partitions",
                 "PostgreSQL: dagster.event_logs", "objects: rocket_league/replay_tracks/2026-03-10/"):  # fmt: skip
        assert any(place.startswith(part) for place in places), part
    by_match = [table for table in ALL if table.spec.partitioned_by == "match_date" and table is not ReplayTracks]
    (watched,) = read_published(stores.postgres_url, ReplayTracks, objects=stores.objects)["track"]
    before = {table: held(stores, table) for table in by_match}
    assert all(before[table].height for table in by_match)
    of_other = read_published(stores.postgres_url, Users, [OTHER])
    expect_everything_exported(admin)

    assert "give --yes" in admin.fails("rocket-league", "forget", NAMED_AS, code=2)
    assert {row["player_id"] for row in admin.lists("rocket-league", "players")} == {NAMED, OTHER}
    found = admin.does("rocket-league", "forget", NAMED_AS, "--yes")
    assert f"Forgotten: masked in 1 match; nothing is found of {NAMED} any more." in found
    assert traces(stores, TEXTS) == []
    for table in by_match:
        after = held(stores, table)
        own = pl.col("player_id") == "nobody" if "player_id" in after.columns else pl.lit(False)
        kept = [name for name in after.columns if name not in ("title", "replay_id", "ballchasing_id")]
        assert_frame_equal(after.filter(~own.fill_null(False)).select(kept),
                           before[table].filter(~own.fill_null(False)).select(kept), check_exact=True)  # fmt: skip
        assert after.height == before[table].height
    expect_the_track_without_the_name(stores, watched)
    own = stores.lake.scan(Participants).filter(pl.col("player_id").str.starts_with(FORGOTTEN)).collect()
    assert own["player_name"].to_list() == [FORGOTTEN_NAME]
    assert not own["has_account"].any()
    assert {*stores.lake.scan(PlayerProfiles).collect()["player_id"]} & {*own["player_id"]} == set()
    assert read_published(stores.postgres_url, Users).equals(of_other)
    environment = Gamestats(tmp_path / "data").environment({"GAMESTATS_POSTGRES_URL": admin.url})
    with replaced_environment(environment), dagster_instance(stores) as instance:
        assert instance.get_dynamic_partitions(RL_PLAYER) == [OTHER]
    with psycopg.connect(admin.url) as conn:
        assert conn.execute("SELECT DISTINCT player_id FROM rocket_league.player_stats").fetchall() == [(OTHER,)]
    assert [row["player_id"] for row in admin.lists("rocket-league", "players")] == [OTHER]

    # The match is there, and the files that name the player add nothing to it.
    again = admin("ingest", "rocket-league", *files)
    assert "2 files: 0 taken, 2 known, 0 quarantined." in again.output
    assert "forgotten on request and stands masked" in again.output
    assert "forgotten on request" in admin.fails("rocket-league", "track", NAMED_AS)
    assert "Nothing is held on" in admin.fails("rocket-league", "forget", "steam:1", "--yes")
    assert "Nothing is held on" in admin.fails("rocket-league", "export", "steam:1")
    admin.does("materialize", "--select", "rocket_league")
    assert traces(stores, TEXTS) == []
