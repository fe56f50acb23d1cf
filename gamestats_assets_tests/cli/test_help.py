"""The help of every command: whole on any terminal, with examples that can be copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from gamestats_assets.cli import app

PROGRAM: Any = get_command(app)


def commands() -> Iterator[tuple[str, ...]]:
    """Every command, by its path."""

    def below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path
        for name, each in (inner or {}).items():
            yield from below(each, (*path, name))

    yield from below(PROGRAM, ())


def command_of(path: tuple[str, ...]) -> Any:
    """The command of a path."""
    command = PROGRAM
    for name in path:
        command = command.commands[name]
    return command


def test_the_help_of_every_command_has_an_example_of_it() -> None:
    for path in commands():
        shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "400"}).stdout
        text = shown.split("Usage:")[1].split("\n", 1)[1]
        # What takes nothing needs none.
        assert f"gamestats {' '.join(path)}" in text or not command_of(path).params, path
        # Two examples on one line would be one that nobody can copy.
        examples = [line.split(" && ")[0] for line in text.splitlines() if line.strip().startswith("gamestats ")]
        assert all(example.count("gamestats ") == 1 for example in examples), path


def test_the_help_is_whole_on_a_terminal_of_80_columns() -> None:
    for path in commands():
        shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"}).stdout
        assert "…" not in shown, path
        words = " ".join(shown.replace("│", " ").split())
        for parameter in command_of(path).params:
            if getattr(parameter, "hidden", False):
                continue
            long = [option for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("--")]
            assert [option for option in long if f" {option} " not in words] == [], path
            default = getattr(parameter, "show_default", None)
            assert not isinstance(default, str) or f"[default: ({default})]" in words, path
