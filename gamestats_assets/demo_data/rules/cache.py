"""Caches the rules that language models made.

A file is named after all input of the language model and after its maker, so that any change asks again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from gamestats_assets.demo_data.rules.model import RULES_VERSION, Rules
from gamestats_assets.demo_data.rules.prompt import INSTRUCTIONS, PROMPT_VERSION, prompt, rules_schema
from gamestats_assets.demo_data.rules.soundness import problems
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.lakehouse.errors import violations
from gamestats_assets.lakehouse.files.local import write_whole


class CachedRules(BaseModel):
    """Rules with their origin."""

    model_config = ConfigDict(extra="forbid")

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
    """Returns 64 hexadecimal digits for everything that decides a language model's answer.

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


@dataclass(frozen=True, slots=True)
class RulesCache:
    """Rules in JSON files of one folder, `<key>.json`; the folder is created with the first rules."""

    folder: Path

    def path(self, key: str) -> Path:
        """Returns the file of a key's rules."""
        return self.folder / f"{key}.json"

    def get(self, key: str, taxonomy: Taxonomy, report: Callable[[str], None]) -> CachedRules | None:
        """Returns the rules of a key; None if they are missing, or unusable, which is reported."""
        path = self.path(key)
        try:
            found = CachedRules.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            report(f"cached rules {path} cannot be read: {error.strerror or error}")
        except ValidationError as error:
            report(f"cached rules {path} are damaged or of an older form: {violations(error)[0]}")
        else:
            wrong = problems(found.rules, taxonomy)
            if not wrong:
                return found
            report(f"cached rules {path} do not fit the taxonomy: {wrong[0]}")
        return None

    def put(self, key: str, rules: Rules, about: Mapping[str, JsonValue]) -> None:
        """Stores rules, replacing earlier ones of the key; readers see the old ones or the new, never a part.

        Raises:
            OSError: when they cannot be written.
        """
        write_whole(self.path(key), CachedRules(about=dict(about), rules=rules).model_dump_json(indent=2))
