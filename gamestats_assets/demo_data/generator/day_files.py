"""The files of one day: lines as they come, compressed and divided as the run wants them.

Every file is written under a temporary name beside its place, flushed, and then renamed.
"""

from __future__ import annotations

import hashlib
import os
from datetime import date
from pathlib import Path
from typing import IO, Any, Self

import polars as pl

from gamestats_assets.demo_data.configuration import Configuration
from gamestats_assets.demo_data.generator.generate import WrittenFile

_MEGABYTE = 1_000_000
_GZIP_LEVEL = 2
_PIECE = 1 << 20
"""Bytes written at once: Linux takes many small pieces several times faster than one of many megabytes."""


class DayFiles:
    """Writes one day's lines; use it as a context manager, and `finish` it.

    Args:
        folder: where the files go, as `logs_20260101.jsonl`, or `logs_20260101.000.jsonl` and on when divided.
    """

    def __init__(self, folder: Path, day: date, configuration: Configuration) -> None:
        self._folder, self._day, self._configuration = folder, day, configuration
        self._open: _File | None = None
        self._parquet: _Parquet | None = None
        self._done: list[tuple[Path, _File]] = []

    def __enter__(self) -> Self:
        if self._configuration.parquet:
            self._parquet = _Parquet(self._temporary(self._name(None, "parquet")))
        return self

    def __exit__(self, *exception: object) -> None:
        for file in (self._open, self._parquet, *(file for _, file in self._done)):
            if file is not None:
                file.discard()

    def write(self, window: pl.DataFrame) -> None:
        """Append lines, each with its line end."""
        if self._parquet is not None:
            self._parquet.write(window["line"])
        limit = self._configuration.file_megabytes
        lines = window["line"]
        while lines.len():
            if self._open is None:
                self._open = self._new_file()
            fitting = lines.len()
            if limit is not None:
                room = limit * _MEGABYTE - self._open.content_bytes
                fitting = int((lines.str.len_bytes().cast(pl.Int64).cum_sum() <= room).sum())
                if fitting == 0 and self._open.records == 0:
                    fitting = 1
            self._open.write(lines.head(fitting))
            lines = lines.slice(fitting)
            if lines.len():
                self._close()

    def finish(self) -> list[WrittenFile]:
        """Give every file its name; they are whole now."""
        self._close()
        if self._parquet is not None:
            parquet, self._parquet = self._parquet, None
            parquet.close()
            self._done.append((self._folder / self._name(None, "parquet"), parquet))
        written: list[WrittenFile] = []
        while self._done:
            path, file = self._done.pop(0)
            file.path.replace(path)
            size = path.stat().st_size
            written.append(WrittenFile(path.name, self._day.isoformat(), file.records, size, file.digest()))
        return written

    def _new_file(self) -> _File:
        number = len(self._done) if self._configuration.file_megabytes is not None else None
        ending = "jsonl.gz" if self._configuration.gzip else "jsonl"
        return _File(self._temporary(self._name(number, ending)), gzip=self._configuration.gzip)

    def _close(self) -> None:
        if self._open is not None:
            file, self._open = self._open, None
            file.close()
            self._done.append((self._folder / file.path.name.removeprefix(".").removesuffix(".tmp"), file))

    def _name(self, number: int | None, ending: str) -> str:
        part = "" if number is None else f".{number:03d}"
        return f"logs_{self._day:%Y%m%d}{part}.{ending}"

    def _temporary(self, name: str) -> Path:
        return self._folder / f".{name}.tmp"


class _File:
    """A file of lines under its temporary name."""

    def __init__(self, path: Path, *, gzip: bool) -> None:
        from isal import igzip

        self.path = path
        self.records = 0
        self.content_bytes = 0
        self._raw: IO[bytes] = open(path, "wb")  # noqa: SIM115 (closed by `close` or `discard`)
        # Without a name and a time, so that the same lines give the same bytes.
        self._file: Any = (
            igzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=self._raw, mtime=0)
            if gzip
            else self._raw
        )

    def write(self, lines: pl.Series) -> None:
        """Append lines."""
        if not lines.len():
            return
        texts = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
        offsets = texts.buffers()[1]
        first, last = (
            int.from_bytes(offsets[place * 8 : place * 8 + 8], "little", signed=True)
            for place in (texts.offset, texts.offset + len(texts))
        )
        content = memoryview(texts.buffers()[2])[first:last]
        for start in range(0, len(content), _PIECE):
            self._file.write(content[start : start + _PIECE])
        self.records += lines.len()
        self.content_bytes += last - first

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._file is not self._raw:
            self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._raw.close()
        self.path.unlink(missing_ok=True)

    def digest(self) -> str:
        """SHA-256 of the file under its final name, or of the temporary one."""
        path = (
            self.path
            if self.path.exists()
            else self.path.with_name(self.path.name.removeprefix(".").removesuffix(".tmp"))
        )
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Parquet(_File):
    """The same records as Parquet: the root keys as columns, `properties` as JSON text."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.records = 0
        self.content_bytes = 0
        self._schema = pa.schema([(name, pa.string()) for name in _PARQUET_COLUMNS])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, lines: pl.Series) -> None:
        """Append records; a line that is no JSON is left out here."""
        import msgspec
        import pyarrow as pa

        decoder = msgspec.json.Decoder(_Record)
        columns: dict[str, list[str | None]] = {name: [] for name in _PARQUET_COLUMNS}
        for line in lines:
            try:
                record = decoder.decode(line)
            except msgspec.DecodeError:
                continue
            for name, value in zip(_PARQUET_COLUMNS, msgspec.structs.astuple(record), strict=True):
                columns[name].append(bytes(value).decode() if isinstance(value, msgspec.Raw) else value)
        self._writer.write_table(pa.table(columns, schema=self._schema))
        self.records += len(columns["type"])

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.close()
        self.path.unlink(missing_ok=True)


_PARQUET_COLUMNS = ("account_id", "distinct_id", "type", "time", "event_name", "ip", "uuid", "properties")


def _record() -> Any:
    import msgspec

    fields: list[tuple[str, Any, Any]] = [
        (name, str | None, msgspec.field(default=None, name=f"#{name}")) for name in _PARQUET_COLUMNS[:-1]
    ]
    fields.append(("properties", msgspec.Raw, msgspec.Raw(b"{}")))
    return msgspec.defstruct("Record", fields)


_Record = _record()
