"""Rules of a product from whoever is to make them: the analyst, a language model, or the cache of its answers.

What the analyst makes takes milliseconds and is always the same; it is not cached.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from gamestats_assets.demo_data.rules.ai import AiAnswer, AiError, AiSettings, Provider, ask_for_rules
from gamestats_assets.demo_data.rules.cache import CachedRules, RulesCache, rules_key
from gamestats_assets.demo_data.rules.model import RULES_VERSION, Rules
from gamestats_assets.demo_data.rules.prompt import PROMPT_VERSION
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MadeRules:
    """Rules and where they come from.

    Attributes:
        origin: `ai` asked now, `cache` asked before, `analyst` not asked, `file` given by a person.
        detail: which model, how many tokens, which file, what went wrong on the way; for people.
    """

    rules: Rules
    origin: Literal["ai", "cache", "analyst", "file"]
    detail: str


def made_rules(
    taxonomy: Taxonomy,
    product: ProductInfo,
    *,
    ai: AiSettings | None = None,
    provider: Provider | None = None,
    cache: RulesCache,
    refresh: bool = False,
    fallback: bool = False,
    draft: Rules | None = None,
    deviations: Sequence[str] = (),
) -> MadeRules:
    """The rules of a product: from the analyst, or where a provider is named from its language model or the cache.

    Args:
        ai: how the language model is reached; the defaults when None.
        provider: whose language model; None is the analyst alone.
        refresh: ask even where the cache has an answer, and replace that.
        fallback: take the analyst's rules when the language model gives none.
        draft: rules for the language model to improve; the analyst's when None.
        deviations: where data made by the draft differ from it; for the language model.

    Raises:
        AiError: when the language model gives no rules, unless `fallback`.
    """
    from gamestats_assets.demo_data.analysis.analyst import analyse

    if provider is None:
        return MadeRules(analyse(taxonomy, product), "analyst", "no language model was asked")
    ai = ai or AiSettings()
    draft = draft or analyse(taxonomy, product)
    key = rules_key(
        taxonomy, product, provider=provider, model=ai.model_for(provider), draft=draft, deviations=deviations
    )
    notes: list[str] = []
    found = None if refresh else _fitting(cache, key, taxonomy, notes)
    if found is not None:
        asked = found.about
        maker = f"{asked.get('answered_by')} of {asked.get('provider')}"
        return MadeRules(found.rules, "cache", f"{maker} made them on {asked.get('made_at')}: {cache.path(key)}")
    try:
        answer = ask_for_rules(taxonomy, product, provider=provider, draft=draft, deviations=deviations, settings=ai)
    except AiError as error:
        if not fallback:
            raise
        _log.warning("The analyst makes the rules, for the language model gave none: %s", error)
        return MadeRules(
            analyse(taxonomy, product), "analyst", "; ".join([*notes, f"instead of a language model: {error}"])
        )
    tokens = f"{answer.input_tokens} tokens in, {answer.output_tokens} out"
    notes.insert(0, f"{answer.model} of {provider}, attempts: {answer.attempts}, {tokens}")
    try:
        cache.put(key, answer.rules, _about(taxonomy, product, provider, ai, answer, deviations))
    except OSError as error:
        # The answer is paid for and good; only the next run has to ask again.
        notes.append(f"Rules cannot be cached as {cache.path(key)}: {error.strerror or error}.")
        _log.warning("%s", notes[-1])
    return MadeRules(answer.rules, "ai", "; ".join(notes))


def _fitting(cache: RulesCache, key: str, taxonomy: Taxonomy, notes: list[str]) -> CachedRules | None:
    """The cached rules, unless they do not fit the taxonomy (any more)."""
    from gamestats_assets.demo_data.rules.soundness import problems

    def report(why: str) -> None:
        _log.warning("%s; they are made again", why)
        notes.append(f"{why}; they were not used")

    found = cache.get(key, report)
    if found is None:
        return None
    wrong = problems(found.rules, taxonomy)
    if wrong:
        report(f"cached rules {cache.path(key)} do not fit the taxonomy: {wrong[0]}")
        return None
    return found


def _about(
    taxonomy: Taxonomy,
    product: ProductInfo,
    provider: Provider,
    ai: AiSettings,
    answer: AiAnswer,
    deviations: Sequence[str],
) -> dict[str, Any]:
    return {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "provider": provider,
        "model": ai.model_for(provider),
        "answered_by": answer.model,
        **{name: getattr(answer, name) for name in ("attempts", "input_tokens", "output_tokens")},
        "prompt_version": PROMPT_VERSION,
        "rules_version": RULES_VERSION,
        "taxonomy": taxonomy.name,
        "taxonomy_hash": taxonomy.content_hash(),
        "product": product.model_dump(mode="json"),
        "deviations": list(deviations),
    }
