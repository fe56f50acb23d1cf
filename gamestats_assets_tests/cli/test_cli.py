"""The command line, over a real data folder with a small demo in it."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import pty
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from deltalake import write_deltalake
from typer.testing import Result

from gamestats_assets.cli.catalog import declared_tables
from gamestats_assets.cli.demo import command, games
from gamestats_assets.cli.demo.command import empty_tables, summary
from gamestats_assets.cli.demo.games import DAYS
from gamestats_assets.cli.lake.materialize import PartitionChoiceError, chosen_range, resolve_selection
from gamestats_assets.definitions import build_defs
from gamestats_assets.lakehouse.delta.ledger import Note
from gamestats_assets.lakehouse.landing.zone import Landing
from gamestats_assets.orchestration.run_requests import partitions_of_run
from gamestats_assets.orchestration.runs.instance import dagster_instance
from gamestats_assets.pubg import tables as pubg
from gamestats_assets.simulators.pubg.matches import simulate_day
from gamestats_assets.simulators.pubg.tournament import Tournament
from gamestats_assets_tests.cli.runner import Gamestats, data_folder, replaced_environment
from gamestats_assets_tests.pubg.api_server import Answer, ApiServer

pytestmark = pytest.mark.timeout(600)

TABLES = declared_tables()
SUMMARIES = "+postgres.pubg.match_summaries"
FOR_MORE_MATCHES = {
    "lol.discovered_patterns",
    "lol.first_objective_stats",
    "lol.item_build_stats",
    "lol.item_path_sequences",
    "lol.objective_decision_tree",
    "lol.outcome_models",
    "lol.pattern_history",
    "lol.skill_order_stats",
    "lol.variable_correlations",
    "lol.vision_survival",
    "rocket_league.rank_models",
    # Nobody withholds anything there.
    "rocket_league.withheld",
}
"""Published tables of statistics, for which a small demo has too few matches."""


@dataclass(frozen=True)
class Demo:
    """A data folder after a small demo, what the demo said, and what it had simulated of each game."""

    gamestats: Gamestats
    result: Result
    simulated: dict[str, Any]


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    simulated: dict[str, Any] = {}

    def bring(game: str, *more: Any) -> Any:
        # It is handed from one process to another at a person's, where games are made at once.
        simulated[game] = pickle.loads(pickle.dumps(games.bring(game, *more)))
        return simulated[game]

    with data_folder() as gamestats, pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "bring", bring)
        result = gamestats("demo", "--small", "--verbose")
        assert result.exit_code == 0, result.output
        yield Demo(gamestats, result, simulated)


@pytest.fixture
def gamestats(demo: Demo) -> Gamestats:
    """The command line over the demo's folder."""
    return demo.gamestats


@pytest.fixture
def tournament(demo: Demo) -> Tournament:
    """What the demo's tournament holds."""
    return demo.simulated["pubg"]


def versions(gamestats: Gamestats) -> dict[str, int]:
    """Delta version of every table."""
    lake = gamestats.stores.lake
    found = {table.spec.dotted: lake.version(table) for table in TABLES}
    return {name: version for name, version in found.items() if version is not None}


# --------------------------------------------------------------------------- demo


def test_the_demo_fills_every_table_and_publishes_all_rows(gamestats: Gamestats) -> None:
    listed = {row["table"]: row for row in json.loads(gamestats("tables", "--format", "json").stdout)}
    for table in TABLES:
        row = listed[table.spec.dotted]
        # A few dozen matches are too few for most statistics of a patch.
        is_of_patches = table.spec.partitioned_by == "patch" or table.spec.dotted in FOR_MORE_MATCHES
        assert row["rows"] or is_of_patches, table.spec.dotted
        if table.spec.published:
            assert row["published_rows"] == row["rows"]
    assert set(empty_tables(gamestats.stores)) <= FOR_MORE_MATCHES
    matches = listed["pubg.matches"]
    assert (matches["freshness"], matches["state"]) == ("fresh", "up to date")
    assert matches["last_partition"] >= DAYS[-1].isoformat()
    assert "failed" not in matches["checks"]
    assert "passed" in matches["checks"]


