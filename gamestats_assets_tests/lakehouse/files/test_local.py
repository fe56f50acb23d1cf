"""Files are replaced whole or not at all, folders are walked within their bounds, and names are made harmless."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gamestats_assets.lakehouse.files.local import files_within, shown, shown_text, write_whole


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


def test_a_link_is_followed_within_a_folder_and_never_out_of_it(tmp_path: Path) -> None:
    folder, secret = tmp_path / "in", tmp_path / "secret"
    for path in (folder / "a" / "one", folder / "left" / "two", secret / "key"):
        path.parent.mkdir(parents=True)
        path.touch()
    (folder / "b").symlink_to(folder / "a" / "one")
    (folder / "c").symlink_to(secret / "key")
    (folder / "a" / "d").symlink_to("../../secret")
    (folder / "e").symlink_to("nothing")
    (folder / "f").symlink_to("f")

    files, links = files_within(folder, without=folder / "left")

    assert files == [folder / "b", folder / "a" / "one"]
    assert links == [folder / "c", folder / "f", folder / "a" / "d"]


def test_a_name_is_shown_without_what_a_terminal_would_obey() -> None:
    name = os.fsdecode(b"j\xc3\xb6rg\x1b]0;x\x07\x7f\n\xff") + "\x9b\u202eexe"

    assert shown(name) == "jörg␛]0;x␇␡␊\ufffd\ufffd\ufffdexe"
    assert shown_text("one\ttwo\nthree\r") == "one\ttwo\nthree␍"
