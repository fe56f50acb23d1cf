"""Sends log files to a ThinkingData receiver over HTTP, as its server SDKs do: batch by batch, in order.

A state file records how far each file has got. It is written after every batch that the receiver acknowledges, so that
a later upload continues after an interruption, or with lines that were added. Only the batch in transit may arrive
twice, and the receiver drops records with a known `#uuid`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack
from urllib.parse import urlsplit, urlunsplit

import msgspec
from pydantic import SecretStr

from gamestats_assets.apis.http import (
    ApiError,
    Fetcher,
    FetcherOptions,
    UnavailableError,
    UnexpectedAnswerError,
    read_body,
    retry_after_s,
)
from gamestats_assets.demo_data.logs.log_files import DAMAGE, UnreadableLogError, open_log
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.files.documents import UNREADABLE
from gamestats_assets.lakehouse.files.local import write_whole

PATH = "/sync_server"
"""Path at which receivers accept records from servers."""

LONGEST_WAIT_S = 300.0
"""Longest pause that is granted to a receiver that asks for one."""

Progress = Callable[[int, int], None]
"""Called after each batch with the bytes read and all bytes, both as on disk."""

_STATE_VERSION = 1
_WORDS = 300
_EXAMPLES = 5


class UploadError(GamestatsError):
    """An upload cannot begin or continue; acknowledged lines stay so, and the next upload continues after them."""


@dataclass(slots=True)
class UploadReport:
    """The result of an upload, or of a dry run.

    Attributes:
        dry_run: whether nothing was sent.
        files: files with lines to send.
        lines: lines sent and acknowledged.
        batches: acknowledged requests.
        bytes: bytes of the lines, without their ends.
        sent_bytes: bytes of the requests' bodies, compressed if they are.
        attempts: all requests, including repeated ones.
        known_lines: lines that earlier uploads sent or skipped.
        unreadable_lines: skipped lines that are not JSON objects, which no receiver accepts.
        unreadable: the first of them, as file:line.
    """

    dry_run: bool
    files: int = 0
    lines: int = 0
    batches: int = 0
    bytes: int = 0
    sent_bytes: int = 0
    attempts: int = 0
    known_lines: int = 0
    unreadable_lines: int = 0
    unreadable: tuple[str, ...] = ()

    def lines_of_text(self) -> Iterator[str]:
        """Yields the report for people."""
        yield (
            f"{'Would send' if self.dry_run else 'Sent'} {self.lines:,} lines of {self.files:,} files in "
            f"{self.batches:,} batches: {self.bytes:,} bytes, {self.sent_bytes:,} on the way"
        )
        if self.known_lines:
            yield f"{self.known_lines:,} lines had been sent before"
        if self.attempts > self.batches:
            yield f"{self.attempts - self.batches:,} requests had to be repeated"
        if self.unreadable_lines:
            places = ", ".join(self.unreadable)
            yield f"{self.unreadable_lines:,} lines are not JSON objects and were skipped:  {places}"


def upload(
    paths: Sequence[Path],
    *,
    receiver: str,
    app_id: SecretStr | str,
    state: Path,
    batch_records: int = 1000,
    batch_bytes: int = 1024 * 1024,
    compress: bool = True,
    dry_run: bool = False,
    progress: Progress | None = None,
    **options: Unpack[FetcherOptions],
) -> UploadReport:
    """Sends the lines of log files, in order, from where the last upload with the same state stopped.

    Args:
        paths: plain or gzip files of one JSON object per line.
        receiver: address of the receiver, with or without `/sync_server`.
        app_id: app id of the project.
        state: file that records how far each file has got; created if missing.
        batch_records: most lines of a request; the server SDKs send 1,000 at most.
        batch_bytes: most bytes of a request before compression; a longer line is sent alone.
        compress: send gzip.
        dry_run: send nothing and leave the state unchanged, but read and count everything.
        options: settings of requests, and of retries if the receiver is out of reach, fails (5xx) or is busy (429).

    Raises:
        UploadError: when the arguments or the state are invalid, another upload uses the state, a file no longer begins
            with the lines that were sent, or the receiver is out of reach or refuses a batch; then it names file, lines
            and the receiver's words.
        UnreadableLogError: when a file cannot be opened, or its compressed bytes are damaged.
    """
    secret = _usable(app_id)
    url = _address(receiver)
    if min(batch_records, batch_bytes) < 1:
        raise UploadError("Expected batch_records and batch_bytes to be 1 or more.")
    files = list(dict.fromkeys(path.resolve() for path in paths))
    with ExitStack() as stack:
        fetcher = None
        if not dry_run:
            stack.enter_context(_alone(state))
            patient: FetcherOptions = {"timeout": 60.0, "attempts": 6, **options}
            fetcher = stack.enter_context(Fetcher(patience=LONGEST_WAIT_S, **patient))
        report = UploadReport(dry_run)
        sender = _Sender(fetcher, url, secret, compress, report)
        _Upload(_State(state, url, secret), batch_records, batch_bytes, report).run(files, sender, progress)
        return report


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Locks the state: two uploads with one state would lose each other's progress."""
    from filelock import FileLock, Timeout

    lock = FileLock(state.with_name(f"{state.name}.lock"), timeout=0)
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UploadError(f"Another upload uses {state}. Wait for its end, or give this one another state.") from None
    except OSError as error:
        raise UploadError(f"The state {state} cannot be written: {error.strerror}. Give another one.") from None
    try:
        yield
    finally:
        lock.release()


