"""How logs reach the landing zone: deliveries of raw files, ThinkingData records, and rates.

A delivery is what came of one log of one day: its files as they are, and a small document with their hashes, a number
and the column names. Of several deliveries of a log the last one counts, so a day that is delivered again replaces what
was delivered before; the files stay. Delivering the same again changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from gamestats_assets.l2m.logs import DELIVERY, FILE, THINKINGDATA, Delivery, in_force
from gamestats_assets.l2m.tables import LOGS, RATES
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing import Landing, UnreadableContentError, file_hash
from gamestats_assets.lakehouse.table import is_day

GAME = "l2m"
_ALSO_CALLED: Mapping[str, str] = {
    "item_gain": "increase_item",
    "item_spend": "decrease_item",
    "money_gain": "increase_money",
    "money_spend": "decrease_money",
    "rates": RATES,
}
_NAMES: Mapping[str, str] = {**{log: log for log in (*LOGS, RATES)}, **_ALSO_CALLED}
_ENDINGS: Mapping[str, str] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv.gz",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl.gz",
}
_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)", re.ASCII)
_RECORD = re.compile(rb'^\s*\{.*"#(?:event_name|type|time)"', re.DOTALL)
_BEGINNING_BYTES = 64 * 1024

Progress = Callable[[int, int], None]
Status = Literal["delivered", "known", "refused"]


class LogPathError(GamestatsError):
    """A path given for delivery is none, or its files tell no log or no day."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files of one log and day.

    Attributes:
        log: the log; `thinkingdata` for records of all of them; empty for a file that was refused.
        day: the day, as YYYY-MM-DD; empty for a file that was refused.
        files: files of it.
        number: number of the delivery that counts now.
        reason: why a file was refused.
    """

    status: Status
    log: str
    day: str
    files: int = 1
    number: int = 0
    reason: str = ""

    def line(self) -> str:
        """The outcome in one line of text."""
        if self.status == "refused":
            return f"{self.status:<10}{self.reason}"
        named = f"delivery {self.number}, " if self.number else ""
        return f"{self.status:<10}{self.log} of {self.day}: {named}{self.files} file{'s' * (self.files != 1)}"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of everything; `days` are those that gained something."""

    outcomes: tuple[Outcome, ...] = field(default=())

    @property
    def days(self) -> list[str]:
        """Days that gained files, in order."""
        return sorted({outcome.day for outcome in self.outcomes if outcome.status == "delivered"})

    def count(self, status: Status) -> int:
        """Deliveries (or files refused) with a status."""
        return sum(outcome.status == status for outcome in self.outcomes)


