"""The cache of rules, and who makes rules when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rule_making import MadeRules, made_rules
from gamestats_assets.demo_data.rules import cache as rules_cache
from gamestats_assets.demo_data.rules.ai import AiError, AiSettings, Provider
from gamestats_assets.demo_data.rules.cache import RulesCache, rules_key
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType, Taxonomy
from gamestats_assets_tests.demo_data.ai_server import AiServer, Answer

KEY = "sk-another-key"
SEGMENTS = ("new_user", "active_user", "power_user", "churning_user", "churned_user", "returning_user")
TAXONOMY = Taxonomy(
    name="lending",
    events=(
        Event(name="open_app"),
        Event(name="borrow_book", properties=(Property(name="days", type=PropertyType.NUMBER),)),
    ),
)
PRODUCT = ProductInfo(industry="public libraries", platform="web", name="Shelf", description="Lends books.")


def rules_in_json(mean: float = 20, event: str = "borrow_book") -> dict[str, Any]:
    return {
        "event_constraints": {"session_start": ["open_app"]},
        "value_ranges": {"days": {"min": 7, "max": 28, "mean": mean}},
        "segment_analysis": {
            name: {"event_probabilities": {event: 0.4}, "activity": {"daily_probability": 0.3}} for name in SEGMENTS
        },
    }


RULES = Rules.model_validate(rules_in_json())
OTHER_RULES = Rules.model_validate(rules_in_json(mean=9))


@pytest.fixture
def cache(tmp_path: Path) -> RulesCache:
    return RulesCache(tmp_path / "not" / "there yet")


@pytest.fixture
def server() -> Iterator[AiServer]:
    with AiServer(KEY) as running:
        yield running


def settings_for(server: AiServer, key: str = KEY, provider: Provider = "anthropic") -> AiSettings:
    return AiSettings(
        key=SecretStr(key),
        model="model-of-the-test",
        base_url=server.url(provider),
        timeout_s=20,
        requests_per_minute=10_000,
    )


def made(server: AiServer, cache: RulesCache, **others: Any) -> MadeRules:
    return made_rules(TAXONOMY, PRODUCT, ai=settings_for(server), provider="anthropic", cache=cache, **others)


def the_file(cache: RulesCache) -> Path:
    (path,) = cache.folder.iterdir()
    return path


# --------------------------------------------------------------------------- the key


BASE: dict[str, Any] = {"taxonomy": TAXONOMY, "product": PRODUCT, "provider": "anthropic", "model": "m-1"}


def key_of(**others: Any) -> str:
    return rules_key(**{**BASE, **others})


@pytest.mark.parametrize(
    "change",
    [
        {"taxonomy": TAXONOMY.model_copy(update={"events": TAXONOMY.events[::-1]})},
        {"taxonomy": TAXONOMY.model_copy(update={"user_properties": (Property(name="x", type=PropertyType.NUMBER),)})},
        {"taxonomy": TAXONOMY.model_copy(update={"events": (TAXONOMY.events[0], Event(name="borrow_book"))})},
        {"product": PRODUCT.model_copy(update={"industry": "museums"})},
        {"product": PRODUCT.model_copy(update={"platform": "mobile"})},
        {"product": PRODUCT.model_copy(update={"name": "Shelves"})},
        {"product": PRODUCT.model_copy(update={"description": "Lends books and films."})},
        {"provider": "openai"},
        {"model": "m-2"},
        {"draft": RULES},
        {"draft": OTHER_RULES},
        {"draft": RULES, "deviations": ["days: too many"]},
        {"draft": RULES, "deviations": ["days: too few"]},
    ],
    ids=lambda change: "+".join(change),
)
def test_every_part_of_what_is_asked_changes_the_key(change: dict[str, Any]) -> None:
    assert key_of(**change) != key_of()
    assert key_of(**change) == key_of(**change)


def test_deviations_and_drafts_are_told_apart() -> None:
    keys = [
        key_of(draft=RULES),
        key_of(draft=OTHER_RULES),
        key_of(draft=RULES, deviations=["a", "b"]),
        key_of(draft=RULES, deviations=["b", "a"]),
        key_of(draft=RULES, deviations=["a b"]),
    ]

    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROMPT_VERSION", 10_000),
        ("RULES_VERSION", 10_000),
        ("INSTRUCTIONS", "Write rules."),
        ("rules_schema", lambda: {"type": "object"}),
    ],
)
def test_another_version_of_what_is_told_changes_the_key(
    name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key_of()

    monkeypatch.setattr(rules_cache, name, value)

    assert key_of() != before


# --------------------------------------------------------------------------- the cache


def test_what_is_put_is_got(cache: RulesCache) -> None:
    assert cache.get(key_of()) is None

    path = cache.put(key_of(), RULES, {"model": "m-1", "product": {"name": "선반"}})
    found = cache.get(key_of())

    assert found is not None
    assert (found.rules, found.about) == (RULES, {"model": "m-1", "product": {"name": "선반"}})
    assert the_file(cache) == path


def test_a_person_can_read_the_file(cache: RulesCache) -> None:
    path = cache.put(key_of(), RULES, {"product": {"name": "선반"}})

    text = path.read_text(encoding="utf-8")
    assert "선반" in text
    assert text.count("\n") > 50
    assert json.loads(text)["rules"]["value_ranges"]["days"]["mean"] == 20


def test_a_later_put_replaces_the_earlier(cache: RulesCache) -> None:
    cache.put(key_of(), RULES, {})
    cache.put(key_of(), OTHER_RULES, {})

    found = cache.get(key_of())
    assert found is not None
    assert found.rules == OTHER_RULES
    the_file(cache)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_another_form(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["rules"]["segment_analysis"]["power_user"]
    path.write_text(json.dumps(content))


def of_another_key(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "key": key_of(model="m-2")}))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (half, "damaged or of an older form: Invalid JSON"),
        (lambda path: path.write_bytes(b""), "damaged or of an older form"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "damaged or of an older form"),
        (lambda path: path.write_text("[]"), "damaged or of an older form"),
        (of_another_form, "rules: segment_analysis lacks power_user"),
        (of_another_key, "those of another key"),
        (a_folder, "cannot be read"),
    ],
    ids=["half", "empty", "no text", "no object", "older form", "other key", "folder"],
)
def test_a_damaged_file_counts_as_none_and_the_reason_is_told(cache: RulesCache, damage: Any, reason: str) -> None:
    path = cache.put(key_of(), RULES, {})
    damage(path)
    reasons: list[str] = []

    assert cache.get(key_of(), reasons.append) is None

    (told,) = reasons
    assert reason in told
    assert str(path) in told


@pytest.mark.parametrize("key", ["", "../" * 8 + "etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_what_is_no_key_is_no_path(cache: RulesCache, key: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        cache.get(key)


def test_a_disk_that_takes_nothing_is_told_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = RulesCache(tmp_path)
    cache.put(key_of(), RULES, {})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        cache.put(key_of(), OTHER_RULES, {})

    found = cache.get(key_of())
    assert found is not None
    assert found.rules == RULES
    the_file(cache)


WRITER = """
import json, sys
from pathlib import Path
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.rules.cache import RulesCache
folder, key, rules = sys.argv[1:]
cache, rules = RulesCache(Path(folder)), Rules.model_validate_json(rules)
print("ready", flush=True)
sys.stdin.readline()
for i in range(100):
    cache.put(key, rules, {"i": i})
