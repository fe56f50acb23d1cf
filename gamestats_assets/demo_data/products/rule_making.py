"""Makes the rules of a product: by the analyst, by a language model, or from the cache of its answers.

The analyst takes milliseconds and always gives the same rules, so these are not cached.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from gamestats_assets.demo_data.rules.ai import AiSettings, Provider, ask_for_rules
from gamestats_assets.demo_data.rules.cache import RulesCache, rules_key
from gamestats_assets.demo_data.rules.model import RULES_VERSION, Rules
from gamestats_assets.demo_data.rules.prompt import PROMPT_VERSION
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MadeRules:
    """Rules with their origin.

    Attributes:
        origin: `ai` asked now, `cache` asked before, `analyst` not asked, `file` given by the user.
                detail: the model, its tokens, the file, or errors on the way; for people.
    """

    rules: Rules
    origin: Literal["ai", "cache", "analyst", "file"]
    detail: str


@dataclass(frozen=True, slots=True)
class RuleMaker:
    """The maker of rules.

    Attributes:
        provider: of the language model; None for the analyst.
        settings: connection settings of the language model.
        refresh: ask the language model even if the cache has an answer, and replace that answer.
    """

    cache: RulesCache
    provider: Provider | None = None
    settings: AiSettings = field(default_factory=AiSettings)
    refresh: bool = False

    def make(
        self, taxonomy: Taxonomy, product: ProductInfo, *, draft: Rules | None = None, deviations: Sequence[str] = ()
    ) -> MadeRules:
        """Returns the rules of a product.

        Args:
            draft: rules for the language model to improve; by default the analyst's.
            deviations: deviations of data made by the draft, for the language model.

        Raises:
            AiError: when the language model gives no valid rules.
        """
        from gamestats_assets.demo_data.analysis.analyst import analyse

        if self.provider is None:
            return MadeRules(analyse(taxonomy, product), "analyst", "no language model was asked")
        asked = {"provider": self.provider, "model": self.settings.model_for(self.provider)}
        draft = draft or analyse(taxonomy, product)
        key = rules_key(taxonomy, product, **asked, draft=draft, deviations=deviations)
        notes: list[str] = []

        def report(why: str) -> None:
            _log.warning("%s; they are made again", why)
            notes.append(f"{why}; they were not used")

        cached = None if self.refresh else self.cache.get(key, taxonomy, report)
        if cached is not None:
            about = cached.about
            maker = f"{about.get('answered_by')} of {about.get('provider')}"
            detail = f"{maker} made them on {about.get('made_at')}: {self.cache.path(key)}"
            return MadeRules(cached.rules, "cache", detail)
        answer = ask_for_rules(
            taxonomy, product, provider=self.provider, draft=draft, deviations=deviations, settings=self.settings
        )
        tokens = f"{answer.input_tokens} tokens in, {answer.output_tokens} out"
        notes.insert(0, f"{answer.model} of {self.provider}, attempts: {answer.attempts}, {tokens}")
        about = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **asked,
            "answered_by": answer.model,
            **{name: getattr(answer, name) for name in ("attempts", "input_tokens", "output_tokens")},
            "prompt_version": PROMPT_VERSION,
            "rules_version": RULES_VERSION,
            "taxonomy": taxonomy.name,
            "taxonomy_hash": taxonomy.content_hash(),
            "product": product.model_dump(mode="json"),
            "deviations": list(deviations),
        }
        try:
            self.cache.put(key, answer.rules, about)
        except OSError as error:
            # The answer is paid for and good; only the next run has to ask again.
            notes.append(f"Rules cannot be cached as {self.cache.path(key)}: {error.strerror or error}.")
            _log.warning("%s", notes[-1])
        return MadeRules(answer.rules, "ai", "; ".join(notes))
