"""The input of a language model: instructions, the JSON schema of rules, and the message about one product.

The instructions are in `ai_instructions.txt`; nothing in them is specific to one industry.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from string import Template
from typing import Any

from gamestats_assets.demo_data.rules.model import SEGMENTS, LifecycleStage, Rules
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.settings import shipped

PROMPT_VERSION = 3
"""Raise this when the input of the language model changes; it is part of every cache key."""

INSTRUCTIONS = Template(
    shipped("data", "reference", "demo_data", "ai_instructions.txt").read_text(encoding="utf-8").removesuffix("\n")
).substitute(stages=", ".join(LifecycleStage), segments=", ".join(SEGMENTS))
"""Instructions for every language model."""


@cache
def rules_schema() -> dict[str, Any]:
    """Returns the JSON schema that every answer is held to; do not modify it."""
    return Rules.model_json_schema()


def prompt(taxonomy: Taxonomy, product: ProductInfo, draft: Rules | None = None, deviations: Sequence[str] = ()) -> str:
    """Returns the message about one product: product, taxonomy, and the draft and its deviations if given."""
    parts: dict[str, Any] = {
        "product": _lean(product.model_dump(mode="json")),
        "taxonomy": _lean(taxonomy.model_dump(mode="json")),
        "draft": draft and draft.model_dump(mode="json", exclude_defaults=True),
        "deviations": list(deviations),
    }
    return "\n".join(f"<{name}>\n{_data(part)}\n</{name}>" for name, part in parts.items() if part)


def _data(value: Any) -> str:
    # No text of a taxonomy can close the tag around it.
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _lean(value: Any) -> Any:
    """Returns a value without empty parts: None, empty texts, empty lists."""
    if isinstance(value, dict):
        return {name: _lean(part) for name, part in value.items() if part not in (None, "", [], {})}
    return [_lean(part) for part in value] if isinstance(value, list) else value
