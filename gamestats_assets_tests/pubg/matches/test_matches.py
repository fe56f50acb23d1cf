"""Matches and who took part in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.matches import (
    estimated_start,
    match_facts,
    matches,
    metres,
    participation,
    seconds_since,
)
from gamestats_assets_tests.pubg.scenario import START, at, file_row, frames_of, rows, run

OBJECT = {
    "content_hash": "h",
    "created_at": at(120),
    "duration_s": 100,
    "game_mode": "squad-fpp",
    "match_type": "custom",
    "map_id": "Baltic_Main",
    "is_custom_match": True,
    "shard_id": "steam",
    "participants": 3,
    "rosters": 2,
}


def participant(account: str, team: int | None, **given: Any) -> dict[str, Any]:
    return {
        "participant_id": f"p.{account}",
        "account_id": account,
        "player_name": account.title(),
        "team_id": team,
    } | given


def character(account: str, team: int, moment: str = "start", **given: Any) -> dict[str, Any]:
    return {"account_id": account, "team_id": team, "moment": moment, "player_name": account.upper()} | given


def made(objects: Any = (), participants: Any = (), files: Any = None, characters: Any = ()) -> pl.DataFrame:
    given = {t.RawMatches: objects, t.RawParticipants: participants, t.TelemetryCharacters: characters}
    return run(match_facts, frames_of(given) | ({} if files is None else {t.TelemetryFiles: files}))


def test_with_both_sources_the_start_is_the_telemetrys() -> None:
    row = made([OBJECT], files=file_row()).row(0, named=True)
    assert (row["started_at"], row["start_source"], row["ended_at"]) == (START, "telemetry", at(100))
    assert (row["telemetry_status"], row["map_name"], row["match_type"]) == ("processed", "Erangel", "custom")
    assert row["duration_s"] == 100


def test_without_telemetry_the_start_is_the_storing_less_the_duration() -> None:
    row = made([OBJECT]).row(0, named=True)
    assert (row["started_at"], row["start_source"], row["ended_at"]) == (at(20), "api", at(120))
    assert row["telemetry_status"] == "pending"


def test_an_object_whose_telemetry_was_stored_a_duration_later_holds_the_start() -> None:
    given = OBJECT | {"duration_s": 1800}
    stored = at(120) + timedelta(seconds=1800)
    assert made([given | {"telemetry_created_at": stored}])["started_at"].item() == at(120)
    assert made([given | {"telemetry_created_at": at(130)}])["started_at"].item() == at(120) - timedelta(seconds=1800)


def test_telemetry_alone_makes_a_match() -> None:
    row = made(files=file_row(), characters=[character("account.a", 1)]).row(0, named=True)
    assert (row["started_at"], row["ended_at"], row["duration_s"]) == (START, at(100), 100)
    assert (row["game_mode"], row["match_type"], row["shard_id"]) == (None, None, None)
    assert (row["map_name"], row["is_custom_match"], row["players"]) == ("Erangel", True, 1)


def test_status_of_the_telemetry() -> None:
    for status in ("expired", "unreadable"):
        files = file_row(status=status, started_at=None, ended_at=None, map_id=None)
        row = made([OBJECT], files=files).row(0, named=True)
        assert (row["telemetry_status"], row["start_source"], row["map_id"]) == (status, "api", "Baltic_Main")
        assert made(files=files).is_empty()


def test_an_unknown_map_keeps_its_id_for_a_name() -> None:
    assert made([OBJECT | {"map_id": "Moon_Main"}])["map_name"].item() == "Moon_Main"


def test_head_counts() -> None:
    listed = [
        participant("account.a", 1),
        participant("account.b", 1),
        participant("account.c", None, roster_id="r"),
        participant("ai.1", 3),
    ]
    started = [
        character("account.a", 1),
        character("account.d", 2),
        character("account.e", 2, character_type="user_ai"),
    ]
    from_api = made([OBJECT], listed, file_row()).row(0, named=True)
    assert (from_api["players"], from_api["teams"], from_api["bots"]) == (3, 3, 1)
    played = made(files=file_row(), characters=started).row(0, named=True)
    assert (played["players"], played["teams"], played["bots"]) == (2, 2, 1)


def test_several_matches_do_not_mix() -> None:
    other = OBJECT | {"match_id": "other"}
    frame = made(
        [OBJECT, other], [participant("account.a", 1), participant("account.a", 1, match_id="other")], file_row()
    )
    assert frame.height == 2
    assert dict(frame.select("match_id", "telemetry_status").iter_rows()) == {"m": "processed", "other": "pending"}
    assert frame["players"].to_list() == [1, 1]


def test_participation_joins_the_two_sources_per_account() -> None:
    frame = participation(
        rows(
            t.RawParticipants,
            participant("account.a", 1),
            participant("account.a", 1, participant_id="p.again"),
            participant("account.z", 4),
        ).lazy(),
        rows(
            t.TelemetryCharacters,
            character("account.a", 1),
            character("account.b", 2, player_name=None),
            character("account.a", 7, "end"),
            character("account.z", 4, character_type="user_ai"),
            character("", 0),
        ).lazy(),
    ).collect()
    people = {row["account_id"]: row for row in frame.iter_rows(named=True)}
    assert people.keys() == {"account.a", "account.b", "account.z"}
    assert (people["account.a"]["team_id"], people["account.a"]["in_match_object"]) == (1, True)
    assert (people["account.b"]["player_name"], people["account.b"]["in_match_object"]) == ("account.b", False)
    assert people["account.z"]["is_bot"] is True


@pytest.mark.parametrize(("stored_after", "start_after"), [(1499, -1800), (1500, 0), (1915, 0), (None, -1800)])
def test_five_minutes_are_allowed_between_a_duration_and_the_storing(
    stored_after: int | None, start_after: int
) -> None:
    stored = None if stored_after is None else START + timedelta(seconds=stored_after)
    given = OBJECT | {"created_at": START, "duration_s": 1800, "telemetry_created_at": stored}
    assert rows(t.RawMatches, given).select(estimated_start()).item() == START + timedelta(seconds=start_after)


def test_an_object_without_a_duration_starts_when_it_was_created() -> None:
    row = made([OBJECT | {"duration_s": None}]).row(0, named=True)
    assert (row["started_at"], row["ended_at"], row["duration_s"]) == (at(120), None, None)


def test_telemetry_without_an_end_ends_a_duration_after_its_start() -> None:
    assert made([OBJECT | {"duration_s": 77}], files=file_row(ended_at=None))["ended_at"].item() == at(77)


def test_telemetry_that_ends_before_it_starts_has_no_length() -> None:
    assert made(files=file_row(ended_at=at(-5)))["duration_s"].item() is None


def test_the_list_at_the_end_counts_only_where_there_is_none_of_the_start() -> None:
    end = [character("account.a", 1, "end"), character("account.b", 2, "end", list_index=1)]
    both = made(files=file_row(), characters=[character("account.a", 1), *end]).row(0, named=True)
    assert (both["players"], both["teams"]) == (1, 1)
    alone = made(files=file_row(), characters=end).row(0, named=True)
    assert (alone["players"], alone["teams"]) == (2, 2)


def test_who_started_and_is_missing_in_the_match_object_counts_too() -> None:
    started = [character("account.a", 1), character("account.b", 2, list_index=1)]
    row = made([OBJECT], [participant("account.a", 1)], file_row(), started).row(0, named=True)
    assert (row["players"], row["teams"]) == (2, 2)


def counting(*contexts: dict[str, Any]) -> pl.DataFrame:
    """Published rows of the matches `a` and `b`, given what some matches count for."""
    usual = {"start_source": "api", "telemetry_status": "pending"}
    facts = rows(t.MatchFacts, *({"match_id": match_id, **usual} for match_id in ("a", "b")))
    return matches(
        facts.lazy(),  # pyright: ignore[reportArgumentType]
        rows(t.MatchTournamentContext, *contexts).lazy(),  # pyright: ignore[reportArgumentType]
    ).collect()


def test_an_override_is_told_with_its_reason_and_its_admin() -> None:
    by_hand = {"is_overridden": True, "override_reason": "played for a bet", "override_admin": "kim"}
    rows = counting({"match_id": "a", **by_hand})["match_id", "is_overridden", "override_reason", "overridden_by"]
    assert set(rows.rows()) == {("a", True, "played for a bet", "kim"), ("b", False, None, None)}


def test_a_match_that_nobody_decided_on_has_neither_reason_nor_admin() -> None:
    rows = counting({"match_id": "a", "is_tournament_match": True})
    assert rows.select("is_overridden", "override_reason", "overridden_by").unique().rows() == [(False, None, None)]


def test_rows_from_before_overrides_were_told_keep_the_declaration() -> None:
    added = ("override_reason", "overridden_by")
    before = counting().with_columns(pl.lit(None, t.Matches.schema()[name]).alias(name) for name in added)
    assert screen(t.Matches, before).rejections == []


def test_metres_do_not_depend_on_which_rows_are_made_together() -> None:
    rows = pl.DataFrame({"cm": [156691.6875, 35432.4375, 0.0625, 7.0]})
    together = rows.select(metres(pl.col("cm"))).to_series().to_list()
    assert together == [rows[row].select(metres(pl.col("cm"))).item() for row in range(rows.height)]
    assert together == [1566.916875, 354.324375, 0.000625, 0.07]


def test_seconds_of_a_row_are_the_same_in_a_frame_of_one_row_and_of_many() -> None:
    start = datetime(2026, 3, 14, tzinfo=UTC)
    rows = pl.DataFrame(
        {"started_at": [start] * 500, "occurred_at": [start + timedelta(microseconds=987_653 * n) for n in range(500)]}
    )
    seconds = seconds_since("started_at").alias("s")
    alone = [rows[number : number + 1].select(seconds).item() for number in range(500)]
    assert rows.select(seconds)["s"].to_list() == alone == [987_653 * number / 1_000_000 for number in range(500)]