def test_the_demo_says_in_few_lines_what_it_found_and_the_queries_show_it(demo: Demo) -> None:
    gamestats, result = demo.gamestats, demo.result
    with replaced_environment(gamestats.environment()):
        output = summary(gamestats.stores)
    assert len(output) <= 25
    assert result.stdout.splitlines()[-len(output) :] == output
    assert "gamestats up" in result.stdout
    sentences = [line for line in output if line.startswith("  ") and "gamestats" not in line]
    for beginning in ("Team ", "Match ", "Rover's weakness is positioning"):
        assert any(line.strip().startswith(beginning) for line in sentences), beginning
    for line in output:
        if line.strip().startswith("gamestats query"):
            assert gamestats.answer(line.split('"')[1])


def test_the_demos_tournament_counts_as_it_was_planned(gamestats: Gamestats, tournament: Tournament) -> None:
    sql = "select c.match_id, c.validation_status, r.round_number, s.match_number from pubg.match_tournament_context c "
    sql += "left join pubg.rounds r on r.round_id = c.round_id "
    sql += "left join pubg.scheduled_matches s on s.scheduled_match_id = c.scheduled_match_id"
    found = {row["match_id"]: [row[name] for name in list(row)[1:]] for row in gamestats.answer(sql)}
    assert found == {
        match.truth.match_id: [match.status, match.round_number, match.match_number] for match in tournament.matches
    }


def test_the_demos_tracked_player_has_the_detail_of_every_match(gamestats: Gamestats, tournament: Tournament) -> None:
    account, _ = tournament.divisions[0].teams[0].players[0]
    taken = gamestats.answer("select distinct account_id, match_id from pubg.player_circle_positions")
    assert {row["match_id"] for row in taken if row["account_id"] == account} >= {
        match.truth.match_id for match in tournament.matches if account in match.truth.players_truth
    }


def test_the_demo_publishes_what_was_simulated(gamestats: Gamestats, tournament: Tournament) -> None:
    sql = "select m.match_id, m.players, count(*) as people, sum(s.kills) as kills from pubg.matches m "
    sql += "join pubg.match_summaries s on s.match_id = m.match_id where m.match_type = 'custom' "
    sql += "group by m.match_id, m.players order by m.match_id"
    truths = [match.truth for match in tournament.matches]
    expected = [
        {
            "match_id": truth.match_id,
            "players": truth.players,
            "people": truth.players,
            "kills": sum(player.kills for player in truth.players_truth.values()),
        }
        for truth in sorted(truths, key=lambda truth: truth.match_id)
    ]
    assert gamestats.answer(sql) == expected
    assert gamestats.answer(sql, "--on", "postgres") == expected


def test_the_demo_leaves_no_raw_files_behind_and_its_run_is_in_the_ui(gamestats: Gamestats) -> None:
    assert not list(Path(tempfile.gettempdir()).glob("gamestats-demo-*"))
    with replaced_environment(gamestats.environment()), dagster_instance(gamestats.stores) as instance:
        runs = instance.get_runs()
    assert any(DAYS[0].isoformat() in partitions_of_run(run) for run in runs)
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_a_second_demo_simulates_and_changes_nothing_and_says_so(gamestats: Gamestats) -> None:
    before, started = versions(gamestats), time.monotonic()
    result = gamestats("demo", "--small")
    assert result.exit_code == 0
    assert "all was there already, and nothing was left to do" in result.stdout.splitlines()[0]
    assert time.monotonic() - started < 30
    assert "Everything is up to date" in gamestats("materialize").stdout
    assert versions(gamestats) == before


# --------------------------------------------------------------------------- materialize and rebuild


