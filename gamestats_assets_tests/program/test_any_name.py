"""Commands work whatever the data folder, the folders that files come from and the files themselves are called.

`gamestats up` runs over a folder of that name in `test_up`.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.postgres.embedded import stop_embedded
from gamestats_assets.pubg import tables as pubg
from gamestats_assets.simulators.pubg.matches import simulate_day
from gamestats_assets_tests.cli.runner import Gamestats

NAME = "a 'b\" #c 100% josé & 日本;$HOME`x` a=b, [1]*\n"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the PostgreSQL of root's can reach, gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix="gamestats-name-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_files_of_any_name_reach_the_tables_of_a_data_folder_of_any_name(folder: Path) -> None:
    gamestats = Gamestats(folder / NAME)
    inbox = folder / os.fsdecode(f"in {NAME}".encode() + b"\xff")
    unreadable = inbox / os.fsdecode(b"\xff\x1b[2J\n.json")
    (truth,) = simulate_day(inbox, date(2026, 3, 14), 1, 7, players=30)
    unreadable.write_text("no JSON")
    (inbox / "link.json").symlink_to("/etc/hostname")

    try:
        _ingest_and_materialise(gamestats, inbox)
        # What follows from a table is made with it.
        _mend_a_damaged_log(gamestats)
        rows = "select match_id, count(*) as players from pubg.match_summaries group by 1"
        expected = [{"match_id": truth.match_id, "players": 30}]
        assert gamestats.answer(rows) == gamestats.answer(rows, "--on", "postgres") == expected

        out = folder / f"{NAME}.csv"
        assert gamestats("query", "select '=1+1' as formula", "--output", str(out)).exit_code == 0
        assert out.read_text() == "formula\n'=1+1\n"

        assert {path.name for path in folder.iterdir()} - {NAME, inbox.name, out.name} == {
            Path(gamestats.stores.lake.root).name
        }
    finally:
        stop_embedded(gamestats.stores.settings)
        gamestats.stores.settings.state_folder.unlink()


def _ingest_and_materialise(gamestats: Gamestats, inbox: Path) -> None:
    output = gamestats("ingest", "pubg", str(inbox))
    assert "4 files: 2 taken, 0 known, 1 quarantined, 1 refused." in output.output
    assert "\x1b" not in output.output
    assert output.exit_code == 0
    made = gamestats("materialize", "--select", f"+{pubg.RawMatches.spec.dotted}")
    assert made.exit_code == 0, made.output
    (entry,) = gamestats.answer("select reason from pubg.quarantine where scope = 'file'")
    assert str(entry["reason"]).startswith("\ufffd␛[2J␊.json (7 bytes, ")


def _mend_a_damaged_log(gamestats: Gamestats) -> None:
    name = pubg.RawMatches.spec.dotted
    log = Path(gamestats.stores.lake.uri(pubg.RawMatches), "_delta_log")
    os.truncate(max(log.glob("*.json")), 150)
    for command in (("query", f"from {name}"), ("tables",), ("doctor",), ("materialize", "--select", name)):
        found = gamestats(*command)
        assert found.exit_code == 1
        (line,) = [line for line in found.output.splitlines() if "damaged" in line]
        assert re.search(rf"The log of {name} is damaged: .* Make the table again: gamestats rebuild {name}", line)
    mended = gamestats("rebuild", name)
    assert mended.exit_code == 0, mended.output
    assert gamestats("doctor").exit_code == 0
