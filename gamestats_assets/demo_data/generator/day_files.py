"""The files of one day: lines in order of arrival, compressed and divided as the run asks.

Every file is written next to its place under a temporary name, flushed, and then renamed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import polars as pl

from gamestats_assets.demo_data.rules.configuration import Configuration

_MEGABYTE = 1_000_000
_GZIP_LEVEL = 2
_PIECE = 1 << 20
"""Bytes per write: Linux takes many small pieces several times faster than one of many megabytes."""
_PARQUET_COLUMNS = ("account_id", "distinct_id", "type", "time", "event_name", "ip", "uuid")


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a day.

    Attributes:
        name: name within the output folder.
        day: day on which its records arrived.
        sha256: hash of the file's bytes.
    """

    name: str
    day: str
    records: int
    size_bytes: int
    sha256: str


class DayFiles:
    """Writes one day's lines; use it as a context manager, and call `finish`.

    Args:
        folder: folder of the files, `logs_20260101.jsonl`, or `logs_20260101.000.jsonl` and so on if divided.
    """

    def __init__(self, folder: Path, day: date, configuration: Configuration) -> None:
        self._folder, self._day, self._configuration = folder, day, configuration
        self._files: list[_Lines] = []
        self._parquet: _Parquet | None = None

    def __enter__(self) -> Self:
        if self._configuration.parquet:
            self._parquet = _Parquet(self._path("parquet"))
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as stack:
            for file in (*self._files, self._parquet):
                if file is not None:
                    stack.callback(file.discard)

    def write(self, window: pl.DataFrame) -> None:
        """Appends lines with their line ends."""
        lines = window["line"]
        if self._parquet is not None:
            self._parquet.write(lines)
        limit = (self._configuration.file_megabytes or np.inf) * _MEGABYTE
        while lines.len():
            if not self._files or self._files[-1].content_bytes >= limit:
                self._files.append(self._new_file())
            file, ends = self._files[-1], lines.str.len_bytes().cast(pl.Int64).cum_sum()
            fitting = int((ends <= limit - file.content_bytes).sum())
            if fitting == 0 and file.records:
                self._files.append(self._new_file())
                continue
            file.write(lines.head(max(fitting, 1)))
            lines = lines.slice(max(fitting, 1))

    def finish(self) -> list[WrittenFile]:
        """Gives the complete files their names."""
        return [file.finished(self._day) for file in (*self._files, self._parquet) if file is not None]

    def _new_file(self) -> _Lines:
        if self._files:
            self._files[-1].close()
        part = "" if self._configuration.file_megabytes is None else f"{len(self._files):03d}."
        return _Lines(self._path(f"{part}jsonl{'.gz' if self._configuration.gzip else ''}"), self._configuration.gzip)

    def _path(self, ending: str) -> Path:
        return self._folder / f"logs_{self._day:%Y%m%d}.{ending}"


class _File:
    """A file under its temporary name."""

    def __init__(self, path: Path) -> None:
        self.path, self.temporary = path, path.with_name(f".{path.name}.tmp")
        self.records = 0

    def close(self) -> None:
        """Flushes everything to disk; can be called repeatedly."""
        raise NotImplementedError

    def finished(self, day: date) -> WrittenFile:
        """Closes the file and gives it its name."""
        self.close()
        self.temporary.replace(self.path)
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return WrittenFile(self.path.name, day.isoformat(), self.records, self.path.stat().st_size, digest)

    def discard(self) -> None:
        """Removes unfinished files."""
        self.temporary.unlink(missing_ok=True)


class _Lines(_File):
    """Lines, compressed or not."""

    def __init__(self, path: Path, gzip: bool) -> None:
        from isal import igzip

        super().__init__(path)
        self.content_bytes = 0
        self._raw: IO[bytes] = self.temporary.open("wb")
        # Without a name and a time, so that the same lines give the same bytes.
        self._file: Any = self._raw
        if gzip:
            self._file = igzip.GzipFile("", "wb", compresslevel=_GZIP_LEVEL, fileobj=self._raw, mtime=0)

    def write(self, lines: pl.Series) -> None:
        """Appends lines."""
        texts = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, content = texts.buffers()
        ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        pieces = memoryview(content)[ends[0] : ends[-1]]
        for start in range(0, len(pieces), _PIECE):
            self._file.write(pieces[start : start + _PIECE])
        self.records += lines.len()
        self.content_bytes += len(pieces)

    def close(self) -> None:
        if self._raw.closed:
            return
        if self._file is not self._raw:
            self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()

    def discard(self) -> None:
        self._raw.close()
        super().discard()


class _Parquet(_File):
    """The same records as Parquet: root keys as columns, `properties` as JSON text."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        super().__init__(path)
        schema = pa.schema([(name, pa.large_string()) for name in (*_PARQUET_COLUMNS, "properties")])
        self._writer = pq.ParquetWriter(self.temporary, schema, compression="zstd")

    def write(self, lines: pl.Series) -> None:
        """Appends records; lines that are not JSON are left out."""
        paths = {**{name: f"$['#{name}']" for name in _PARQUET_COLUMNS}, "properties": "$.properties"}
        columns = pl.DataFrame({name: lines.str.json_path_match(path) for name, path in paths.items()})
        columns = columns.filter(pl.col("type").is_not_null())
        self._writer.write_table(columns.to_arrow(compat_level=pl.CompatLevel.oldest()))
        self.records += columns.height

    def close(self) -> None:
        self._writer.close()

    def discard(self) -> None:
        self._writer.close()
        super().discard()
