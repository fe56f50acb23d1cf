"""What is said of the program is so.

READMEs are short, without dead links, and gamestats has every command in them; docstrings give what they show; and
every asset is described.
"""

from __future__ import annotations

import doctest
import functools
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import typer

from gamestats_assets.cli import app
from gamestats_assets.definitions import build_defs

TOP = Path(__file__).parents[2]
FIRST = TOP / "README.md"
# Where the browser's part was built, its packages' stand there, too.
READMES = [
    FIRST,
    *sorted(each for each in TOP.glob("gamestats_assets*/**/README.md") if "node_modules" not in each.parts),
]


def _name(path: Path) -> str:
    return str(path.relative_to(TOP))


@pytest.mark.parametrize("readme", READMES, ids=_name)
def test_a_readme_is_short(readme: Path) -> None:
    assert len(readme.read_text().splitlines()) <= (150 if readme == FIRST else 120)


@pytest.mark.parametrize("readme", READMES, ids=_name)
def test_links_and_pictures_of_a_readme_lead_somewhere(readme: Path) -> None:
    linked = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", readme.read_text())
    targets = [one or other for one, other in linked]
    assert [target for target in targets if "://" not in target and not (readme.parent / target).exists()] == []


def _commands(readme: Path) -> Iterator[str]:
    """Every command of a README, in a block or within a line; without comments, pipes and what is redirected."""
    text = readme.read_text().replace("\\\n", " ")
    blocks = [block.replace("&& ", "\n") for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]
    inline = re.findall(r"`((?:\.venv/bin/)?gamestats [a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    # A quoted text of a block may go over several lines.
    lines = [re.sub(r"\n\s+", " ", block) for block in blocks]
    for line in [*"\n".join(lines).splitlines(), *inline]:
        found = re.match(r"\s*(?:\.venv/bin/)?(gamestats [a-z].*)", line)
        if found:
            words = shlex.split(found[1], comments=True)
            end = next((place for place, word in enumerate(words) if word in (">", "|", "&")), len(words))
            yield shlex.join(words[1:end])


COMMANDS = [
    pytest.param(command, id=f"{_name(readme)}: {command[:60]}")
    for readme in READMES
    for command in sorted(set(_commands(readme)))
]


def test_the_first_readme_has_commands_to_try() -> None:
    assert len(set(_commands(FIRST))) > 20


@functools.cache
def _gamestats() -> Any:
    return typer.main.get_command(app)


@pytest.mark.parametrize("written", COMMANDS)
def test_a_command_of_a_readme_is_one_that_gamestats_takes(written: str) -> None:
    words = shlex.split(written)
    command = _gamestats()
    context = typer.Context(command, info_name="gamestats")
    while hasattr(command, "get_command") and words:
        name, *words = words
        following = command.get_command(context, name)
        assert following is not None, f"{context.command_path} has no command {name!r}"
        command, context = following, typer.Context(following, info_name=name, parent=context)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2}
    assert given - options - {"--help"} == set(), f"{context.command_path} has no such option"


# --------------------------------------------------------------------------- docstrings

_SHOWING = sorted(path.relative_to(TOP) for path in TOP.glob("gamestats_assets/**/*.py") if ">>> " in path.read_text())


@pytest.mark.parametrize("module", [".".join(path.with_suffix("").parts) for path in _SHOWING])
def test_examples_of_a_module_give_what_they_show(module: str) -> None:
    outcome = doctest.testmod(import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0


# --------------------------------------------------------------------------- assets


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs()


def test_every_asset_is_described_in_a_small_group_with_its_publication(definitions: dg.Definitions) -> None:
    specs = definitions.resolve_all_asset_specs()
    assert [spec.key for spec in specs if not spec.description] == []
    group_of = {spec.key: spec.group_name for spec in specs}
    assert max(Counter(group_of.values()).values()) <= 25
    for key, group in group_of.items():
        if key.path[0] == "postgres" and dg.AssetKey(key.path[1:]) in group_of:
            assert group == group_of[dg.AssetKey(key.path[1:])], key


@pytest.mark.parametrize(
    ("asset", "first"),
    [("pubg/matches", "2017-03-23"), ("lol/matches", "2009-10-27"), ("rocket_league/match_facts", "2015-07-07")],
)
def test_days_of_a_game_begin_with_its_release(definitions: dg.Definitions, asset: str, first: str) -> None:
    partitions = definitions.resolve_asset_graph().get(dg.AssetKey(asset.split("/"))).partitions_def
    assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
    assert partitions.get_first_partition_key() == first
