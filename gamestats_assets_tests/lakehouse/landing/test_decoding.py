"""Decoding landed files in processes: batches in order, nothing left behind, and workers that die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from gamestats_assets.lakehouse.files.unpacking import ReadLimits
from gamestats_assets.lakehouse.landing.decoding import DecodedUnits, Decoder, DecodeWorkerError, Unit, decode_batches
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lakehouse.worker import TaskLimits
from gamestats_assets_tests.lakehouse.declared import MARCH_1, Clubs
from gamestats_assets_tests.lakehouse.processes import die

_POISON = b"poison"


def _decode(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    """A club for each file, of the city that stands in it."""
    decoded = DecodedUnits()
    for unit in units:
        content = landing.read(unit.files[0])
        if content == _POISON:
            die()
        decoded.add_frames({Clubs: pl.DataFrame([[unit.unit_id], [content.decode()]], schema=Clubs.schema())})
    return decoded


DECODER = Decoder("demo", (Clubs,), ("city",), _decode)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that frames are spooled in."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _clubs(landing: Landing, number: int) -> list[LandedFile]:
    return [_land(landing, f"club{club}", b"Leeds") for club in range(number)]


def _land(landing: Landing, club: str, city: bytes) -> LandedFile:
    return landing.put("demo", MARCH_1, club, "city", city, city)[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_are_given_in_order_and_the_spool_of_each_is_removed(
    landing: Landing, spool: Path, workers: int
) -> None:
    files = _clubs(landing, 7)
    batches = [files[:3], files[3:6], [], files[6:]]
    given: list[set[str]] = []
    for batch in decode_batches(DECODER, landing, batches, workers=workers, part=2):
        given.append(set(batch.frames[Clubs].collect().get_column("club")))
    assert given == [{file.unit_id for file in batch} for batch in batches]
    assert list(spool.iterdir()) == []


def test_a_generator_that_is_closed_early_leaves_no_spool_and_no_process(landing: Landing, spool: Path) -> None:
    # What reads replays is kept for the next ones.
    others = {process.pid for process in multiprocessing.active_children()}
    results = decode_batches(DECODER, landing, [[file] for file in _clubs(landing, 6)], workers=2, part=1)
    assert list(next(results).frames[Clubs].collect().get_column("club")) == ["club0"]
    assert list(spool.rglob("*.arrow"))
    results.close()
    assert list(spool.iterdir()) == []
    assert {process.pid for process in multiprocessing.active_children()} <= others


def test_a_dead_worker_fails_the_call_and_names_the_files_it_may_have_had(landing: Landing, spool: Path) -> None:
    files = _clubs(landing, 8)
    files.insert(5, _land(landing, "deadly", _POISON))
    results = decode_batches(DECODER, landing, [files[:2], files[2:7], files[7:]], workers=2, part=1)
    with pytest.raises(DecodeWorkerError, match="that decodes files of demo died") as failure:
        list(results)
    assert files[5].path in str(failure.value)
    assert len([file for file in files if file.path in str(failure.value)]) <= 2
    assert list(spool.iterdir()) == []


def _take_memory() -> None:
    taken = [bytearray(1 << 26) for _ in range(8)]
    time.sleep(60)
    assert taken


def _take_time() -> None:
    while True:
        # Like a library that is not Python and hears of no signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        time.sleep(0.01)


_HOSTILE = {b"memory": _take_memory, b"time": _take_time, b"abort": os.abort, _POISON: die}


def _decode_hostile(landing: Landing, units: Sequence[Unit]) -> DecodedUnits:
    for unit in units:
        _HOSTILE.get(landing.read(unit.files[0]), lambda: None)()
    return _decode(landing, units)


GUARDED = Decoder("demo", (Clubs,), ("city",), _decode_hostile, is_guarded=True)


def test_files_that_crash_their_process_are_set_aside_alone(tmp_path: Path, spool: Path) -> None:
    landing = Landing(tmp_path / "landing", limits=ReadLimits(decoding=TaskLimits(megabytes=200, seconds=1)))
    said = {"memory": "needed more than 200 MB", "time": "took longer than 1 s", "abort": "or broke down"}
    hostile = {kind: _land(landing, kind, kind.encode()) for kind in said}
    files = _clubs(landing, 3)
    batches = decode_batches(GUARDED, landing, [[files[0], *hostile.values(), files[1]], files[2:]], workers=1)
    first = next(batches)
    assert [*first.frames[Clubs].collect().get_column("club")] == ["club0", "club1"]
    [second] = batches
    reasons = {rejection.unit_id: rejection.reason for rejection in first.rejections[Clubs]}
    assert reasons.keys() == hostile.keys()
    for kind, reason in reasons.items():
        assert said[kind] in reason
        assert hostile[kind].path in reason
    assert (first.unreadable, second.unreadable) == (3, 0)
    assert second.rejections == {}


def test_a_process_killed_from_outside_does_not_blame_its_file(landing: Landing, spool: Path) -> None:
    with pytest.raises(DecodeWorkerError, match="lower GAMESTATS_WORKERS"):
        list(decode_batches(GUARDED, landing, [[_land(landing, "innocent", _POISON)]], workers=1))


_ORPHANS = """
import multiprocessing, os, signal, sys
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.lakehouse.landing.decoding import decode_batches
from gamestats_assets_tests.lakehouse.landing.test_decoding import DECODER

landing = Landing(sys.argv[1])
for _ in decode_batches(DECODER, landing, [[file] for file in landing.files("demo", "2026-03-01")], workers=2):
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# The script does not ask whether it is the program that was started: workers must not run it again.
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="process states are read from /proc")
def test_workers_die_with_their_parent_and_the_next_run_cleans_up(
    landing: Landing, spool: Path, tmp_path: Path
) -> None:
    _clubs(landing, 6)
    script = tmp_path / "orphans.py"
    script.write_text(_ORPHANS)
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        [sys.executable, str(script), landing.root],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": root, "TMPDIR": str(spool)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(_is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_is_running, pids))
    # What the killed run has spooled is removed by the next one, and what a run still uses is not.
    (left,) = spool.glob("gamestats-spool-*")
    files = landing.files("demo", "2026-03-01")
    running = decode_batches(DECODER, landing, [[file] for file in files], workers=1)
    next(running)
    assert not left.exists()
    (used,) = spool.glob("gamestats-spool-*")
    assert len(list(decode_batches(DECODER, landing, [files], workers=1))) == 1
    assert list(used.rglob("*.arrow"))
    running.close()
    assert not used.exists()
