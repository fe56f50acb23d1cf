"""Texts of the pages: a file per language, in the folders `texts` of the shell and of the games.

A text is found by its name, such as `table.empty`. One that counts has a form for `one` and one for `other`; a language
that does not tell them apart has `other` alone. What a language lacks is said in English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ENGLISH = "en"
Say = Callable[..., str]
"""Says a text by its name, with what it is about."""


class Texts:
    """The texts of some folders, by language.

    Args:
        folders: each with a file such as `en.toml`; no two may say the same name.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._texts: dict[str, dict[str, Any]] = {}
        for path in sorted(path for folder in folders for path in folder.glob("*.toml")):
            known = self._texts.setdefault(path.stem, {})
            found = _flat(tomllib.loads(path.read_text("utf-8")))
            twice = found.keys() & known.keys()
            if twice:
                raise ValueError(f"{path} says {', '.join(sorted(twice))} again; name them otherwise.")
            known.update(found)

    def language(self, accepted: str) -> str:
        """The language that somebody likes best of those there are.

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
        """What says texts in a language.

        Raises:
            KeyError: when called with a name that English lacks.
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
