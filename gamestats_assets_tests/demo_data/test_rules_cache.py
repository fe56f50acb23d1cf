"""The cache of rules, and who makes rules when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.production.rule_making import MadeRules, made_rules
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


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_another_form(path: Path) -> None:
    content = json.loads(path.read_text())
    del content["rules"]["segment_analysis"]["power_user"]
    path.write_text(json.dumps(content))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (half, "damaged or of an older form: Invalid JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "damaged or of an older form"),
        (of_another_form, "rules: segment_analysis lacks power_user"),
        (a_folder, "cannot be read"),
    ],
    ids=["half", "no text", "older form", "folder"],
)
def test_a_damaged_file_counts_as_none_and_the_reason_is_told(cache: RulesCache, damage: Any, reason: str) -> None:
    path = cache.put(key_of(), RULES, {})
    damage(path)
    reasons: list[str] = []

    assert cache.get(key_of(), reasons.append) is None

    (told,) = reasons
    assert reason in told
    assert str(path) in told


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


def test_the_cached_file_says_what_it_was_made_from_and_needs_no_key(server: AiServer, cache: RulesCache) -> None:
    server.queue(Answer(rules_in_json(), tokens=(4000, 900)))
    made(server, cache)
    text = the_file(cache).read_text()
    about = json.loads(text)["about"]
    wanted = {
        "provider": "anthropic",
        "model": "model-of-the-test",
        "taxonomy": "lending",
        "taxonomy_hash": TAXONOMY.content_hash(),
        "input_tokens": 4000,
        "output_tokens": 900,
    }
    assert wanted.items() <= about.items()
    assert about["product"]["industry"] == "public libraries"
    assert KEY not in text
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
