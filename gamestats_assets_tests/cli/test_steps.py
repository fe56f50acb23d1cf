"""What the command line tells of runs: each warning once, with its days; what became of one that storage has lost."""

from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from gamestats_assets.cli.progress import ProgressEvent
from gamestats_assets.cli.steps import Failure, Outcome, print_warnings, progress_loggers, run
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.settings import Settings


def outcome(where: str, *warnings: Failure) -> Outcome:
    return Outcome("run", 1.0, {}, [], [], warnings, [], where, rows=0)


@pytest.mark.parametrize(
    ("days", "output"),
    [
        ([("2026-03-01",)], "2026-03-01"),
        ([("2026-03-01", "2026-03-02", "2026-03-05")], "3 days (2026-03-01 to 2026-03-02, 2026-03-05)"),
        ([("2026-03-01",), ("2026-03-02",), ("2026-03-01",)], "2 days (2026-03-01 to 2026-03-02)"),
        ([("shop", "bank")], "bank, shop"),
        ([(), ()], "all of it, and in 1 run more"),
    ],
)
def test_a_warning_of_several_days_is_said_once_with_their_number(
    days: list[tuple[str, ...]], output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [outcome("all of it", Failure("check a", "2 rows breaking it", partitions=each)) for each in days]
    print_warnings(runs)
    [line] = capsys.readouterr().err.replace("\n", " ").strip().split("Warning: ")[1:]
    assert " ".join(line.split()) == f"check a ({output}): 2 rows breaking it"


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_that_storage_has_lost_is_told_of_by_what_was_seen_of_it(
    fails: bool, tmp_path: Path, fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when PostgreSQL crashed just after the run began: what Dagster had told it last is gone."""
    monkeypatch.setenv("GAMESTATS_POSTGRES_URL", fresh_database)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    @dg.asset(key=["demo", "goals"])
    def goals(context: dg.AssetExecutionContext) -> None:
        context.instance.delete_run(context.run_id)
        if fails:
            raise ValueError("There is no goal.")

    definitions = dg.Definitions.merge(dg.Definitions([goals]), progress_loggers())
    output: list[ProgressEvent] = []
    with dagster_instance(Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database)))) as instance:
        found = run(definitions, instance, dg.AssetSelection.all(), [], output.append)
        assert instance.get_runs() == []
    assert found.success is not fails
    assert [failure.what for failure in found.failures] == (["step demo.goals"] if fails else [])