def _usable(app_id: SecretStr | str) -> SecretStr:
    text = (app_id.get_secret_value() if isinstance(app_id, SecretStr) else app_id).strip()
    # Checked here, because the HTTP library would print the refused header.
    if not text or not text.isascii() or not text.isprintable():
        raise UploadError("Expected an app id of plain letters and digits; copy it again from the project's settings.")
    return SecretStr(text)


def _masked(secret: SecretStr) -> str:
    text = secret.get_secret_value()
    return f"****{text[-4:]}" if len(text) > 8 else "****"


def _address(receiver: str) -> str:
    parts = urlsplit(receiver.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        shown = receiver.rpartition("@")[2]
        raise UploadError(f"Expected the receiver's address as http://host or https://host, found {shown!r}.")
    path = parts.path.rstrip("/").removesuffix(PATH)
    return urlunsplit((parts.scheme, parts.netloc, f"{path}{PATH}", "", ""))


# --------------------------------------------------------------------------- state


class _FileState(msgspec.Struct, frozen=True):
    """How far a file has got: digest, bytes and lines of what was read."""

    digest: str
    offset: int
    lines: int


class _Content(msgspec.Struct, frozen=True):
    """The contents of a state file; `target` separates receivers and projects without naming the app id."""

    version: int
    target: str
    files: dict[str, _FileState]


class _State:
    """How far each file has got, by its path."""

    def __init__(self, path: Path, url: str, secret: SecretStr) -> None:
        self.path = path
        self.files: dict[str, _FileState] = {}
        digest = hashlib.sha256(f"{url} {secret.get_secret_value()}".encode()).hexdigest()[:16]
        self._target = f"{url} {_masked(secret)} {digest}"
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Content)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            raise UploadError(f"{path} cannot be read as the state of an upload: {error}. Give another one.") from None
        if (found.version, found.target) != (_STATE_VERSION, self._target):
            raise UploadError(
                f"{path} is the state of an upload to {found.target.rpartition(' ')[0]}, not to {url} "
                f"{_masked(secret)}. Give another one for another receiver or project."
            )
        self.files = dict(found.files)

    def keep(self, file: str, reached: _FileState) -> None:
        """Writes the state as a whole or not at all."""
        self.files[file] = reached
        content = msgspec.json.encode(_Content(_STATE_VERSION, self._target, self.files))
        try:
            write_whole(self.path, msgspec.json.format(content))
        except OSError as error:
            raise UploadError(
                f"The state {self.path} cannot be written: {error.strerror}. The first {reached.lines:,} lines of "
                f"{file} were sent; the last batch of them will be sent again."
            ) from None


# --------------------------------------------------------------------------- batches


@dataclass(frozen=True, slots=True)
class _Batch:
    """Lines of one file, with their end in it, and the bytes read from disk up to there."""

    file: Path
    first_line: int
    last_line: int
    records: list[bytes]
    reached: _FileState
    read_bytes: int

    def __str__(self) -> str:
        return f"lines {self.first_line} to {self.last_line} of {self.file}"


