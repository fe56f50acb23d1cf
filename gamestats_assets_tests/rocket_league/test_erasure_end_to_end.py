"""A tracked player is forgotten where everything runs: landing zone, lake, PostgreSQL and Dagster."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal
from pydantic import SecretStr

from gamestats_assets.cli.materialize import resolve_selection
from gamestats_assets.cli.session import Session, opened
from gamestats_assets.lakehouse.ops import entering
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.orchestration.forgetting import forget_in_dagster
from gamestats_assets.rocket_league import players
from gamestats_assets.rocket_league.erasure import forget, player_columns, traces
from gamestats_assets.rocket_league.identities import FORGOTTEN, FORGOTTEN_NAME
from gamestats_assets.rocket_league.source import GAME, ingest
from gamestats_assets.rocket_league.tables import ALL, Participants, PlayerProfiles, Users
from gamestats_assets.rocket_league.tables.rows import RL_PLAYER
from gamestats_assets.settings import Settings
from gamestats_assets_tests.published import read_published
from gamestats_assets_tests.rocket_league import real_files

NAMED, OTHER = "epic_14d2c197a569431cbd227f56203b852e", "epic_6e829ecc728345feb48e2f4179ea1695"
"""Two players of the pair, who are tracked both."""
TEXTS = [NAMED, NAMED.partition("_")[2], "Quantavious1234", "quanta"]
pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def session(tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Everything that a command has, over empty stores."""
    monkeypatch.setenv("GAMESTATS_POSTGRES_URL", fresh_database)
    monkeypatch.setenv("GAMESTATS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GAMESTATS_WORKERS", "1")
    monkeypatch.setenv("DAGSTER_HOME", "")
    with opened(Stores(Settings(data=str(tmp_path / "data"), postgres_url=SecretStr(fresh_database)))) as session:
        yield session
    shutil.rmtree(tmp_path / "data")


def follow(session: Session, days: Sequence[str] = ()) -> None:
    """Bring everything of the game up to date."""
    outcomes = session.follow(resolve_selection([GAME], session.definitions))
    assert all(outcome.success for outcome in outcomes)


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


def test_a_tracked_player_is_forgotten_everywhere(realdata: Path, session: Session) -> None:
    stores, now = session.stores, datetime(2026, 11, 23, tzinfo=UTC)
    files = real_files.paths(realdata, real_files.PAIRS[0])
    assert ingest(files, stores.landing).taken == 2
    with entering(stores.postgres_url, "ann") as conn:
        players.track(conn, NAMED, now=now, username="quanta", consents=True)
        players.track(conn, OTHER, now=now, username="other", consents=True)
        players.give_rank(conn, NAMED, "ranked-doubles", "champion-1")
    follow(session)
    places = traces(stores, TEXTS)
    for part in ("landing: rocket_league/2026-03-10/", "lake: rocket_league/replay_frames/match_date=",
                 "lake: rocket_league/users/player_id=", "lake: rocket_league/touches/match_date=",
                 "lake: rocket_league/users/_delta_log/", "PostgreSQL: ops.rl_players",
                 "PostgreSQL: rocket_league.users", "PostgreSQL: rocket_league.player_stats_2026_03",
                 "PostgreSQL: rocket_league.published_partitions", "PostgreSQL: dagster.dynamic_partitions",
                 "PostgreSQL: dagster.event_logs"):  # fmt: skip
        assert any(place.startswith(part) for place in places), part
    by_match = [table for table in ALL if table.spec.partitioned_by == "match_date"]
    before = {table: held(stores, table) for table in by_match}
    assert all(before[table].height for table in by_match)
    of_other = read_published(stores.postgres_url, Users, [OTHER])
    done = forget(
        stores,
        NAMED,
        today=date(2026, 11, 23),
        remake=functools.partial(follow, session),
        forget_runs=functools.partial(forget_in_dagster, session.instance, stores),
    )
    assert (done.matches, done.days, done.left, done.refused) == (1, ("2026-03-10",), (), ())
    assert traces(stores, TEXTS) == []
    for table in by_match:
        after = held(stores, table)
        own = pl.col("player_id") == "nobody" if "player_id" in after.columns else pl.lit(False)
        told = [name for name in after.columns if name not in ("title", "replay_id", "ballchasing_id")]
        assert_frame_equal(after.filter(~own.fill_null(False)).select(told),
                           before[table].filter(~own.fill_null(False)).select(told), check_exact=True)  # fmt: skip
        assert after.height == before[table].height
    own = stores.lake.scan(Participants).filter(pl.col("player_id").str.starts_with(FORGOTTEN)).collect()
    assert own["player_name"].to_list() == [FORGOTTEN_NAME]
    assert not own["has_account"].any()
    assert {*stores.lake.scan(PlayerProfiles).collect()["player_id"]} & {*own["player_id"]} == set()
    assert read_published(stores.postgres_url, Users).equals(of_other)
    assert session.instance.get_dynamic_partitions(RL_PLAYER) == [OTHER]
    with psycopg.connect(stores.postgres_url.get_secret_value()) as conn:
        assert conn.execute("SELECT DISTINCT player_id FROM rocket_league.player_stats").fetchall() == [(OTHER,)]
    assert ingest(files, stores.landing).refused == 2
    follow(session)
    assert traces(stores, TEXTS) == []
