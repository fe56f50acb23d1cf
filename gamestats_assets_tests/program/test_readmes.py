"""The READMEs: short, without dead links, and every command in them is one that gamestats has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from gamestats_assets.cli import app

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


@pytest.mark.parametrize("written", COMMANDS)
def test_a_command_of_a_readme_is_one_that_gamestats_takes(written: str) -> None:
    words = shlex.split(written)
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="gamestats")
    while hasattr(command, "get_command") and words:
        name, *words = words
        following = command.get_command(context, name)
        assert following is not None, f"{context.command_path} has no command {name!r}"
        command, context = following, typer.Context(following, info_name=name, parent=context)
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--") and len(word) > 2}
    assert given - options - {"--help"} == set(), f"{context.command_path} has no such option"
