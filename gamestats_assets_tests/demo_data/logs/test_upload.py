"""Uploads against a receiver that listens on this machine."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gamestats_assets.demo_data.logs.log_files import UnreadableLogError
from gamestats_assets.demo_data.logs.upload import UploadError, UploadReport, upload
from gamestats_assets_tests.demo_data.logs.receiver import Answer, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def records(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "#account_id": "가나다",
            "#type": "track",
            "#event_name": "login",
            "#time": "2026-01-01 00:00:00.000",
            "#uuid": str(uuid.UUID(int=number)),
            "properties": {"n": number},
        }
        for number in range(start, start + count)
    ]


def write(path: Path, lines: list[dict[str, object]]) -> Path:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def numbers(receiver: Receiver) -> list[int]:
    return [record["properties"]["n"] for record in receiver.taken]


def at_once(seconds: float) -> None:
    """Instead of waiting."""


def send(receiver: Receiver, paths: list[Path], state: Path, **options: Any) -> UploadReport:
    return upload(paths, receiver=receiver.url, app_id=receiver.app_id, state=state, **{"sleep": at_once, **options})


class Stop(Exception):  # noqa: N818
    """Ends an upload from within its progress."""


# --------------------------------------------------------------------------- what arrives


def test_all_lines_of_all_files_arrive_once_in_order(receiver: Receiver, tmp_path: Path) -> None:
    paths = [write(tmp_path / "1.jsonl", records(7)), write(tmp_path / "2.jsonl.gz", records(5, 7))]
    report = send(receiver, paths, tmp_path / "s" / "state.json", batch_records=3)
    assert receiver.taken == records(12)
    # 3 + 3 + 1 of the first file, 3 + 2 of the second: a batch is of one file.
    assert [len(request.records) for request in receiver.requests] == [3, 3, 1, 3, 2]
    assert (report.files, report.lines, report.batches, report.attempts) == (2, 12, 5, 5)
    assert report.sent_bytes == sum(len(request.body) for request in receiver.requests)
    assert report.bytes == sum(len(json.dumps(line, ensure_ascii=False).encode()) for line in records(12))


def test_head_and_body_are_those_of_a_server_sdk(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(2))
    upload([path], receiver=receiver.url, app_id=SecretStr(receiver.app_id), state=tmp_path / "state")
    (request,) = receiver.requests
    assert request.path == "/sync_server"
    assert request.headers["appid"] == receiver.app_id
    assert request.headers["compress"] == "gzip"
    assert request.headers["ta-integration-type"] == "gamestats"
    assert request.headers["ta-integration-count"] == "2"
    assert json.loads(gzip.decompress(request.body)) == records(2)


def test_batches_keep_to_their_bytes_and_a_longer_line_goes_alone(receiver: Receiver, tmp_path: Path) -> None:
    lines = records(9)
    lines[4]["properties"] = {"n": 4, "text": "x" * 5000}
    path = write(tmp_path / "1.jsonl", lines)
    one = len(json.dumps(lines[0], ensure_ascii=False).encode())
    send(receiver, [path], tmp_path / "state", batch_bytes=3 * one + 4, compress=False)
    assert [[r["properties"]["n"] for r in q.records] for q in receiver.requests] == [
        [0, 1, 2],
        [3],
        [4],
        [5, 6, 7],
        [8],
    ]
    assert all(len(q.body) <= 3 * one + 4 for q in receiver.requests if len(q.records) > 1)


def test_lines_that_are_no_object_are_passed_over_and_reported(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(4))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:40] + b"\n"
    lines.append(b"[1]\n")
    path.write_bytes(b"".join(lines))
    report = send(receiver, [path], tmp_path / "state", batch_records=2)
    assert numbers(receiver) == [0, 2, 3]
    assert report.unreadable_lines == 2
    assert report.unreadable == (f"{path}:2", f"{path}:5")
    assert "2 lines are not JSON objects" in "\n".join(report.lines_of_text())


def test_a_dry_run_asks_nobody_and_counts_what_an_upload_would_send(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(10))
    state = tmp_path / "state"
    plan = send(receiver, [path], state, batch_records=4, dry_run=True)
    assert receiver.requests == []
    assert list(tmp_path.iterdir()) == [path]
    done = send(receiver, [path], state, batch_records=4)
    assert (plan.lines, plan.batches, plan.bytes, plan.sent_bytes) == (10, 3, done.bytes, done.sent_bytes)
    assert plan.dry_run
    assert "Would send 10 lines" in next(plan.lines_of_text())


def test_progress_ends_with_all_bytes_and_never_goes_back(receiver: Receiver, tmp_path: Path) -> None:
    paths = [write(tmp_path / "1.jsonl", records(7)), write(tmp_path / "2.jsonl.gz", records(5, 7))]
    steps: list[tuple[int, int]] = []
    send(receiver, paths, tmp_path / "state", batch_records=2, progress=lambda done, total: steps.append((done, total)))
    size = sum(path.stat().st_size for path in paths)
    assert steps[-1] == (size, size)
    assert {total for _, total in steps} == {size}
    assert all(before <= after for before, after in itertools.pairwise(done for done, _ in steps))


# --------------------------------------------------------------------------- trouble


def test_a_receiver_in_trouble_is_asked_again(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answer(Answer(500, "oops"), Answer(503))
    path = write(tmp_path / "1.jsonl", records(4))
    report = send(receiver, [path], tmp_path / "state", batch_records=2)
    assert numbers(receiver) == [0, 1, 2, 3]
    assert (report.batches, report.attempts) == (2, 4)
    assert receiver.requests[0].body == receiver.requests[2].body


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(400, "no such thing"), r"Expected status 200, but .* answered 400: no such thing"),
        (Answer(401, "who are you"), r"answered 401: who are you"),
        (Answer(302, headers={"Location": "/login"}), r"Expected status 200, but .* answered 302"),
        (Answer(200, '{"code": -1, "msg": "invalid data format"}'), r"Expected code 0, but .*invalid data format"),
        (Answer(200, "<html>sign in</html>"), r"Expected JSON with a code, but .*sign in"),
    ],
)
def test_a_refusal_stops_and_keeps_what_was_sent(
    receiver: Receiver, tmp_path: Path, answer: Answer, words: str
) -> None:
    path = write(tmp_path / "1.jsonl", records(6))
    state = tmp_path / "state"
    receiver.on_request = lambda request: receiver.answer(answer)
    with pytest.raises(UploadError, match=rf"lines 3 to 4 of .*1\.jsonl could not be sent .*{words}"):
        send(receiver, [path], state, batch_records=2)
    assert len(receiver.requests) == 2  # no second attempt, and nothing after it
    receiver.on_request = None
    receiver.answer()
    send(receiver, [path], state, batch_records=2)
    assert numbers(receiver) == [0, 1, 2, 3, 4, 5]


def test_nothing_that_is_written_tells_the_app_id(
    receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = write(tmp_path / "1.jsonl", records(4))
    state = tmp_path / "state"
    receiver.answer(Answer(500, f"for {receiver.app_id}"), Answer(200, '{"code":0}'), Answer(400, receiver.app_id))
    with pytest.raises(UploadError) as caught:
        send(receiver, [path], state, batch_records=2)
    assert "****cdef" in str(caught.value)
    for text in (str(caught.value), caplog.text, state.read_text()):
        assert receiver.app_id not in text
        assert "89abcdef" not in text


# --------------------------------------------------------------------------- going on


def test_an_upload_that_was_stopped_goes_on_behind_the_last_acknowledged_batch(
    receiver: Receiver, tmp_path: Path
) -> None:
    paths = [write(tmp_path / "1.jsonl", records(5)), write(tmp_path / "2.jsonl.gz", records(6, 5))]
    state = tmp_path / "state"

    def stop(done: int, total: int) -> None:
        if len(receiver.requests) == 4:
            raise Stop

    with pytest.raises(Stop):
        send(receiver, paths, state, batch_records=2, progress=stop)
    assert numbers(receiver) == [0, 1, 2, 3, 4, 5, 6]
    report = send(receiver, paths, state, batch_records=2)
    assert numbers(receiver) == list(range(11))
    assert (report.lines, report.known_lines) == (4, 7)
    again = send(receiver, paths, state)
    assert (again.lines, again.known_lines, again.attempts) == (0, 11, 0)


def test_an_answer_lost_on_its_way_repeats_the_batch_with_the_same_uuids(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(4))
    receiver.answer(Answer(silent=True, takes=True))
    send(receiver, [path], tmp_path / "s", batch_records=2)
    assert numbers(receiver) == [0, 1, 0, 1, 2, 3]
    assert list(receiver.stored.values()) == records(4)


@pytest.mark.parametrize("name", ["1.jsonl", "1.jsonl.gz"])
@pytest.mark.parametrize("whole", [False, True], ids=["stopped", "whole"])
def test_of_a_file_that_grew_only_what_is_new_is_sent(
    receiver: Receiver, tmp_path: Path, name: str, whole: bool
) -> None:
    path = write(tmp_path / name, records(6))
    state = tmp_path / "state"

    def stop(done: int, total: int) -> None:
        if not whole:
            raise Stop

    with contextlib.suppress(Stop):
        send(receiver, [path], state, batch_records=4, progress=stop)
    write(path, records(9))
    report = send(receiver, [path], state)
    assert numbers(receiver) == list(range(9))
    assert (report.lines, report.known_lines) == ((3, 6) if whole else (5, 4))
    again = send(receiver, [path], state)
    assert (again.lines, again.known_lines) == (0, 9)


@pytest.mark.parametrize("missing", [1, 2, 60], ids=["line_end", "brace", "half"])
def test_a_line_that_was_being_written_arrives_once_when_it_is_whole(
    receiver: Receiver, tmp_path: Path, missing: int
) -> None:
    path = write(tmp_path / "1.jsonl", records(5))
    content = path.read_bytes()
    whole = write(path, records(3)).read_bytes()
    state = tmp_path / "state"
    path.write_bytes(whole[:-missing])
    first = send(receiver, [path], state)
    assert (first.lines, first.unreadable) == ((3, ()) if missing == 1 else (2, (f"{path}:3",)))
    path.write_bytes(content)
    second = send(receiver, [path], state)
    assert numbers(receiver) == [0, 1, 2, 3, 4]
    assert (second.lines, second.known_lines, second.unreadable_lines) == (5 - first.lines, first.lines, 0)


@pytest.mark.parametrize(
    ("now", "how"),
    [
        (lambda sent: sent[:-40], "it begins with something else"),
        (lambda sent: sent.replace(b'"n": 0', b'"n": 8'), "it begins with something else"),
        (lambda sent: sent + b'{"more": 1}\n', "the last of them goes on"),
    ],
    ids=["shorter", "other", "longer_line"],
)
def test_a_file_that_does_not_begin_with_what_was_sent_is_reported(
    receiver: Receiver, tmp_path: Path, now: Callable[[bytes], bytes], how: str
) -> None:
    path = write(tmp_path / "1.jsonl", records(3))
    sent = path.read_bytes().rstrip(b"\n")
    path.write_bytes(sent)
    send(receiver, [path], tmp_path / "state")
    path.write_bytes(now(sent))
    with pytest.raises(UploadError, match=f"changed after 3 lines of it were sent: {how}"):
        send(receiver, [path], tmp_path / "state")
    assert len(receiver.requests) == 1


def test_the_state_is_of_one_receiver_and_one_project(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(2))
    state = tmp_path / "state"
    send(receiver, [path], state)
    with pytest.raises(UploadError, match=r"state of an upload to .*\*\*\*\*cdef, not to .*\*\*\*\*0002"):
        upload([path], receiver=receiver.url, app_id="another-app-id-0002", state=state)
    with pytest.raises(UploadError, match="for another receiver"):
        upload([path], receiver="http://127.0.0.1:9", app_id=receiver.app_id, state=state)


def test_a_damaged_state_is_reported(receiver: Receiver, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text('{"version": 1, "files"')
    with pytest.raises(UploadError, match="cannot be read as the state"):
        send(receiver, [], state)


def test_two_uploads_do_not_share_a_state(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(2))
    state = tmp_path / "state"
    messages: list[str] = []

    def second(done: int, total: int) -> None:
        with pytest.raises(UploadError) as caught:
            send(receiver, [path], state)
        messages.append(str(caught.value))

    send(receiver, [path], state, progress=second)
    assert "Another upload uses" in messages[0]
    assert len(receiver.requests) == 1


# --------------------------------------------------------------------------- what cannot begin


def test_a_missing_file_is_reported_before_anything_is_sent(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(2))
    with pytest.raises(UnreadableLogError, match=r"Expected a log file at .*2\.jsonl"):
        send(receiver, [path, tmp_path / "2.jsonl"], tmp_path / "state")
    assert receiver.requests == []


def test_a_cut_gzip_file_is_reported(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl.gz", records(50))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableLogError, match=r"1\.jsonl\.gz is damaged"):
        send(receiver, [path], tmp_path / "state")


@pytest.mark.parametrize(
    ("receiver", "app_id"),
    [("ftp://x", "a"), ("x", "a"), ("http://u:p@x", "a"), ("http://x", " "), ("http://x", "a\nb")],
)
def test_a_wrong_address_or_app_id_is_reported(tmp_path: Path, receiver: str, app_id: str) -> None:
    with pytest.raises(UploadError, match=r"^Expected"):
        upload([], receiver=receiver, app_id=app_id, state=tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_cannot_be_kept_is_reported_before_anything_is_sent(receiver: Receiver, tmp_path: Path) -> None:
    path = write(tmp_path / "1.jsonl", records(2))
    with pytest.raises(UploadError, match="cannot be written"):
        send(receiver, [path], path / "state")
    assert receiver.requests == []
