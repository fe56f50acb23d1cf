"""Commands that are disturbed say so in a line or two, and the next try succeeds."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from gamestats_assets.lakehouse.postgres.embedded import start_embedded
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.rocket_league.tables import TrainingPacks
from gamestats_assets.simulators.pubg.matches import simulate_day
from gamestats_assets_tests.cli.runner import Gamestats, data_folder

ROWS = "select code, difficulty from rocket_league.training_packs order by code"
PUBLISHED = f"postgres.{TrainingPacks.spec.dotted}"


@pytest.fixture
def gamestats() -> Iterator[Gamestats]:
    with data_folder() as made:
        yield made


def begun(gamestats: Gamestats, *arguments: str) -> subprocess.Popen[str]:
    """A command that goes on in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gamestats_assets.cli", *arguments],
        env=gamestats.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_that_materialise_a_new_folder_at_once_both_succeed(gamestats: Gamestats) -> None:
    at_once = [begun(gamestats, "materialize", "--select", f"+{PUBLISHED}") for _ in range(2)]
    for process in at_once:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        # Whoever came second may have found but one step left, with one check.
        assert re.search(r"\b(\d+) of \1 checks? passed\.|up to date", output), output
        assert not {word for word in ("Failed", "WARNING", "Traceback") if word in output}, output
    assert gamestats.answer(ROWS) == gamestats.answer(ROWS, "--on", "postgres") != []


@contextmanager
def waiting(gamestats: Gamestats, table: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on, and is about to write to a table of PostgreSQL that somebody else reads and holds."""
    holder = psycopg.connect(start_embedded(gamestats.stores.settings))
    holder.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(*table.split("."))))
    process = begun(gamestats, *arguments)
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    while holder.execute(waits, [table]).fetchone() == (0,):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    yield process
    holder.close()


def test_a_postgres_that_ends_mid_write_loses_nothing(gamestats: Gamestats) -> None:
    publish = ("materialize", "--select", PUBLISHED, "--everything")
    made = gamestats("materialize", "--select", f"+{PUBLISHED}")
    assert made.exit_code == 0, made.output
    settings = gamestats.stores.settings

    with connect(gamestats.stores.postgres_url) as conn:
        conn.execute("DELETE FROM rocket_league.published_partitions")
        conn.execute("DELETE FROM rocket_league.training_packs")
    with waiting(gamestats, TrainingPacks.spec.dotted, *publish) as process:
        os.kill(int((settings.state_folder / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        # As the next command does, or `gamestats up`.
        start_embedded(settings)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert gamestats.answer(ROWS, "--on", "postgres") == gamestats.answer(ROWS) != []

    with waiting(gamestats, "dagster.event_logs", *publish) as process:
        assert "PostgreSQL was stopped" in gamestats("down").output
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert output.splitlines()[-1].startswith("Error: The connection to PostgreSQL was lost: ")
    assert output.endswith("Nothing is left half done; give the same command again.\n")
    assert "Traceback" not in output
    assert len(output.splitlines()) < 6, output
    again = gamestats(*publish)
    assert again.exit_code == 0, again.output


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of four megabytes."""
    if os.geteuid():
        pytest.skip("only root can mount a disk")
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no room on a disk."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_is_reported_in_one_line_and_recovered_from(
    small_disk: Path, gamestats: Gamestats, tmp_path: Path
) -> None:
    (truth,) = simulate_day(tmp_path / "raw", date(2026, 3, 14), 1, 7, players=20)
    gamestats, state = Gamestats(small_disk), str(gamestats.folder)
    materialize = ("materialize", "--select", "+pubg.raw_matches")
    for command in (("ingest", "pubg", str(tmp_path / "raw")), materialize):
        filler = fill(small_disk)
        full = gamestats(*command, GAMESTATS_STATE=state)
        assert full.exit_code == 1
        assert "the disk is full. Make room, and give the same command again" in full.output
        assert len(full.output.splitlines()) < 8, full.output
        doctor = gamestats("doctor", GAMESTATS_STATE=state)
        assert f"0.0 GB free at {small_disk}; make room" in doctor.output
        filler.unlink()
        made = gamestats(*command, GAMESTATS_STATE=state)
        assert made.exit_code == 0, made.output
    rows = gamestats.answer("select match_id from pubg.raw_matches")
    assert rows == [{"match_id": truth.match_id}]
