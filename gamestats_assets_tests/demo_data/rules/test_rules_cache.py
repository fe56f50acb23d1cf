"""Who makes rules when, and the cache of what a language model made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.demo_data.analysis.analyst import analyse
from gamestats_assets.demo_data.products.rule_making import MadeRules, RuleMaker
from gamestats_assets.demo_data.rules import cache as rules_cache
from gamestats_assets.demo_data.rules.ai import AiError, AiSettings
from gamestats_assets.demo_data.rules.cache import RulesCache, rules_key
from gamestats_assets.demo_data.rules.model import Rules
from gamestats_assets.demo_data.taxonomies.model import Event, Property, PropertyType
from gamestats_assets_tests.demo_data.rules.ai_server import KEY, MODEL, PRODUCT, TAXONOMY, AiServer, Answer, good

RULES = Rules.model_validate(good())
OTHER_RULES = Rules.model_validate(good(mean=9))
NUMBER = Property(name="x", type=PropertyType.NUMBER)
BASE: dict[str, Any] = {"taxonomy": TAXONOMY, "product": PRODUCT, "provider": "anthropic", "model": "m-1"}


@pytest.fixture
def server() -> Iterator[AiServer]:
    with AiServer() as running:
        yield running


@pytest.fixture
def maker(server: AiServer, tmp_path: Path) -> RuleMaker:
    settings = AiSettings(
        key=SecretStr(KEY), model=MODEL, base_url=server.address, timeout_s=20, requests_per_minute=10_000
    )
    return RuleMaker(RulesCache(tmp_path / "not" / "there yet"), "anthropic", settings)


def made(maker: RuleMaker, **others: Any) -> MadeRules:
    return maker.make(TAXONOMY, PRODUCT, **others)


def the_file(maker: RuleMaker) -> Path:
    (path,) = maker.cache.folder.iterdir()
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"taxonomy": TAXONOMY.model_copy(update={"events": TAXONOMY.events[::-1]})},
        {"taxonomy": TAXONOMY.model_copy(update={"user_properties": (NUMBER,)})},
        {"taxonomy": TAXONOMY.model_copy(update={"events": (TAXONOMY.events[0], Event(name="borrow_book"))})},
        *[{"product": PRODUCT.model_copy(update={name: "x"})} for name in ("industry", "platform", "name")],
        {"provider": "openai"},
        {"model": "m-2"},
        {"draft": RULES},
        {"draft": RULES, "deviations": ["days: too many"]},
        {"PROMPT_VERSION": 10_000},
        {"RULES_VERSION": 10_000},
        {"INSTRUCTIONS": "Write rules."},
        {"rules_schema": lambda: {"type": "object"}},
    ],
    ids=lambda change: "+".join(change),
)
def test_every_part_of_what_is_asked_changes_the_key(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    before = rules_key(**BASE)
    for name in list(change):
        if hasattr(rules_cache, name):
            monkeypatch.setattr(rules_cache, name, change.pop(name))
    assert rules_key(**BASE | change) != before
    assert rules_key(**BASE | change) == rules_key(**BASE | change)


def test_without_a_provider_the_analyst_makes_the_rules(tmp_path: Path) -> None:
    cache = RulesCache(tmp_path / "cache")
    assert made(RuleMaker(cache)) == MadeRules(analyse(TAXONOMY, PRODUCT), "analyst", "no language model was asked")
    assert not cache.folder.exists()


def test_a_language_model_is_asked_once_and_remembered_without_the_key(server: AiServer, maker: RuleMaker) -> None:
    server.queue(Answer(good(), tokens=(4000, 900)))
    first = made(maker)
    second = made(RuleMaker(maker.cache, "anthropic", AiSettings(model=MODEL)))
    assert (first.rules, first.origin, second.rules, second.origin) == (RULES, "ai", RULES, "cache")
    for part in (f"{MODEL}-20260101 of anthropic", "attempts: 1", "4000 tokens in, 900 out"):
        assert part in first.detail
    assert f"{MODEL}-20260101 of anthropic" in second.detail
    assert str(the_file(maker)) in second.detail
    assert len(server.requests) == 1
    about = json.loads(the_file(maker).read_text())["about"]
    wanted = {"provider": "anthropic", "model": MODEL, "taxonomy": "lending", "input_tokens": 4000}
    assert wanted.items() <= about.items()
    assert about["taxonomy_hash"] == TAXONOMY.content_hash()
    assert KEY not in the_file(maker).read_text()


def test_refresh_asks_again_and_replaces(server: AiServer, maker: RuleMaker) -> None:
    server.queue(Answer(good()), Answer(good(mean=9)))
    made(maker)
    again = made(RuleMaker(maker.cache, "anthropic", maker.settings, refresh=True))
    assert (again.rules, again.origin, len(server.requests)) == (OTHER_RULES, "ai", 2)
    assert made(maker).rules == OTHER_RULES


def test_the_analysts_rules_are_the_draft_unless_another_is_given(server: AiServer, maker: RuleMaker) -> None:
    server.queue(*[Answer(good())] * 2)
    made(maker)
    made(maker, draft=OTHER_RULES, deviations=["days: mean 12 measured, 9 meant"])
    of_analyst, given = (request.turns[0]["content"] for request in server.requests)
    analysts = analyse(TAXONOMY, PRODUCT).model_dump(mode="json", exclude_defaults=True)
    assert json.dumps(analysts, ensure_ascii=False) in of_analyst
    assert '"mean": 9.0' in given
    assert "days: mean 12 measured, 9 meant" in given


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (half, "damaged or of an older form: Invalid JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "damaged or of an older form"),
        (lambda path: changed(path, '"power_user"', '"stranger"'), "rules: segment_analysis lacks power_user"),
        (lambda path: changed(path, '"borrow_book"', '"steal_book"'), "do not fit the taxonomy"),
        (a_folder, "cannot be read"),
    ],
    ids=["half", "no text", "older form", "another taxonomy", "folder"],
)
def test_a_file_that_cannot_be_used_is_made_again_and_the_reason_given(
    server: AiServer, maker: RuleMaker, damage: Any, reason: str
) -> None:
    server.queue(Answer(good()), Answer(good(mean=9)))
    made(maker)
    path = the_file(maker)
    damage(path)
    again = made(maker)
    assert (again.rules, again.origin) == (OTHER_RULES, "ai")
    assert reason in again.detail
    assert str(path) in again.detail


def test_without_an_answer_there_are_no_rules(server: AiServer, maker: RuleMaker) -> None:
    wrong = maker.settings.model_copy(update={"key": SecretStr("sk-wrong")})
    with pytest.raises(AiError, match="refuses the key"):
        made(RuleMaker(maker.cache, "anthropic", wrong))
    assert not maker.cache.folder.exists()


def test_rules_that_cannot_be_cached_are_used_all_the_same(server: AiServer, maker: RuleMaker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    server.queue(Answer(good()))
    answer = made(RuleMaker(RulesCache(tmp_path / "file" / "cache"), "anthropic", maker.settings))
    assert (answer.rules, answer.origin) == (RULES, "ai")
    assert "cannot be cached" in answer.detail
