"""Alert rules for Prometheus: each asks for metrics that are exposed, and says what to do."""

from __future__ import annotations

import re
import time
from pathlib import Path

import psycopg
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.serving.middleware import metrics
from gamestats_assets.settings import shipped
from gamestats_assets_tests.serving.served import served

RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load(shipped("data", "reference", "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}


def test_every_rule_asks_for_exposed_metrics_and_says_what_to_do(ops_database: str, tmp_path: Path) -> None:
    with psycopg.connect(ops_database) as conn:
        for _ in range(3):
            enqueue(conn, "replay", "rocket_league", None, {})
    with served(ops_database) as client:
        assert client.get("/").status_code == 200
        registry = CollectorRegistry()
        scores = "SELECT 'rank in duels', 3, 0.75"
        for collector in metrics.collectors(SecretStr(ops_database), [scores, "SELECT 1 FROM not_published_yet"]):
            registry.register(collector)
        generate_latest(registry)
        with psycopg.connect(ops_database) as conn:
            conn.execute(
                "UPDATE ops.jobs SET state = 'done', created_at = now() - interval '7 s', finished_at = now()"
                " WHERE job_number = (SELECT min(job_number) FROM ops.jobs)"
            )
        time.sleep(1.05)
        generate_latest(registry)
        with psycopg.connect(ops_database) as conn:
            conn.execute("DELETE FROM ops.jobs WHERE state = 'done'")
        text = generate_latest(registry).decode() + generate_latest().decode()
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    names = {name for name, _ in samples}
    for rule in RULES.values():
        asked = {*re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", rule["expr"])}
        assert asked
        assert asked <= names
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
    done = frozenset({("result", "done")})
    assert samples["replay_jobs_total", done] == 1
    assert samples["queue_depth", frozenset()] == 2
    assert samples["replay_job_seconds_bucket", frozenset({("le", "5.0")})] == 0
    assert samples["replay_job_seconds_bucket", frozenset({("le", "10.0")})] == 1
    assert samples["model_score", frozenset({("model", "rank in duels"), ("version", "3")})] == 0.75
    assert 0 < samples["memory_used_share", frozenset()] <= 1


def test_the_limit_of_a_container_counts_where_there_is_one(tmp_path: Path) -> None:
    for name, content in (("max", "1000"), ("current", "900"), ("stat", "anon 5\ninactive_file 300\n")):
        (tmp_path / f"memory.{name}").write_text(content)
    assert metrics.memory_used_share(tmp_path) == 0.6
    (tmp_path / "memory.max").write_text("max")
    assert metrics.memory_used_share(tmp_path) != 0.6