def test_a_new_day_is_found_processed_and_published(gamestats: Gamestats, tmp_path: Path) -> None:
    day = date(2026, 3, 20)
    [truth] = simulate_day(tmp_path, day, 1, 7, players=20)
    output = gamestats("ingest", "pubg", str(tmp_path)).stdout
    assert "2 files: 2 taken, 0 known, 0 quarantined" in output
    assert str(day) in output
    result = gamestats("materialize", "--select", SUMMARIES)
    assert result.exit_code == 0, result.output
    assert f"1 day to process: {day}" in result.stdout
    sql = "select count(*) as people from pubg.match_summaries where match_date = date '2026-03-20'"
    assert gamestats.answer(sql, "--on", "postgres") == [{"people": truth.players}]
    assert "up to date" in gamestats("materialize", "--select", SUMMARIES).stdout


def test_a_game_by_its_name_is_all_of_its_tables_through_to_postgres() -> None:
    definitions = build_defs()
    graph = definitions.resolve_asset_graph()
    for game in ("l2m", "pubg"):
        named = {key for key in graph.materializable_asset_keys if game in key.path[:2]}
        assert resolve_selection([game], definitions).resolve(graph) == named
        assert dg.AssetKey(["postgres", game, "matches" if game == "pubg" else "active"]) in named


def test_foreign_rows_are_mended_in_the_selected_table_only(gamestats: Gamestats) -> None:
    lake, day = gamestats.stores.lake, DAYS[0]
    before, rows = versions(gamestats), lake.scan(pubg.Landings, [day]).collect()
    write_deltalake(lake.uri(pubg.Landings), rows, mode="append")
    result = gamestats("materialize", "--select", "pubg.landings", "--partition", day.isoformat())
    assert result.exit_code == 0, result.output
    changed = {name for name, version in versions(gamestats).items() if version != before[name]}
    assert changed == {"pubg.landings"}
    assert lake.scan(pubg.Landings, [day]).collect().height == rows.height > 0


def test_a_table_stored_with_other_columns_is_named_and_rebuilt(gamestats: Gamestats) -> None:
    lake = gamestats.stores.lake
    rows = lake.scan(pubg.Landings).sort(pubg.Landings.primary_key()).collect()
    old, place = rows.rename({"x_m": "x_cm"}), lake.uri(pubg.Landings)
    write_deltalake(place, old, mode="overwrite", schema_mode="overwrite", partition_by=["match_date"])
    day = DAYS[0].isoformat()
    failed = gamestats("materialize", "--select", "pubg.landings", "--partition", day, "--everything")
    assert failed.exit_code == 1
    assert "step pubg.landings" in failed.stderr
    assert day in failed.stderr
    assert "x_cm" in failed.stderr
    assert "gamestats rebuild pubg.landings" in failed.stderr
    assert "Traceback" not in failed.output
    mended = gamestats("rebuild", "pubg.landings")
    assert mended.exit_code == 0, mended.output
    found = gamestats.stores.lake.scan(pubg.Landings).sort(pubg.Landings.primary_key()).collect()
    # What has landed since is made, too.
    assert found.filter(pl.col("match_date").is_in(rows["match_date"].unique())).equals(rows)
    assert gamestats.answer("select count(*) as n from pubg.landings", "--on", "postgres") == [{"n": found.height}]


def test_a_day_nobody_can_read_fails_and_says_which_step_day_and_why(gamestats: Gamestats) -> None:
    day, content = date(2026, 3, 25), b'[{"_T": "LogMatchDefinition", broken'
    gamestats.stores.landing.put("pubg", day, "damaged-match", "telemetry", content, content)
    try:
        result = gamestats("materialize", "--select", SUMMARIES)
        assert result.exit_code == 1
        assert "step pubg_raw" in result.stderr
        assert str(day) in result.stderr
        assert "quarantine" in result.stderr
        assert "Traceback" not in result.output
        entries = gamestats.answer("select unit_id, scope from pubg.quarantine where unit_id = 'damaged-match'")
        assert {"unit_id": "damaged-match", "scope": "file"} in entries
    finally:
        shutil.rmtree(gamestats.folder / "landing" / "pubg" / day.isoformat())