def deliver(
    paths: Sequence[Path],
    landing: Landing,
    *,
    day: date | None = None,
    log: str | None = None,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    add: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Land files, each log of each day as one delivery.

    Which log a file is of its name tells, or that of its folder (`login-000.parquet`, `login/part-0.csv`), and the
    day the name of a folder; ThinkingData records are known by their first line, and each belongs to the day of its
    own time.

    Args:
        paths: files, or folders to walk.
        day: day of all the files.
        log: log of all the files.
        columns: per log, our column's name to that of the files (see `columns.read_mapping`).
        add: the files come to those that were delivered before, rather than in their place.
        progress: called with the number of files done and that of all.

    Raises:
        LogPathError: when a path does not exist, or a file tells no log or no day; nothing has landed then.
    """
    found = [path for given in paths for path in _files(given)]
    outcomes: list[Outcome] = []
    groups: dict[tuple[str, str], list[Path]] = {}
    records: list[Path] = []
    for path in found:
        if log is None and _holds_records(path):
            records.append(path)
            continue
        groups.setdefault((_log_of(path, log), _day_of(path, day).isoformat()), []).append(path)
    done = 0

    def tell(files: int) -> None:
        nonlocal done
        done += files
        if progress is not None:
            progress(done, len(found))

    for (of, on), files in sorted(groups.items()):
        outcomes += _deliver(landing, of, date.fromisoformat(on), sorted(files), (columns or {}).get(of, {}), add=add)
        tell(len(files))
    for path in records:
        outcomes += _land_records(landing, path)
        tell(1)
    return Report(tuple(outcomes))


def _deliver(
    landing: Landing, log: str, day: date, files: Sequence[Path], columns: Mapping[str, str], *, add: bool
) -> list[Outcome]:
    on, refused, hashes = day.isoformat(), [], []
    readable: list[Path] = []
    for path in files:
        try:
            hashes.append(file_hash(path))
            readable.append(path)
        except UnreadableContentError as error:
            refused.append(Outcome("refused", "", "", reason=str(error)))
    if not readable:
        return refused
    before = in_force(landing, landing.files(GAME, on))[0].get(log)
    hashes = [*dict.fromkeys([*(before.files if add and before else ()), *hashes])]
    delivery = Delivery(log, on, (before.number if before else 0) + 1, tuple(hashes), dict(columns))
    if before is not None and (before.files, dict(before.columns)) == (delivery.files, dict(delivery.columns)):
        return [*refused, Outcome("known", log, on, len(hashes), before.number)]
    for path in readable:
        landing.put_file(GAME, day, on, FILE, path, _suffix_of(path) or "bin")
    # Last: a delivery counts when all of it is there.
    document = delivery.to_json()
    landing.put(GAME, day, on, DELIVERY, document, document)
    return [*refused, Outcome("delivered", log, on, len(hashes), delivery.number)]


def _land_records(landing: Landing, path: Path) -> list[Outcome]:
    from gamestats_assets.l2m.thinkingdata import split_days

    outcomes: list[Outcome] = []
    for day, content in sorted(split_days(path).items()):
        _, is_new = landing.put(GAME, day, day.isoformat(), THINKINGDATA, content, content)
        outcomes.append(Outcome("delivered" if is_new else "known", THINKINGDATA, day.isoformat()))
    return outcomes


# --------------------------------------------------------------------------- what a file is


def _files(given: Path) -> list[Path]:
    if not given.exists():
        raise LogPathError(f"{given} does not exist.")
    if given.is_file():
        if _suffix_of(given) is None and not _holds_records(given):
            raise LogPathError(f"{given}: expected a file that ends in {', '.join(_ENDINGS)}, or ThinkingData records.")
        return [given]
    found = sorted(path for path in given.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
    taken = [path for path in found if _suffix_of(path) is not None or _holds_records(path)]
    if not taken:
        raise LogPathError(f"{given} holds no file that ends in {', '.join(_ENDINGS)}, and no ThinkingData records.")
    return taken


def _suffix_of(path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for ending, suffix in _ENDINGS.items() if name.endswith(ending)), None)


def _holds_records(path: Path) -> bool:
    if path.name.lower().endswith((".parquet", ".csv", ".csv.gz")):
        return False
    with open(path, "rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    if beginning.startswith(b"\x1f\x8b"):
        from isal import igzip

        try:
            with igzip.open(path) as file:
                beginning = bytes(file.read(_BEGINNING_BYTES))  # type: ignore[arg-type]  (as the file is opened)
        except (OSError, EOFError):
            return False
    return bool(_RECORD.match(beginning.split(b"\n", 1)[0]))


def _log_of(path: Path, log: str | None) -> str:
    if log is not None:
        return _NAMES[log]
    for part in reversed(path.parts):
        words = re.sub(r"[^a-z]+", "_", part.lower())
        if named := [name for name in _NAMES if re.search(rf"(?:^|_){name}(?:_|$)", words)]:
            return _NAMES[max(named, key=len)]
    raise LogPathError(
        f"{path}: neither its name nor its folder tells which log it is. Name it, such as login-000{path.suffix}, or "
        f"give --log. Logs: {', '.join(_NAMES)}."
    )


def _day_of(path: Path, day: date | None) -> date:
    if day is not None:
        return day
    for part in reversed(path.parts):
        for match in _DAY.finditer(part):
            if is_day(text := "-".join(match.groups())):
                return date.fromisoformat(text)
    raise LogPathError(f"{path}: neither its name nor a folder tells the day (YYYY-MM-DD). Give --day.")
