"""The Chromium of this machine, in which pages are tested.

With GAMESTATS_PICTURES set to a folder, tests keep there what they see.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import gamestats_assets

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A headless browser; with further arguments of its command line. A test that needs one is passed over without."""
    if _CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install Debian's `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=[*_ARGUMENTS, *arguments])
        yield browser
        browser.close()


@contextmanager
def beside(browser: Browser, *arguments: str) -> Iterator[Browser]:
    """Another headless browser while one is there, with further arguments of its command line."""
    found = browser.browser_type.launch(executable_path=_CHROMIUM, args=[*_ARGUMENTS, *arguments])
    yield found
    found.close()


@dataclass
class Shown:
    """A browser's page, what it complained of, and what it asked for."""

    page: Page
    troubles: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))


def keep(page: Page, name: str) -> None:
    """Keep a picture of the whole page where the environment asks for it."""
    if folder := os.environ.get("GAMESTATS_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(3000)
        page.screenshot(path=str(Path(folder, f"{name}.png")), full_page=True)


_AXE = Path(gamestats_assets.__file__).parent / "serving/browser/node_modules/axe-core/axe.min.js"
_FOUND = """([impacts, rules]) => axe.run(document, {
        resultTypes: ["violations"], preload: false, ...(rules && {runOnly: {type: "rule", values: rules}}),
    }).then((found) => found.violations
        .filter((each) => impacts.includes(each.impact))
        .map((each) => `${each.id}: ${each.nodes[0].html}`))"""
_OF_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
"""What axe-core asks of colours and of places; the rest is the same in every look."""


def obstacles(page: Page, *more: str, rules: Sequence[str] | None = None) -> list[str]:
    """Serious and critical obstacles that axe-core finds on a page, and of `more` impacts; the first place of each."""
    if not _AXE.exists():
        pytest.skip("axe-core is not there; `python -m hatchling build --hooks-only` brings it")
    if page.evaluate("window.axe === undefined"):
        page.evaluate(f"() => {{ {_AXE.read_text()} }}")
    return page.evaluate(_FOUND, [["serious", "critical", *more], rules])


def obstacles_in_looks(page: Page, name: str, *more: str) -> list[str]:
    """Those of a page light and wide, and dark and narrow, in both of which it must not scroll sideways either."""
    found: list[str] = []
    looks: tuple[tuple[Literal["light", "dark"], int, Sequence[str] | None], ...]
    looks = (("light", 1280, None), ("dark", 360, _OF_LOOKS))
    for scheme, width, rules in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        found += ["it scrolls sideways"] * page.evaluate("document.documentElement.scrollWidth > innerWidth")
        found += obstacles(page, *more, rules=rules)
        keep(page, f"{name}-{scheme}-{width}")
    return found
