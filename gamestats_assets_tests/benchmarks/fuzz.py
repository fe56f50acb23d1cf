"""Damages documents of every game by chance, and has every reader take them: none may end with an error, or uncounted.

    python -m gamestats_assets_tests.benchmarks.fuzz --documents 10000 --reader "pubg telemetry"

Prints one JSON object: for each reader what became of its documents, and how long that took. Of a failure it keeps the
smallest batch that shows it, one document mostly, under `--keep`, with the error beside it, and goes on.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from gamestats_assets_tests.support.fuzzing import READERS, Reader

_BATCH = 200


def benchmark(names: Sequence[str], documents: int, seed: int, keep: Path | None = None) -> dict[str, Any]:
    """What became of so many documents of each reader."""
    return {name: _run(name, READERS[name], documents, seed, keep) for name in names}


def _run(name: str, reader: Reader, documents: int, seed: int, keep: Path | None) -> dict[str, Any]:
    begun = time.perf_counter()
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    done = 0
    while done < documents and reader.documents():
        contents = reader.damaged(Random(f"{seed} {name} {done}"), min(_BATCH, documents - done))
        for part, error in _failing(reader, contents, outcomes):
            told = "".join(traceback.format_exception(error))
            at = traceback.extract_tb(error.__traceback__)[-1]
            failures[f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}: {str(error)[:200]}"] += 1
            if keep is not None:
                folder = keep / f"{name.replace(' ', '_')}-{done}-{sum(failures.values())}"
                folder.mkdir(parents=True, exist_ok=True)
                for place, content in enumerate(part):
                    (folder / f"{place}{reader.ending}").write_bytes(content)
                (folder / "error.txt").write_text(told, errors="replace")
        done += len(contents)
    return {
        "documents": done,
        **outcomes,
        "failures": dict(failures.most_common()),
        "seconds": round(time.perf_counter() - begun, 1),
    }


def _failing(
    reader: Reader, contents: Sequence[bytes], outcomes: Counter[str]
) -> list[tuple[Sequence[bytes], BaseException]]:
    """The parts of a batch that fail, each as small as it can be halved to."""
    try:
        outcomes += reader.taken(contents)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (a panic of a library is no Exception)
        half = len(contents) // 2
        halves = [part for part in (contents[:half], contents[half:]) if part] if half else []
        found = [failure for part in halves for failure in _failing(reader, part, outcomes)]
        return found or [(contents, error)]
    return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=1_000, help="for each reader")
    parser.add_argument("--reader", action="append", choices=list(READERS), help="all without it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for documents that fail")
    given = parser.parse_args()
    told = benchmark(given.reader or list(READERS), given.documents, given.seed, given.keep)
    print(json.dumps(told, indent=1, ensure_ascii=False))