"""


def test_two_processes_that_put_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    cache = RulesCache(tmp_path)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), key_of(), rules.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rules in (RULES, OTHER_RULES)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()

    damaged: list[str] = []
    seen: list[Rules] = []
    deadline = time.monotonic() + 60
    while any(writer.poll() is None for writer in writers) and time.monotonic() < deadline:
        found = cache.get(key_of(), damaged.append)
        seen += [found.rules] if found else []
    for writer in writers:
        writer.communicate(timeout=10)

    assert [writer.returncode for writer in writers] == [0, 0]
    assert damaged == []
    assert len(seen) > 10
    assert all(rules in (RULES, OTHER_RULES) for rules in seen)
    the_file(cache)


# --------------------------------------------------------------------------- who makes rules


def test_without_a_provider_the_analyst_makes_the_rules(cache: RulesCache) -> None:
    from gamestats_assets.demo_data.analysis.analyst import analyse

    assert made_rules(TAXONOMY, PRODUCT, cache=cache) == MadeRules(
        analyse(TAXONOMY, PRODUCT), "analyst", "no language model was asked"
    )
    assert not cache.folder.exists()


def test_a_language_model_is_asked_once_and_remembered(server: AiServer, cache: RulesCache) -> None:
    server.queue(Answer(rules_in_json(), tokens=(4000, 900)))

    first = made(server, cache)
    second = made(server, cache)

    assert (first.rules, first.origin) == (RULES, "ai")
    for part in ("model-of-the-test-20260101 of anthropic", "attempts: 1", "4000 tokens in, 900 out"):
        assert part in first.detail
    assert (second.rules, second.origin) == (RULES, "cache")
    assert "model-of-the-test-20260101 of anthropic" in second.detail
    assert str(the_file(cache)) in second.detail
    assert len(server.requests) == 1


def test_the_cached_file_says_what_it_was_made_from(server: AiServer, cache: RulesCache) -> None:
    server.queue(Answer(rules_in_json(), tokens=(4000, 900)))

    made(server, cache, deviations=["days: too many"])

    text = the_file(cache).read_text()
    about = json.loads(text)["about"]
    assert about["provider"] == "anthropic"
    assert about["model"] == "model-of-the-test"
    assert about["taxonomy"] == "lending"
    assert about["taxonomy_hash"] == TAXONOMY.content_hash()
    assert about["product"]["industry"] == "public libraries"
    assert about["deviations"] == ["days: too many"]
    assert (about["input_tokens"], about["output_tokens"]) == (4000, 900)
    assert KEY not in text


def test_a_remembered_answer_needs_no_key(server: AiServer, cache: RulesCache) -> None:
    server.queue(Answer(rules_in_json()))
    made(server, cache)

    again = made_rules(TAXONOMY, PRODUCT, ai=AiSettings(model="model-of-the-test"), provider="anthropic", cache=cache)

    assert (again.rules, again.origin) == (RULES, "cache")


def test_refresh_asks_again_and_replaces(server: AiServer, cache: RulesCache) -> None:
    server.queue(Answer(rules_in_json()), Answer(rules_in_json(mean=9)))
    made(server, cache)

    anew = made(server, cache, refresh=True)

    assert (anew.rules, anew.origin) == (OTHER_RULES, "ai")
    assert len(server.requests) == 2
    assert made(server, cache).rules == OTHER_RULES
    the_file(cache)


def test_another_product_or_provider_is_asked_for_itself(server: AiServer, cache: RulesCache) -> None:
    server.queue(*[Answer(rules_in_json())] * 3)
    made(server, cache)

    other = PRODUCT.model_copy(update={"industry": "museums"})
    by_product = made_rules(TAXONOMY, other, ai=settings_for(server), provider="anthropic", cache=cache)
    by_provider = made_rules(
        TAXONOMY, PRODUCT, ai=settings_for(server, provider="openai"), provider="openai", cache=cache
    )

    assert (by_product.origin, by_provider.origin) == ("ai", "ai")
    assert len(server.requests) == 3


def test_the_analysts_rules_are_the_draft_unless_another_is_given(server: AiServer, cache: RulesCache) -> None:
    from gamestats_assets.demo_data.analysis.analyst import analyse

    server.queue(*[Answer(rules_in_json())] * 2)

    made(server, cache)
    made(server, cache, draft=OTHER_RULES, deviations=["days: mean 12 measured, 9 meant"])

    of_analyst, given = (request.turns[0]["content"] for request in server.requests)
    analysts = analyse(TAXONOMY, PRODUCT).model_dump(mode="json", exclude_defaults=True)
    assert json.dumps(analysts, ensure_ascii=False) in of_analyst
    assert '"mean": 9.0' in given
    assert "days: mean 12 measured, 9 meant" in given


@pytest.mark.parametrize("damage", [half, of_another_form])
def test_a_damaged_file_is_made_anew_and_told(server: AiServer, cache: RulesCache, damage: Any) -> None:
    server.queue(Answer(rules_in_json()), Answer(rules_in_json(mean=9)))
    made(server, cache)
    damage(the_file(cache))

    anew = made(server, cache)

    assert (anew.rules, anew.origin) == (OTHER_RULES, "ai")
    assert "damaged or of an older form" in anew.detail
    assert made(server, cache).origin == "cache"


def test_cached_rules_that_do_not_fit_the_taxonomy_are_made_anew(server: AiServer, cache: RulesCache) -> None:
    server.queue(Answer(rules_in_json()), Answer(rules_in_json(mean=9)))
    made(server, cache)
    key = the_file(cache).stem
    cache.put(key, Rules.model_validate(rules_in_json(event="steal_book")), {})

    anew = made(server, cache)

    assert (anew.rules, anew.origin) == (OTHER_RULES, "ai")
    assert "do not fit the taxonomy" in anew.detail
    assert "steal_book" in anew.detail


def test_what_the_language_model_does_not_give_is_an_error(server: AiServer, cache: RulesCache) -> None:
    with pytest.raises(AiError, match="refuses the key"):
        made_rules(TAXONOMY, PRODUCT, ai=settings_for(server, "sk-wrong"), provider="anthropic", cache=cache)

    assert not cache.folder.exists()


def test_only_with_fallback_the_analyst_steps_in_and_says_why(server: AiServer, cache: RulesCache) -> None:
    from gamestats_assets.demo_data.analysis.analyst import analyse

    settings = settings_for(server, "sk-wrong")

    stepped_in = made_rules(TAXONOMY, PRODUCT, ai=settings, provider="anthropic", cache=cache, fallback=True)

    assert (stepped_in.rules, stepped_in.origin) == (analyse(TAXONOMY, PRODUCT), "analyst")
    assert "refuses the key (401" in stepped_in.detail
    assert not cache.folder.exists()


def test_rules_that_cannot_be_cached_are_used_all_the_same(server: AiServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    server.queue(Answer(rules_in_json()))

    answer = made(server, RulesCache(tmp_path / "file" / "cache"))

    assert (answer.rules, answer.origin) == (RULES, "ai")
    assert "cannot be cached" in answer.detail