def test_a_blocking_check_is_named_with_its_day_until_it_is_mended(gamestats: Gamestats) -> None:
    lake, day = gamestats.stores.lake, DAYS[0].isoformat()
    chosen = ("materialize", "--select", "pubg.landings+", "--partition", day)
    lake.note(pubg.Landings, Note(failed={day: {"declared_rules": "1 row breaks a rule"}}))
    result = gamestats(*chosen)
    assert result.exit_code == 1
    output = " ".join(result.stderr.split())
    assert f"Stopped ({day}): pubg.landings breaks the check declared_rules: 1 row breaks a rule" in output
    mended = gamestats(*chosen, "--everything")
    assert mended.exit_code == 0, mended.output
    assert gamestats(*chosen).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (("--select", "pubg.matchs"), "Did you mean pubg.matches"),
        (("--select", "key:nothing*"), "names no asset"),
        (("--partition", "14.03.2026"), "YYYY-MM-DD"),
        (("--from", "2026-03-14"), "--to"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_advice(
    gamestats: Gamestats, arguments: tuple[str, ...], output: str
) -> None:
    result = gamestats("materialize", *arguments)
    assert result.exit_code == 1
    assert output in result.stderr


def test_days_are_chosen_alone_or_as_a_range() -> None:
    assert chosen_range("2026-03-14", None, None) == ("2026-03-14", "2026-03-14")
    assert chosen_range(None, "2026-03-01", "2026-03-07") == ("2026-03-01", "2026-03-07")
    assert chosen_range(None, None, None) is None
    with pytest.raises(PartitionChoiceError, match="after"):
        chosen_range(None, "2026-03-07", "2026-03-01")
    with pytest.raises(PartitionChoiceError, match="either"):
        chosen_range("2026-03-07", "2026-03-01", "2026-03-07")


# --------------------------------------------------------------------------- query


QUESTION = "select match_id, match_date, players, started_at from pubg.matches order by match_id"


def test_a_query_gives_the_same_rows_in_every_format(gamestats: Gamestats, tmp_path: Path) -> None:
    columns = ["match_id", "match_date", "players", "started_at"]
    expected = gamestats.stores.lake.scan(pubg.Matches).select(columns).sort("match_id").collect()
    parquet = tmp_path / "matches.parquet"
    assert gamestats("query", QUESTION, "--output", str(parquet)).exit_code == 0
    assert pl.read_parquet(parquet).equals(expected)
    csv = pl.read_csv(gamestats("query", QUESTION, "--format", "csv").stdout.encode())
    assert csv["players"].to_list() == expected["players"].to_list()
    rows = gamestats.answer(QUESTION)
    assert [row["match_id"] for row in rows] == expected["match_id"].to_list()
    refused = gamestats("query", QUESTION, "--output", str(tmp_path / "rows.foo"))
    assert (refused.exit_code, "names no format" in " ".join(refused.stderr.split())) == (1, True)
    table = gamestats("query", QUESTION).stdout
    assert table.splitlines()[0].split() == columns
    assert all(match_id in table for match_id in expected["match_id"])


def test_parquet_goes_through_a_pipe_but_not_to_a_terminal(gamestats: Gamestats) -> None:
    command = [sys.executable, "-m", "gamestats_assets.cli", "query", "select 1 as one", "--format", "parquet"]
    piped = subprocess.run(command, env=gamestats.environment(), capture_output=True, timeout=60)
    assert pl.read_parquet(piped.stdout).to_dict(as_series=False) == {"one": [1]}
    ours, theirs = pty.openpty()
    refused = subprocess.run(command, env=gamestats.environment(), stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    os.close(ours)
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"Error: ")
    assert b"--output" in refused.stderr
    assert b"Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("sql", "output"),
    [
        ("select * from pubg.matchs", "Did you mean pubg.matches"),
        ("delete from pubg.matches", "SELECT"),
        ("select nothing from pubg.matches", "nothing"),
    ],
)
def test_a_wrong_query_is_explained_without_a_traceback(gamestats: Gamestats, sql: str, output: str) -> None:
    result = gamestats("query", sql)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert output in result.stderr
    assert "Traceback" not in result.stderr
    assert gamestats("query", sql, "--on", "postgres").exit_code == 1


