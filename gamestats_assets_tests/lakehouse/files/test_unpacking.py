"""Decompression within limits: too large or too slow files are refused before they fill memory."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.files.unpacking import (
    LARGEST_RATIO,
    LimitExceededError,
    ReadLimits,
    decompressed,
    opened,
)

SMALL = ReadLimits(megabytes=1)


def read(path: Path, limits: ReadLimits) -> bytes:
    with opened(path, limits) as content:
        return content.read()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("layers", [1, 2])
def test_a_payload_unpacks_to_the_limit_and_no_further(layers: int) -> None:
    def packed(size: int) -> bytes:
        payload = random.Random(1).randbytes(size)
        for _ in range(layers):
            payload = gzip.compress(payload, 1)
        return payload

    assert len(decompressed(packed(400_000), SMALL)) == 400_000
    with pytest.raises(LimitExceededError, match=r"more than 1 MB, .*\(GAMESTATS_LARGEST_FILE_MB\)"):
        decompressed(packed(1_000_001), SMALL)


def test_a_decompression_bomb_stays_within_the_memory_limit() -> None:
    inner = gzip.compress(bytes(100_000_000), 9)
    bomb = gzip.compress(b"".join([inner] * 30), 9)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError):
            decompressed(bomb, ReadLimits(megabytes=10))
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


def test_content_of_many_chunks_and_streams_comes_whole() -> None:
    parts = [random.Random(size).randbytes(size) for size in (0, 1, 300_000, 2_500_000)]
    parts.append(bytes(5_000_000))
    assert decompressed(b"".join(map(gzip.compress, parts))) == b"".join(parts)


def test_a_packed_log_unpacks_to_the_limit_or_to_many_times_its_size(tmp_path: Path) -> None:
    lines = b"".join(b"%d\n" % number for number in range(1_500_000))
    packed = gzip.compress(lines, 1)
    assert len(packed) * LARGEST_RATIO > len(lines) > 10_000_000
    assert read(written(tmp_path / "log.gz", packed), SMALL) == lines
    with pytest.raises(LimitExceededError, match="unpacks to more than 1 MB"):
        read(written(tmp_path / "bomb.gz", gzip.compress(b"\n" * 3_000_000, 9)), SMALL)


def test_reading_ends_when_it_takes_too_long(tmp_path: Path) -> None:
    hurried = ReadLimits(seconds=0)
    with pytest.raises(LimitExceededError, match=r"longer than 0 s, .*\(GAMESTATS_LONGEST_READ_S\)"):
        read(written(tmp_path / "log", b"line\n"), hurried)
    with pytest.raises(LimitExceededError, match="longer than 0 s"):
        decompressed(gzip.compress(b"x"), hurried)