@dataclass(frozen=True, slots=True)
class _Upload:
    state: _State
    batch_records: int
    batch_bytes: int
    report: UploadReport

    def run(self, files: Sequence[Path], sender: _Sender, progress: Progress | None) -> None:
        report, sizes, done = self.report, [_size(path) for path in files], 0
        for path, size in zip(files, sizes, strict=True):
            batches_before = report.batches
            for batch in self._batches(path):
                if batch.records:
                    report.sent_bytes += sender.send(batch)
                    report.batches += 1
                    report.lines += len(batch.records)
                    report.bytes += sum(map(len, batch.records))
                if not report.dry_run:
                    self.state.keep(str(path), batch.reached)
                if progress is not None:
                    progress(done + min(batch.read_bytes, size), sum(sizes))
            report.files += report.batches > batches_before
            done += size
            if progress is not None:
                progress(done, sum(sizes))

    def _changed(self, path: Path, known: _FileState, how: str) -> UploadError:
        return UploadError(
            f"{path} changed after {known.lines:,} lines of it were sent: {how}. "
            f"Put the file back as it was, or give another state than {self.state.path} to send it from its beginning."
        )

    def _batches(self, path: Path) -> Iterator[_Batch]:
        with open_log(path) as file:
            try:
                digest, known = self._resumed(path, file)
                yield from self._cut(path, file, digest, known)
            except DAMAGE as error:
                raise UnreadableLogError(
                    f"{path} is damaged: {error}. Earlier lines were sent in full batches only."
                ) from None

    def _resumed(self, path: Path, file: Any) -> tuple[Any, _FileState | None]:
        """Reads what was sent before, which must be unchanged, and stops behind it."""
        digest = hashlib.sha256()
        known = self.state.files.get(str(path))
        if known is None:
            return digest, None
        left, piece = known.offset, b""
        while left and (piece := file.read(min(left, 1 << 20))):
            digest.update(piece)
            left -= len(piece)
        if left or digest.hexdigest() != known.digest:
            raise self._changed(path, known, "it begins with something else")
        if not piece.endswith(b"\n"):
            end = file.readline()
            if end.strip():
                raise self._changed(path, known, "the last of them goes on")
            digest.update(end)
            known = msgspec.structs.replace(known, offset=known.offset + len(end))
        self.report.known_lines += known.lines
        return digest, known

    def _cut(self, path: Path, file: Any, digest: Any, known: _FileState | None) -> Iterator[_Batch]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        number = known.lines if known else 0
        offset = known.offset if known else 0
        first, records, weight = number + 1, [], 2

        def batch() -> _Batch:
            reached = _FileState(digest.hexdigest(), offset, number)
            return _Batch(path, first, number, records, reached, os.lseek(file.fileno(), 0, os.SEEK_CUR))

        for raw in file:
            record = raw.strip()
            if records and (len(records) >= self.batch_records or weight + len(record) > self.batch_bytes):
                yield batch()
                first, records, weight = number + 1, [], 2
            try:
                decode(record)
            except UNREADABLE:
                self._pass_over(path, number + 1)
                if not raw.endswith(b"\n"):
                    # The last line may be incomplete still: the next upload reads it again.
                    break
            else:
                records.append(record)
                weight += len(record) + 1
            number += 1
            offset += len(raw)
            digest.update(raw)
        if number >= first:
            yield batch()

    def _pass_over(self, path: Path, number: int) -> None:
        self.report.unreadable_lines += 1
        self.report.unreadable = (*self.report.unreadable, f"{path}:{number}")[:_EXAMPLES]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UnreadableLogError(f"Expected a log file at {path}: {error.strerror}.") from None


# --------------------------------------------------------------------------- requests


class _Answer(msgspec.Struct):
    code: int


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends batches until they are acknowledged; without a fetcher it only measures them."""

    fetcher: Fetcher | None
    url: str
    secret: SecretStr
    compress: bool
    report: UploadReport

    def send(self, batch: _Batch) -> int:
        """Returns the bytes of the body, once it is acknowledged."""
        body = b"[" + b",".join(batch.records) + b"]"
        if self.compress:
            body = gzip.compress(body, compresslevel=6, mtime=0)
        if self.fetcher is None:
            return len(body)
        answer: tuple[int, Mapping[str, str]] = 0, {}

        def keep(status: int, headers: Mapping[str, str]) -> None:
            nonlocal answer
            answer = status, headers

        try:
            self.fetcher.fetch(
                self.url,
                str(batch),
                judge=keep,  # the body has more detail than the status
                check=lambda payload: self._judge(*answer, payload),
                acquire=self._count,
                secret_headers=self._headers(len(batch.records)),
                content=body,
            )
        except ApiError as error:
            again = ": start the upload again to continue" if error.is_passing else "; nothing after it was sent"
            raise UploadError(
                f"{batch} could not be sent for app id {_masked(self.secret)}. {self._clean(str(error))} "
                f"What was sent before is kept{again}."
            ) from None
        return len(body)

    def _count(self) -> None:
        self.report.attempts += 1

    def _headers(self, records: int) -> dict[str, str]:
        return {
            "appid": self.secret.get_secret_value(),
            "compress": "gzip" if self.compress else "none",
            "TA-Integration-Type": "gamestats",
            "TA-Integration-Version": "1",
            "TA-Integration-Count": str(records),
            "Content-Type": "application/json; charset=utf-8",
        }

    def _judge(self, status: int, headers: Mapping[str, str], payload: bytes) -> None:
        content = read_body(payload, "the batch", bytes)
        words = self._clean(content[: 4 * _WORDS].decode(errors="replace").strip()[:_WORDS]) or "no word"
        answer = f"{self.url} answered {status}: {words}."
        if status in (408, 429) or status >= 500:
            raise UnavailableError(answer, retry_after=retry_after_s(headers, time.time()))
        code = _code(content) if status == 200 else None
        if code != 0:
            expected = "status 200" if status != 200 else "code 0" if code is not None else "JSON with a code"
            raise UnexpectedAnswerError(f"Expected {expected}, but {answer}")

    def _clean(self, text: str) -> str:
        return text.replace(self.secret.get_secret_value(), _masked(self.secret))


def _code(content: bytes) -> int | None:
    """Returns the code in the receiver's answer; None if there is none, as in a proxy's page."""
    try:
        return msgspec.json.decode(content, type=_Answer).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
