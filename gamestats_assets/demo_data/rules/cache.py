"""Cache of the rules that a language model made.

A file is named after everything the language model was told and by whom it was answered, so that any change asks anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from gamestats_assets.demo_data.rules.model import RULES_VERSION, Rules
from gamestats_assets.demo_data.rules.prompt import INSTRUCTIONS, PROMPT_VERSION, prompt, rules_schema
from gamestats_assets.demo_data.taxonomies.model import Taxonomy
from gamestats_assets.demo_data.taxonomies.product import ProductInfo
from gamestats_assets.lakehouse.errors import violations
from gamestats_assets.lakehouse.files.local import write_whole

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
