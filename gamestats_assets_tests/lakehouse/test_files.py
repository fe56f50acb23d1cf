"""Files that are put in place whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.files import write_whole


def test_a_file_is_put_in_place_of_another_with_the_folders_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ("n" * 250)
    write_whole(path, "été")
    assert path.read_bytes() == "été".encode()
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == [path.name]


def test_a_disk_that_takes_nothing_leaves_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["kept.json"]
