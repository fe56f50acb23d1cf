"""What docstrings show is so."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import gamestats_assets

_PACKAGE = Path(gamestats_assets.__file__).parent
_SHOWING = sorted(path.relative_to(_PACKAGE.parent) for path in _PACKAGE.rglob("*.py") if ">>> " in path.read_text())


@pytest.mark.parametrize("module", [".".join(path.with_suffix("").parts) for path in _SHOWING])
def test_examples_of_a_module_give_what_they_show(module: str) -> None:
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0
