"""Dagster's storage: events are stored over kept connections, which may break."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from gamestats_assets.lakehouse.postgres.server import PostgresUnavailableError
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.runs import storage
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.settings import Settings


@pytest.fixture
def instance(tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("GAMESTATS_POSTGRES_URL", fresh_database)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dagster_instance(Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database)))) as instance:
        yield instance


def store(instance: dg.DagsterInstance, events: int) -> None:
    for _ in range(events):
        instance.report_runless_asset_event(dg.AssetMaterialization("goals"))


def stored(instance: dg.DagsterInstance) -> int:
    return len(instance.fetch_materializations(dg.AssetKey("goals"), limit=1000).records)


def servers(conn: psycopg.Connection) -> set[int]:
    """Process ids of the servers of everybody else who is connected to the database."""
    return {
        pid
        for (pid,) in conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"  # the server itself may be vacuuming
        )
    }


def test_many_events_take_few_connections(instance: dg.DagsterInstance, fresh_database: str) -> None:
    with psycopg.connect(fresh_database, autocommit=True) as conn:
        store(instance, 1)
        patience = time.monotonic() + 10
        while len(before := servers(conn)) > 2 and time.monotonic() < patience:
            time.sleep(0.05)  # whoever migrated may still be leaving
        assert 1 <= len(before) <= 2
        store(instance, 30)
        assert servers(conn) == before
    assert stored(instance) == 31


@pytest.mark.parametrize("pause_s", [0.0, 60.0], ids=["asked after a pause", "seen at once"])
def test_a_connection_that_broke_loses_no_event(
    instance: dg.DagsterInstance, fresh_database: str, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    monkeypatch.setattr(storage, "_PAUSE_S", pause_s)
    with psycopg.connect(fresh_database, autocommit=True) as conn:
        store(instance, 1)
        for pid in servers(conn):
            conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        store(instance, 1)
    assert stored(instance) == 2


def test_events_are_stored_in_order_and_a_step_s_end_in_one_write(
    instance: dg.DagsterInstance, fresh_database: str
) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec(f"check_{number}", asset="goals") for number in range(20)])
    def goals() -> Iterator[Any]:
        yield dg.MaterializeResult(metadata={"rows": 3})
        for number in range(20):
            yield dg.AssetCheckResult(check_name=f"check_{number}", passed=number != 7)

    with psycopg.connect(fresh_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE public.writes (events integer)")
        conn.execute(
            "CREATE FUNCTION public.count_writes() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO public.writes SELECT count(*) FROM new_rows; RETURN NULL; END $$"
        )
        conn.execute(
            "CREATE TRIGGER writes AFTER INSERT ON dagster.event_logs REFERENCING NEW TABLE AS new_rows "
            "EXECUTE FUNCTION public.count_writes()"
        )
        result = dg.materialize([goals], instance=instance)
        writes, events = conn.execute("SELECT count(*), sum(events) FROM public.writes").fetchone() or (0, 0)
    stored = [record.event_log_entry for record in instance.get_records_for_run(result.run_id, limit=500).records]
    types = [entry.dagster_event_type.value for entry in stored if entry.dagster_event_type]
    emitted = [event.event_type_value for event in result.all_events]
    assert [each for each in types if not each.endswith("_PLANNED")] == emitted
    assert events == len(stored) > 60
    assert writes < 15
    evaluations = {
        number: instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("goals"), f"check_{number}"), limit=2
        )
        for number in range(20)
    }
    assert {n: [record.status.value for record in of] for n, of in evaluations.items()} == {
        number: ["FAILED" if number == 7 else "SUCCEEDED"] for number in range(20)
    }


def test_a_server_that_is_gone_is_told_of_in_one_sentence(
    instance: dg.DagsterInstance, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "_PATIENCE_S", 0.1)
    store(instance, 1)
    maintenance = fresh_database.replace(urlsplit(fresh_database).path, "/postgres", 1)
    with psycopg.connect(maintenance, autocommit=True) as conn:
        database = urlsplit(fresh_database).path[1:]
        name = sql.Identifier(database)
        conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        conn.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [database])
        with pytest.raises(PostgresUnavailableError, match=r"PostgreSQL was lost: .*; give the same command again\.$"):
            store(instance, 1)
        conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    store(instance, 1)
    assert stored(instance) == 2
