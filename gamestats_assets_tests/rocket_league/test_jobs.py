"""What is kept of jobs that have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league.jobs import forget_old_jobs
from gamestats_assets.settings import Settings
from gamestats_assets_tests.serving.sign_in.signing_in import user_named


def ended(conn: psycopg.Connection[Any], user_id: int, kind: str, state: str, days: int, result: Any = None) -> Any:
    """A job that ended so many days ago."""
    job_id = enqueue(conn, kind, "rocket_league", user_id, {})
    conn.execute(
        "UPDATE ops.jobs SET state = %s, result = %s, created_at = now() - make_interval(days => %s),"
        " finished_at = now() - make_interval(days => %s) WHERE job_id = %s",
        [state, Jsonb(result), days, days, job_id],
    )
    return job_id


@pytest.mark.parametrize(("job_days", "export_days"), [(30, 7), (1, 30)])
def test_jobs_that_ended_long_ago_are_forgotten_but_for_those_that_are_needed_still(
    ops_database: str, tmp_path: Path, job_days: int, export_days: int
) -> None:
    ann = user_named(ops_database, "ann")["user_id"]
    with psycopg.connect(ops_database) as conn:
        old = [
            ended(conn, ann, kind, state, 31, result)
            for kind, state, result in (
                ("ballchasing", "done", {"found": 3}), ("export", "failed", None), ("erasure", "done", {"left": {}}),
                ("replay", "failed", None),
            )
        ]  # fmt: skip
        kept = {
            ended(conn, ann, "ballchasing", "done", 29),
            ended(conn, ann, "erasure", "failed", 31),
            ended(conn, ann, "objection", "done", 31, {"left": {"lake": 1}}),
            enqueue(conn, "export", "rocket_league", ann, {}),
        }
        # The job of an upload, whose file was sent again after it had failed as `old` has it.
        kept.add(sent := ended(conn, ann, "replay", "done", 31, {"match_id": "A" * 32}))
        conn.execute("UPDATE ops.jobs SET created_at = now() - interval '99 days' WHERE state = 'queued'")
        conn.execute(
            "INSERT INTO ops.rl_uploads (user_id, content_hash, file_name, bytes, job_id) "
            "VALUES (%s, %s, 'mine.replay', 1, %s)",
            [ann, "0" * 64, sent],
        )
    settings = Settings(
        data=str(tmp_path), postgres_url=SecretStr(ops_database), job_days=job_days, export_days=export_days
    )
    assert forget_old_jobs(Stores(settings)) == len(old)
    with psycopg.connect(ops_database) as conn:
        assert {job_id for (job_id,) in conn.execute("SELECT job_id FROM ops.jobs")} == kept
        assert conn.execute("SELECT job_id FROM ops.rl_uploads").fetchall() == [(sent,)]
    assert forget_old_jobs(Stores(settings)) == 0
