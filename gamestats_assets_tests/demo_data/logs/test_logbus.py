"""The configuration of LogBus2 has the keys that its manual asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gamestats_assets.demo_data.logs.logbus import LogBusError, daemon_configuration, write_daemon_configuration


def test_a_configuration_names_the_files_the_project_and_the_receiver(tmp_path: Path) -> None:
    assert daemon_configuration(tmp_path, app_id="app", push_url="http://receiver:8080/") == {
        "datasource": [
            {
                "type": "file",
                "app_id": "app",
                "file_patterns": [f"{tmp_path}/*.jsonl"],
                "http_compress": "gzip",
            }
        ],
        "push_url": "http://receiver:8080",
    }


def test_what_is_asked_for_beyond_that_is_there(tmp_path: Path) -> None:
    made = daemon_configuration(
        tmp_path, app_id="app", push_url="https://r", gzip=False, cpu_limit=2, remove_after_days=7, pattern="*.log"
    )
    (source,) = made["datasource"]
    assert made["cpu_limit"] == 2
    assert source["http_compress"] == "none"
    assert (source["unit_remove"], source["offset_remove"]) == ("day", 7)
    assert source["file_patterns"] == [f"{tmp_path}/*.log"]


@pytest.mark.parametrize(
    ("folder", "app_id", "push_url", "days", "advice"),
    [
        ("logs", " ", "https://r", None, "app id"),
        ("logs", "app", "receiver:8080", None, "http"),
        ("log[s]", "app", "https://r", None, "pattern"),
        ("logs", "app", "https://r", 0, "1 day or more"),
    ],
)
def test_what_logbus_could_not_work_with_is_reported(
    tmp_path: Path, folder: str, app_id: str, push_url: str, days: int | None, advice: str
) -> None:
    with pytest.raises(LogBusError, match=advice):
        daemon_configuration(tmp_path / folder, app_id=app_id, push_url=push_url, remove_after_days=days)


def test_a_written_configuration_reads_back_and_its_user_is_reported_of_renaming(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.jsonl").write_text("{}\n")
    made = daemon_configuration(tmp_path, app_id="app", push_url="https://r")
    path = tmp_path / "conf" / "daemon.json"
    advice = write_daemon_configuration(path, made)
    assert json.loads(path.read_text()) == made
    assert any("rename" in note and "again" in note for note in advice)
    assert not any("skips" in note or "No file" in note for note in advice)
    assert [file.name for file in path.parent.iterdir()] == ["daemon.json"]


def test_compressed_files_are_reported_for_logbus_passes_over_them(tmp_path: Path) -> None:
    (tmp_path / "2026-01-01.jsonl.gz").write_bytes(b"")
    made = daemon_configuration(tmp_path, app_id="app", push_url="https://r")
    advice = write_daemon_configuration(tmp_path / "daemon.json", made)
    assert any("skips compressed files: 1 in" in note for note in advice)


def test_an_empty_folder_and_a_deleting_configuration_are_reported(tmp_path: Path) -> None:
    made = daemon_configuration(tmp_path, app_id="app", push_url="https://r", remove_after_days=3)
    advice = write_daemon_configuration(tmp_path / "daemon.json", made)
    assert any("No file in" in note for note in advice)
    assert any("deletes uploaded files after 3 days" in note for note in advice)


def test_somebody_elses_configuration_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "daemon.json"
    made = daemon_configuration(tmp_path, app_id="app", push_url="https://r")
    path.write_text('{"datasource": []}')
    with pytest.raises(LogBusError, match="has another configuration"):
        write_daemon_configuration(path, made)
    assert path.read_text() == '{"datasource": []}'
    write_daemon_configuration(path, made, overwrite=True)
    write_daemon_configuration(path, made)
    assert json.loads(path.read_text()) == made


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = daemon_configuration(tmp_path, app_id="app", push_url="https://r")
    with pytest.raises(LogBusError, match="cannot be written"):
        write_daemon_configuration(tmp_path / "file" / "daemon.json", made)
