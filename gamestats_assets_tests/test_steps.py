"""What the command line tells of runs: each warning once, with the days that it is of."""

from __future__ import annotations

import pytest

from gamestats_assets.cli.steps import Failure, Outcome, print_warnings


def outcome(where: str, *warnings: Failure) -> Outcome:
    return Outcome("run", 1.0, {}, {}, [], [], warnings, [], where, rows=0)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ([("2026-03-01",)], "2026-03-01"),
        ([("2026-03-01", "2026-03-02", "2026-03-05")], "3 days (2026-03-01 to 2026-03-02, 2026-03-05)"),
        ([("2026-03-01",), ("2026-03-02",), ("2026-03-01",)], "2 days (2026-03-01 to 2026-03-02)"),
        ([("shop", "bank")], "bank, shop"),
        ([(), ()], "all of it, and in 1 run more"),
    ],
)
def test_a_warning_of_several_days_is_said_once_with_their_number(
    days: list[tuple[str, ...]], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [outcome("all of it", Failure("check a", "2 rows breaking it", partitions=each)) for each in days]
    print_warnings(runs)
    [line] = capsys.readouterr().err.replace("\n", " ").strip().split("Warning: ")[1:]
    assert " ".join(line.split()) == f"check a ({told}): 2 rows breaking it"
