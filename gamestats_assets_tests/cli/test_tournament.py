"""`gamestats tournament` and `gamestats players`, over a server of their own."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.pubg.tables import MatchFacts
from gamestats_assets_tests.cli.runner import Admin
from gamestats_assets_tests.pubg.tournament.entering import lake_with

KIM = "account." + "1" * 32


@pytest.fixture
def season(admin: Admin) -> str:
    """A season with a division, a team and a round."""
    admin.does("tournament", "season", "add", "fall", "--name", "Fall 2026", "--time-zone", "Europe/Berlin")
    admin.does("tournament", "division", "add", "fall", "Division 1")
    admin.does("tournament", "team", "add", "fall", "Division 1", "Alpha", "--tag", "ALP")
    admin.does("tournament", "round", "add", "fall", "Division 1", "1", "--first", "2026-10-03")
    return "fall"


def test_a_season_is_set_up_in_the_order_that_the_help_teaches(admin: Admin, tmp_path: Path) -> None:
    rosters, schedule = tmp_path / "rosters.csv", tmp_path / "schedule.csv"
    rosters.write_text("division,team,player\nDivision 1,Alpha,Kim\nDivision 1,Beta,Lee\n")
    schedule.write_text("division,round,match,scheduled_at\nDivision 1,1,1,2026-10-03 18:00\n")
    shown = admin.does("tournament", "--help")
    steps = [line.split("tournament ")[1] for line in shown.splitlines() if line.strip().startswith("gamestats ")]
    order = ["season add", "division add", "roster import", "round add", "schedule import"]
    assert [" ".join(step.split()[:2]) for step in steps] == order
    admin.does("tournament", "season", "add", "fall-2026", "--name", "Fall 2026", "--time-zone", "Europe/Berlin")
    admin.does("tournament", "division", "add", "fall-2026", "Division 1")
    output = admin.does("tournament", "roster", "import", "fall-2026", str(rosters), "--valid-from", "2026-10-01")
    assert "rosters.csv: 2 rows: 2 teams created, 2 roster entries created." in output
    admin.does("tournament", "round", "add", "fall-2026", "Division 1", "1", "--first", "2026-10-03")
    output = admin.does("tournament", "schedule", "import", "fall-2026", str(schedule))
    assert "1 slot created" in output
    assert admin.lists("tournament", "season", "list")[0]["teams"] == 2
    assert admin.lists("tournament", "round", "list", "fall-2026")[0]["matches"] == 1
    output = admin.does("tournament", "roster", "import", "fall-2026", str(rosters), "--valid-from", "2026-10-01")
    assert "2 teams unchanged, 2 roster entries unchanged" in output


def test_everything_can_be_added_changed_and_listed_by_name(admin: Admin, season: str) -> None:
    t = "tournament"
    admin.does(t, "season", "change", season, "--points", "12,8", "--tie-breakers", "kills,wins")
    admin.does(t, "group", "add", season, "division 1", "A")
    admin.does(t, "group", "change", season, "Division 1", "a", "--name", "Red")
    admin.does(t, "division", "change", season, "Division 1", "--name", "Elite")
    admin.does(t, "team", "change", season, "alpha", "--group", "Red", "--tag", "none")
    admin.does(t, "roster", "add", season, "Alpha", "Kim", "--from", "2026-10-01", "--account", KIM)
    output = admin.does(t, "roster", "change", season, "Alpha", "Kim", "--until", "2026-10-31", "--role", "substitute")
    assert "role player -> substitute" in output
    admin.does(t, "roster", "change", season, "Alpha", "Kim", "--until", "none")
    admin.does(t, "round", "change", season, "Elite", "1", "--status", "active", "--last", "2026-10-04")
    admin.does(t, "schedule", "add", season, "Elite", "1", "1", "2026-10-03 18:00", "--map", "Erangel")
    admin.does(t, "schedule", "change", season, "Elite", "1", "1", "--at", "2026-10-03 19:00", "--map", "any")
    place = ("--season", season, "--division", "Elite", "--round", "1", "--match", "1")
    admin.does(t, "override", "add", "m-1", "--reason", "late", "--admin", "ada", *place)
    admin.does(t, "override", "change", "m-1", "--reason", "crash", "--status", "remake_failed")

    [listed] = admin.lists(t, "season", "list")
    assert (listed["placement_points"], listed["tie_breakers"]) == ([12, 8], ["kills", "wins"])
    assert admin.lists(t, "division", "list", season)[0]["groups"] == ["Red"]
    assert admin.lists(t, "group", "list", season) == [
        {"season": season, "division": "Elite", "group": "Red", "teams": 1}
    ]
    [team] = admin.lists(t, "team", "list", season)
    assert (team["team"], team["group"], team["tag"], team["players"]) == ("Alpha", "Red", None, 1)
    [entry] = admin.lists(t, "roster", "list", season, "--on", "2026-12-01")
    assert (entry["account_id"], entry["role"], entry["valid_until"]) == (KIM, "substitute", None)
    [played] = admin.lists(t, "round", "list", season)
    assert (played["status"], played["last_day"], played["matches"]) == ("active", "2026-10-04", 1)
    [slot] = admin.lists(t, "schedule", "list", season)
    assert (slot["scheduled_at"], slot["map"]) == ("2026-10-03 19:00+02:00", None)
    [override] = admin.lists(t, "override", "list")
    assert (override["round"], override["match"], override["status"], override["reason"]) == (
        1,
        1,
        "remake_failed",
        "crash",
    )
    admin.does(t, "override", "remove", "m-1")
    admin.does(t, "roster", "remove", season, "Alpha", "Kim")
    assert admin.lists(t, "override", "list") == admin.lists(t, "roster", "list", season) == []


def test_players_are_added_listed_changed_and_imported(admin: Admin, tmp_path: Path) -> None:
    admin.does("players", "add", "Kim", "--account", KIM, "--backfill-days", "30")
    assert "is tracked already" in admin.fails("players", "add", KIM)
    output = admin.does("players", "change", "Kim", "--inactive", "--name", "NewKim")
    assert "is_active yes -> no; player_name Kim -> NewKim" in output
    file = tmp_path / "players.csv"
    file.write_text("player,backfill_days\nLee,10\n")
    assert "Nothing was written" in admin.does("players", "import", str(file), "--dry-run")
    assert "1 tracked player created" in admin.does("players", "import", str(file))
    listed = [
        (row["player"], row["account_id"], row["active"], row["backfill_days"])
        for row in admin.lists("players", "list")
    ]
    assert listed == [("Lee", None, True, 10), ("NewKim", KIM, False, 30)]


def test_the_account_of_a_name_comes_from_the_matches_of_the_lake(admin: Admin, season: str, tmp_path: Path) -> None:
    lake_with(tmp_path / "data" / "lake", ("Kim", KIM, date(2026, 9, 1)))
    file = tmp_path / "entered.csv"
    file.write_text("division,team,player,valid_from\nDivision 1,Alpha,Kim,2026-11-01\n")
    admin.does("players", "add", "Kim")
    admin.does("tournament", "roster", "add", season, "Alpha", "Kim", "--from", "2026-10-01", "--until", "2026-10-02")
    admin.does("tournament", "roster", "import", season, str(file))
    assert [row["account_id"] for row in admin.lists("players", "list")] == [KIM]
    assert [row["account_id"] for row in admin.lists("tournament", "roster", "list", "--team", "alpha")] == [KIM, KIM]
    assert "no team 'Alfa'; did you mean Alpha?" in admin.fails(
        "tournament", "roster", "list", season, "--team", "Alfa"
    )


def test_mistakes_are_one_message_and_exit_code_1(admin: Admin, season: str, tmp_path: Path) -> None:
    t = "tournament"
    assert "did you mean Division 1?" in admin.fails(t, "division", "change", season, "Divison 1", "--name", "X")
    output = admin.fails(t, "schedule", "add", season, "Division 1", "1", "1", "2026-10-25 02:30")
    assert "comes twice in Europe/Berlin" in output
    assert "'1.10.2026' is not a valid" in admin.fails(
        t, "roster", "add", season, "Alpha", "Kim", "--from", "1.10.2026"
    )
    file = tmp_path / "rosters.csv"
    file.write_text("division,team,player,role\nDivision 1,Alpha,Kim,coach\nDivision 9,Alpha,Lee,\n")
    output = admin.fails(t, "roster", "import", season, str(file), "--valid-from", "2026-10-01")
    assert "2 mistakes; nothing was imported" in output
    assert "row 2, role: 'coach'" in output
    assert "row 3, division: There is no division 'Division 9'" in output
    assert "The decision is empty" in admin.fails(t, "override", "add", "m-1", "--reason", "late")
    output = admin.fails(t, "override", "add", "m-1", "--reason", "late", "--round", "1")
    assert "--season, --division and --round together" in output
    assert "No such file" in admin.fails(t, "roster", "import", season, str(tmp_path / "none.csv"))
    assert admin.lists(t, "roster", "list", season) == []


def test_a_dry_run_says_what_it_would_do_and_does_nothing(admin: Admin, season: str) -> None:
    t, dry = "tournament", "--dry-run"
    before = admin.lists(t, "team", "list")
    for arguments, output in (
        (("add", season, "Division 1", "Beta"), "created   team Beta of Division 1"),
        (("change", season, "Alpha", "--tag", "A"), "changed   team Alpha of Division 1: tag ALP -> A"),
        (("remove", season, "Alpha"), "removed   team Alpha of Division 1"),
    ):
        shown = admin.does(t, "team", *arguments, dry)
        assert output in shown
        assert "Nothing was written; without --dry-run it is." in shown
    assert "exists already" in admin.fails(t, "team", "add", season, "Division 1", "alpha", dry)
    assert admin.lists(t, "team", "list") == before


def test_who_entered_something_is_the_user_of_the_machine(
    admin: Admin, season: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    admin.does("tournament", "division", "add", season, "Division 2")
    admin.does("tournament", "override", "add", "m-1", "--no-tournament", "--reason", "warm-up")
    with connect(admin.url) as conn:
        created = conn.execute("SELECT created_by FROM ops.divisions WHERE division = 'Division 2'").fetchone()
        decided = conn.execute("SELECT admin FROM ops.match_overrides").fetchone()
    assert created == decided == ("ada",)


def played(folder: Path, *telemetry: tuple[date, str]) -> None:
    """A lake in which Kim played a match on each of the days, with telemetry of that status."""
    lake = lake_with(folder / "lake", *(("Kim", KIM, day) for day, _ in telemetry))
    output = {"start_source": "api", "players": 1, "teams": 1, "bots": 0}
    facts = [
        dict.fromkeys(MatchFacts.column_names())
        | {"match_id": f"m-{number}", "match_date": day, "telemetry_status": status}
        | {"started_at": datetime(day.year, day.month, day.day, 20, tzinfo=UTC), **output}
        for number, (day, status) in enumerate(telemetry)
    ]
    days = [day for day, _ in telemetry]
    assert lake.replace(MatchFacts, pl.DataFrame(facts, schema=MatchFacts.schema()), partitions=days).rows == len(days)


def test_a_backfill_says_first_what_there_is_and_is_cancelled_again(admin: Admin, tmp_path: Path) -> None:
    played(tmp_path / "data", (date(2026, 3, 14), "processed"))
    admin.does("players", "add", "Kim", "--backfill-days", "0")
    asked = ("players", "backfill", "Kim", "--from", "2026-03-01", "--to", "2026-03-31")
    output = admin.does(*asked, "--dry-run")
    assert "Kim, 2026-03-01 to 2026-03-31: 1 match found, 1 with telemetry, 0 expired." in output
    [before] = admin.lists("players", "status", "Kim")
    assert (before["matches"], before["to take"], before["state"]) == (0, 0, "up to date")
    assert "Backfill 2 is requested." in admin.does(*asked)
    [asked_for] = admin.lists("players", "status")
    assert (asked_for["matches"], asked_for["taken"], asked_for["to take"]) == (1, 0, 1)
    assert asked_for["state"] == "waits to be requested"
    with connect(admin.url) as conn:
        assert conn.execute("SELECT matches_found, matches_with_telemetry FROM ops.backfills").fetchall()[-1] == (1, 1)
    output = admin.does("players", "cancel", "Kim")
    assert "2 backfills of Kim cancelled, 0 runs ended." in output
    [after] = admin.lists("players", "status", "Kim")
    assert (after["matches"], after["to take"]) == (0, 0)


def test_a_player_whose_matches_are_being_taken_up_is_not_removed(
    admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dagster as dg

    class Going:
        """An instance with a run for a range of players."""

        def __enter__(self) -> Going:
            return self

        def __exit__(self, *_: object) -> None: ...

        def get_runs(self, wanted: dg.RunsFilter) -> list[dg.DagsterRun]:
            assert wanted.tags == {"gamestats/kind": "tracked_player"}
            assert dg.DagsterRunStatus.QUEUED in wanted.statuses
            return [dg.DagsterRun("job", run_id="0123456789", tags=self.tags)]

        tags: ClassVar[dict[str, str]] = {"dagster/asset_partition_range_start": KIM}

    monkeypatch.setattr("gamestats_assets.orchestration.runs.instance.dagster_instance", lambda stores: Going())
    admin.does("players", "add", "Kim", "--account", KIM)
    output = admin.fails("players", "remove", "Kim")
    assert "Run 01234567 takes up matches" in output
    assert "gamestats players change Kim --inactive" in output
    Going.tags = {"dagster/partition": "account." + "2" * 32, "gamestats/partitions": f"account.{'2' * 32},{KIM}"}
    assert "Kim is one of them" in admin.fails("players", "remove", "Kim")
    Going.tags = {"dagster/partition": "account." + "2" * 32}
    admin.does("players", "remove", "Kim")


def test_matches_that_could_not_be_fetched_are_counted_and_listed(admin: Admin) -> None:
    def doctor() -> list[str]:
        return [line for line in admin("doctor").output.splitlines() if "players matches" in line]

    admin.does("players", "list")
    assert (doctor(), admin.lists("players", "matches")) == ([], [])
    with connect(admin.url) as conn:
        conn.execute(
            "INSERT INTO ops.matches_discovered (match_id, shard, discovered_by, state, last_error) VALUES"
            " ('m-1', 'steam', 'tournament', 'failed', 'broken'), ('m-2', 'steam', 'tournament', 'expired', NULL),"
            " ('m-3', 'kakao', 'tracked_players', 'failed', 'broken'), ('m-4', 'kakao', 'tournament', 'archived', NULL)"
        )
    [output] = doctor()
    assert "kakao: 1 failed; steam: 1 failed, 1 expired. See: gamestats players matches" in " ".join(output.split())
    reasons = {row["match_id"]: row["reason"] for row in admin.lists("players", "matches", "--state", "failed")}
    assert reasons == {"m-1": "broken", "m-3": "broken"}
    assert len(admin.lists("players", "matches", "--state", "all")) == 4
    assert "'lost' is none of" in admin.fails("players", "matches", "--state", "lost")


def test_a_backfill_of_nobody_tracked_or_of_unreadable_days_is_refused(admin: Admin) -> None:
    admin.does("players", "add", "Lee")
    assert "No player 'Kim' is tracked" in admin.fails("players", "backfill", "Kim")
    assert "account of Lee is unknown" in admin.fails("players", "backfill", "Lee")
    assert "Give --days, or --from and --to." in admin.fails(
        "players", "backfill", "Lee", "--days", "3", "--from", "2026-01-01", code=2
    )
    [status] = admin.lists("players", "status")
    assert status["state"] == "account unknown until a match names the player"
