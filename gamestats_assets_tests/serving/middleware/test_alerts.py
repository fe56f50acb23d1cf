"""Alert rules for Prometheus: each asks for exposed metrics, and fires on a violation and not just below it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
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
Labels = frozenset[tuple[str, str]]
Samples = dict[tuple[str, Labels], float]
"""Values at a moment, by metric and labels."""


@dataclass(frozen=True)
class Vector:
    """Values by labels, as PromQL calculates with them; a comparison keeps those for which it is so."""

    values: Mapping[Labels, float]

    def __truediv__(self, other: Vector) -> Vector:
        both = {key: (value, other.values[key]) for key, value in self.values.items() if key in other.values}
        return Vector({key: a / b for key, (a, b) in both.items() if b})

    def __gt__(self, limit: float) -> Vector:
        return Vector({key: value for key, value in self.values.items() if value > limit})

    def __ge__(self, limit: float) -> Vector:
        return Vector({key: value for key, value in self.values.items() if value >= limit})

    def __and__(self, other: Vector) -> Vector:
        return Vector({key: value for key, value in self.values.items() if key in other.values})


def fires(rule: str, now: Samples, before: Samples | None = None) -> bool:
    """Whether a rule's condition holds; `before` has the values of five minutes ago."""

    def select(at: Samples, name: str, wanted: str) -> dict[Labels, float]:
        patterns = dict(re.findall(r'(\w+)=~"([^"]*)"', wanted))
        return {
            labels: value
            for (of, labels), value in at.items()
            if of == name and all(re.fullmatch(p, dict(labels).get(key, "")) for key, p in patterns.items())
        }

    def series(name: str, wanted: str, span: str) -> Vector:
        found = select(now, name, wanted)
        if not span:
            return Vector(found)
        assert span == "[5m]"
        then = select(before or {}, name, wanted)
        return Vector({key: value - then.get(key, 0) for key, value in found.items()})

    def over_all(of: Callable[..., float]) -> Callable[[Vector], Vector]:
        return lambda vector: Vector({frozenset(): of(vector.values.values())} if vector.values else {})

    written = re.sub(
        r"\b(?!rate|increase|sum|max|and)([a-z_]{3,})(\{[^}]*\})?(\[\w+\])?",
        lambda m: f"series({m[1]!r}, {m[2] or ''!r}, {m[3] or ''!r})",
        RULES[rule]["expr"],
    )
    # PromQL binds a comparison more tightly than `and`, as Python does, and `&` more loosely.
    parts = [f"({part})" for part in re.split(r"\band\b", written)]
    known: dict[str, Any] = {
        "series": series,
        "sum": over_all(sum),
        "max": over_all(max),
        "increase": lambda vector: vector,
        "rate": lambda vector: Vector({key: value / 300 for key, value in vector.values.items()}),
    }
    return bool(eval(" & ".join(parts), known).values)


def gauges(**values: float) -> Samples:
    """Samples without labels."""
    return {(name, frozenset()): value for name, value in values.items()}


def answers(good: int, failed: int) -> Samples:
    def labels(status: str) -> Labels:
        return frozenset({("route", "/"), ("method", "GET"), ("status", status)})

    name = "http_request_seconds_count"
    return {(name, labels("200")): good, (name, labels("503")): failed, (name, labels("304")): 0}


def pool(name: str, used: float) -> Samples:
    labels = frozenset({("pool", name)})
    return {("db_pool_in_use", labels): used, ("db_pool_size", labels): 8}


@pytest.mark.parametrize(
    ("rule", "wrong", "just_right"),
    [
        ("ApiErrors", answers(1949, 51), answers(1950, 50)),
        ("ApiErrors", answers(1000 + 94, 6), answers(1000 + 93, 6)),
        ("DatabasePoolExhausted", pool("own", 8) | pool("answers", 0), pool("own", 7) | pool("answers", 7)),
        ("ReplaysWait", gauges(queue_depth=101), gauges(queue_depth=100)),
        ("MemoryShort", gauges(memory_used_share=0.81), gauges(memory_used_share=0.80)),
    ],
)
def test_each_rule_fires_on_a_violation_and_not_just_below_it(rule: str, wrong: Samples, just_right: Samples) -> None:
    # What was long ago counts no more.
    before = answers(1000, 0) if rule == "ApiErrors" else None
    assert fires(rule, wrong, before)
    assert not fires(rule, just_right, before)


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