def test_quarantine_and_ledgers_can_be_queried(gamestats: Gamestats, tournament: Tournament) -> None:
    ids = {row["unit_id"] for row in gamestats.answer("select unit_id from pubg_ledger.raw_matches")}
    assert {match.truth.match_id for match in tournament.matches} <= ids
    gamestats.answer("select table_name, rule from pubg.quarantine")


# --------------------------------------------------------------------------- tables, doctor, env


def test_tables_are_listed_in_a_new_folder_and_nothing_starts(empty: Gamestats) -> None:
    result = empty("tables", "--format", "json")
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert [row["table"] for row in listed] == [table.spec.dotted for table in TABLES]
    assert {(row["rows"], row["freshness"], row["checks"], row["state"]) for row in listed} == {
        (None, "never", "never", "unknown")
    }
    assert not (empty.folder / "postgres").exists()


def test_doctor_tells_what_is_missing_or_broken_and_shows_no_secret(empty: Gamestats) -> None:
    def lines_of(what: str, output: str) -> list[str]:
        return [line.split()[0] for line in output.splitlines() if what in line]

    given = empty("doctor", PUBG_API_KEY="eyJ-secret-key")
    assert given.exit_code == 0, given.output
    assert lines_of("PUBG_API_KEY", given.output) == ["ok"]
    assert lines_of("PUBG_API_KEY", empty("doctor").output) == ["missing"]
    assert not (empty.folder / "postgres").exists()
    broken = empty("doctor", GAMESTATS_POSTGRES_URL="postgresql://me:secret@127.0.0.1:9/none")
    assert broken.exit_code == 1
    assert lines_of("PostgreSQL", broken.output)[0] == "broken"
    assert "secret" not in given.output + broken.output


