"""Texts of the pages: one file per language, in the folders `texts` of the shell and of the games.

A text has a name, such as `table.empty`. A text with a count has the forms `one` and `other`, or `other` alone in
languages without plurals. Texts that a language lacks appear in English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ENGLISH = "en"
Say = Callable[..., str]
"""Returns a text by its name, with its placeholders filled."""


class Texts:
    """Texts from folders, by language.

    Args:
        folders: each with files such as `en.toml`; no two may use the same name.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._texts: dict[str, dict[str, Any]] = {}
        for path in sorted(path for folder in folders for path in folder.glob("*.toml")):
            known = self._texts.setdefault(path.stem, {})
            found = _flat(tomllib.loads(path.read_text("utf-8")))
            twice = found.keys() & known.keys()
            if twice:
                raise ValueError(f"{path} repeats the names {', '.join(sorted(twice))}; rename them.")
            known.update(found)

    def language(self, accepted: str) -> str:
        """Returns the preferred language among those available.

        Args:
            accepted: a header `Accept-Language`.
        """
        weighed: list[tuple[float, str]] = []
        for each in accepted.split(","):
            tag, _, weight = each.partition(";q=")
            try:
                weighed.append((float(weight or 1), tag.strip().split("-")[0].lower()))
            except ValueError:
                continue
        best = (tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0)
        return next((tag for tag in best if tag in self._texts), ENGLISH)

    def speaker(self, language: str) -> Say:
        """Returns the function that gives texts in a language.

        Raises:
            KeyError: if it is called with a name that English lacks.
        """
        texts = {**self._texts[ENGLISH], **self._texts.get(language, {})}

        def say(name: str, /, **about: Any) -> str:
            text = texts[name]
            if isinstance(text, Mapping):
                text = text["one"] if about.get("n") == 1 and "one" in text else text["other"]
            return text.format(**about) if about else text

        return say


def _flat(texts: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, text in texts.items():
        if isinstance(text, Mapping) and "other" not in text:
            flat.update(_flat(text, f"{before}{name}."))
        else:
            flat[before + name] = text
    return flat
