"""The command line as tests call it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from typer.testing import CliRunner, Result

from gamestats_assets.cli import app
from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings


class Gamestats:
    """The command line over one data folder, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a user who set the data folder, and `extra`."""
        ours = ("GAMESTATS_", "DAGSTER_", "PUBG_", "RIOT_", "DATA_DRAGON_", "BALLCHASING_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "GAMESTATS_DATA": str(self.folder), "GAMESTATS_WORKERS": "1", **(extra or {})}

    def __call__(self, *arguments: str, typed: str | None = None, **environment: str) -> Result:
        """Run a command, somebody typing at its prompts; it must not end in a traceback."""
        with replaced_environment(self.environment(environment)):
            result = CliRunner().invoke(app, list(arguments), input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def process(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "gamestats_assets.cli", *arguments],
            env=self.environment(environment),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def answer(self, sql: str, *more: str) -> list[dict[str, object]]:
        """Rows a query gives."""
        result = self("query", sql, "--format", "json", *more)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    @property
    def stores(self) -> Stores:
        return Stores(Settings(data=str(self.folder), postgres_url=None))


class Admin:
    """The command line of somebody who sets up a tournament."""

    def __init__(self, folder: Path, url: str) -> None:
        self._gamestats, self.url = Gamestats(folder), url

    def __call__(self, *arguments: str, typed: str | None = None, **settings: str) -> Result:
        return self._gamestats(*arguments, typed=typed, GAMESTATS_POSTGRES_URL=self.url, **settings)

    def does(self, *arguments: str) -> str:
        """Output of a command that succeeds."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.output

    def fails(self, *arguments: str, code: int = 1) -> str:
        """What a command says that fails."""
        result = self(*arguments)
        assert result.exit_code == code, result.output
        return " ".join(result.stderr.split())

    def lists(self, *arguments: str) -> list[dict[str, object]]:
        """Rows of a list."""
        return json.loads(self(*arguments, "--format", "json").stdout)


@contextmanager
def replaced_environment(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def data_folder() -> Iterator[Gamestats]:
    """A new data folder that the PostgreSQL of root's can reach, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="gamestats-cli-"))
    gamestats = Gamestats(folder)
    try:
        yield gamestats
    finally:
        stop_embedded(gamestats.stores.settings)
        shutil.rmtree(folder, ignore_errors=True)
