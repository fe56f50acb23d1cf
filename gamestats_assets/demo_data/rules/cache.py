"""Rules of a product from whoever is to make them, and the cache of those that a language model made.

A cached file is named after everything the language model was told and by whom it was answered, so that any
change asks anew. What the analyst makes takes milliseconds and is always the same; it is not cached.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from gamestats_assets.demo_data.configuration import ProductInfo
from gamestats_assets.demo_data.rules.ai import AiAnswer, AiError, AiSettings, Provider, ask_for_rules
from gamestats_assets.demo_data.rules.model import RULES_VERSION, Rules
from gamestats_assets.demo_data.rules.prompt import INSTRUCTIONS, PROMPT_VERSION, prompt, rules_schema
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.lakehouse.errors import violations
from gamestats_assets.lakehouse.files import write_whole

_KEY = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


class CachedRules(BaseModel):
    """Rules as they were put.

    Attributes:
        key: of `rules_key`.
        about: what they were made from, and by whom.
    """

    model_config = ConfigDict(extra="forbid")

    key: str
    about: dict[str, JsonValue]
    rules: Rules


def rules_key(
    taxonomy: Taxonomy,
    product: ProductInfo,
    *,
    provider: str,
    model: str,
    draft: Rules | None = None,
    deviations: Sequence[str] = (),
) -> str:
    """64 hexadecimal digits for everything that decides what a language model answers.

    The analyst's version is in the draft: another analyst makes another draft, or the same rules.
    """
    parts = {
        "provider": provider,
        "model": model,
        "prompt_version": PROMPT_VERSION,
        "rules_version": RULES_VERSION,
        "schema": rules_schema(),
        "instructions": INSTRUCTIONS,
        "taxonomy": taxonomy.content_hash(),
        "message": prompt(taxonomy, product, draft, deviations),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class RulesCache:
    """Rules in JSON files of one folder, `<key>.json`.

    Args:
        folder: made when the first rules are put.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the rules of a key stand.

        Raises:
            ValueError: when it is no key of `rules_key`.
        """
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of cached rules: 64 hexadecimal digits")
        return self.folder / f"{key}.json"

    def get(self, key: str, report: Callable[[str], None] = _log.warning) -> CachedRules | None:
        """The rules of a key; None when there are none.

        A file that is damaged, or of an older schema, counts as none, and `report` is told why.
        """
        path = self.path(key)
        try:
            found = CachedRules.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
        except ValidationError as error:
            reason = f"are damaged or of an older form: {violations(error)[0]}"
        else:
            if found.key == key:
                return found
            reason = f"are those of another key, {found.key}"
        report(f"cached rules {path} {reason}")
        return None

    def put(self, key: str, rules: Rules, about: Mapping[str, JsonValue]) -> Path:
        """Keep rules, in place of those the key had; readers see the old ones or the new, never a part.

        Raises:
            OSError: when the disk does not take them.
        """
        path = self.path(key)
        write_whole(path, CachedRules(key=key, about=dict(about), rules=rules).model_dump_json(indent=2))
        return path


# --------------------------------------------------------------------------- whoever makes them


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
        _log.warning("%s; they are made anew", why)
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
        "attempts": answer.attempts,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "prompt_version": PROMPT_VERSION,
        "rules_version": RULES_VERSION,
        "taxonomy": taxonomy.name,
        "taxonomy_hash": taxonomy.content_hash(),
        "product": product.model_dump(mode="json"),
        "deviations": list(deviations),
    }