def test_env_gives_a_shell_what_plain_dagster_needs(gamestats: Gamestats) -> None:
    printed = gamestats("env").stdout
    code = "import dagster; print(len(dagster.DagsterInstance.get().get_run_ids()))"
    output = subprocess.run(
        ["sh", "-c", 'eval "$1"; echo "$DAGSTER_HOME"; exec "$2" -c "$3"', "sh", printed, sys.executable, code],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        cwd=gamestats.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    home, runs = output.stdout.splitlines()
    assert home == str(gamestats.folder / "dagster")
    assert int(runs) > 0, output.stderr


# --------------------------------------------------------------------------- ingest and fetch


def test_of_many_files_only_totals_and_the_quarantined_are_printed(empty: Gamestats, tmp_path: Path) -> None:
    [truth] = simulate_day(tmp_path, DAYS[0], 1, 3, players=20)
    match = (tmp_path / f"{truth.match_id}.match.json").read_bytes()
    for number in range(20):
        (tmp_path / f"copy{number}.gz").write_bytes(gzip.compress(match, mtime=number))
    (tmp_path / "notes.txt").write_text("no match")
    result = empty("ingest", "pubg", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert "23 files: 2 taken, 20 known, 1 quarantined" in result.stdout
    assert "notes.txt" in result.stdout
    assert "copy1.gz" not in result.stdout
    assert "gamestats materialize" in result.stdout
    few = empty("ingest", "pubg", str(tmp_path / "copy1.gz"))
    assert "copy1.gz" in few.stdout


def test_ingesting_logs_reports_skipped_files_and_days_outside(gamestats: Gamestats, tmp_path: Path) -> None:
    def line(time: str) -> str:
        return json.dumps({"#account_id": "a", "#type": "track", "#time": time, "#event_name": "e", "properties": {}})

    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "log.2024-01-02").write_text(f"{line('2024-01-01 10:00:00.000')}\n{line('2023-12-30 10:00:00.000')}\n")
    (folder / "log.2099-01-01_0").write_text(line("2099-01-01 10:00:00.000"))
    for name in ("notes.txt", "photo.png"):
        (folder / name).write_text("x")
    result = gamestats("ingest", "logs", str(folder), "--product", "lines")
    output = " ".join(result.output.split())
    assert result.exit_code == 0, result.output
    assert "2 files, 3 lines: 2 taken" in output
    assert "2 files passed over" in output
    assert "notes.txt" in output
    assert "2024-01-01 of lines gained lines" in output
    assert "1 of the lines (2023-12-30): before 2024-01-01" in output
    assert "1 of the lines (2099-01-01): still to come" in output
    shown = gamestats("materialize", "--select", "demo_data.record_counts")
    assert shown.exit_code == 0, shown.output
    output = " ".join(shown.output.split())
    assert "Landed and in no table, for their days are before the first: lines 2023-12-30." in output
    assert "Landed, and processed when their days have come: lines 2099-01-01." in output


def test_ingesting_only_what_nobody_can_read_fails(empty: Gamestats, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no match")
    result = empty("ingest", "pubg", str(tmp_path / "notes.txt"))
    assert result.exit_code == 1
    assert "Expected JSON" in result.stdout
    assert empty("ingest", "pubg", str(tmp_path / "nowhere")).exit_code == 1


def test_fetching_without_a_key_names_the_key_and_what_works_without(empty: Gamestats) -> None:
    result = empty("fetch", "pubg", "--player", "Somebody")
    assert result.exit_code == 1
    assert "PUBG_API_KEY" in result.stderr
    assert "work without it" in result.stderr


def test_fetch_lands_the_matches_of_a_player(empty: Gamestats, tmp_path: Path) -> None:
    [truth] = simulate_day(tmp_path, DAYS[0], 1, 5, players=20)
    match = json.loads((tmp_path / f"{truth.match_id}.match.json").read_bytes())
    with ApiServer() as server:
        asset = next(item for item in match["included"] if item["type"] == "asset")
        asset["attributes"]["URL"] = f"{server.url}/telemetry.json"
        players = {
            "data": [
                {
                    "type": "player",
                    "id": "account." + "a" * 32,
                    "attributes": {"name": "Somebody", "shardId": "steam"},
                    "relationships": {"matches": {"data": [{"type": "match", "id": truth.match_id}]}},
                }
            ]
        }
        server.answer("/shards/steam/players", Answer(body=json.dumps(players).encode()))
        server.answer(f"/shards/steam/matches/{truth.match_id}", Answer(body=json.dumps(match).encode()))
        telemetry = (tmp_path / f"{truth.match_id}.telemetry.json.gz").read_bytes()
        server.answer("/telemetry.json", Answer(body=telemetry, headers={"Content-Encoding": "gzip"}))
        arguments = ("fetch", "pubg", "--player", "Somebody", "Nobody", "--base-url", server.url)
        result = empty(*arguments, PUBG_API_KEY="a-key")
    assert result.exit_code == 0, result.output
    assert "1 player, 1 match: 1 fetched" in result.stdout
    assert "Nobody" in result.stderr
    kinds = {file.kind for file in Landing(empty.folder / "landing").files("pubg", DAYS[0].isoformat())}
    assert kinds == {"match", "telemetry"}


# --------------------------------------------------------------------------- the whole


def test_help_is_quick_because_nothing_heavy_is_imported(empty: Gamestats) -> None:
    code = "import sys, gamestats_assets.cli; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, env=empty.environment(), capture_output=True, text=True, check=True)
    assert not {"dagster", "polars", "duckdb", "pydantic"} & set(output.stdout.split())
    shown = empty("--help").stdout
    for command in ("demo", "up", "materialize", "rebuild", "query", "tables", "doctor", "ingest", "fetch", "env"):
        assert command in shown


@pytest.mark.parametrize(
    ("setting", "value", "output"),
    [
        ("GAMESTATS_WORKERS", "none-secret", "GAMESTATS_WORKERS"),
        ("GAMESTATS_STORAGE_OPTIONS", "{secret", "GAMESTATS_STORAGE_OPTIONS"),
        ("GAMESTATS_DATA", "ftp://somewhere", "s3://"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_not_shown(
    empty: Gamestats, setting: str, value: str, output: str
) -> None:
    result = empty("tables", **{setting: value})
    assert result.exit_code == 1
    assert output in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr
