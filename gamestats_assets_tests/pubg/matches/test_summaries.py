"""Match summaries: against the simulator's truth, against the real file read by hand, and rule by rule."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets.simulators.pubg.matches import simulate_match
from gamestats_assets.simulators.pubg.truth import MatchTruth
from gamestats_assets_tests.pubg.scenario import at, bronze, complete, derive, file_row, rows

REAL = "c2fb5093-866c-4d6d-96bf-7abf755094af"
THROWN = {"BP_FireEffectController_C", "BP_MolotovFireDebuff_C"}
# Circles are known every ten seconds and shrink steadily in between, but where a shrink begins or ends.
ZONE_TOLERANCE_M = 0.5
Event = dict[str, Any]

# --------------------------------------------------------------------------- the simulator's truth


@pytest.mark.parametrize(
    ("seed", "version", "with_object"),
    [(0, "v2", True), (1, "v2", False), (2, "v1", True), (3, "v1", False)],
)
def test_every_figure_of_a_full_match_is_the_planted_one(
    seed: int, version: Any, with_object: bool, tmp_path: Path
) -> None:
    match = simulate_match(seed, datetime(2026, 3, 14, 20, tzinfo=UTC), telemetry_version=version)
    files = [(match.truth.match_id, "telemetry", match.telemetry_json)]
    if with_object:
        files.append((match.truth.match_id, "match", match.match_json))
    made = derive(bronze(tmp_path, *files), [t.MatchSummaries, t.Matches])
    _compare(made[t.MatchSummaries], match.truth, assists=with_object or version == "v2")
    row = made[t.Matches].row(0, named=True)
    assert (row["players"], row["teams"], row["bots"]) == (match.truth.players, match.truth.teams, match.truth.bots)
    assert row["started_at"] == match.truth.started_at
    kills = made[t.WeaponKills]["event_kind"].value_counts()
    assert dict(kills.iter_rows()) == {"kill": match.truth.kills, "knock": match.truth.knocks}


def _compare(summaries: pl.DataFrame, truth: MatchTruth, *, assists: bool) -> None:
    """Every planted figure that the table has; a file of version 1 tells no list of assists."""
    assert set(summaries["account_id"]) == truth.players_truth.keys()
    names = {field.name for field in dataclasses.fields(next(iter(truth.players_truth.values())))}
    compared = (names & set(summaries.columns)) - (set() if assists else {"assists"})
    assert len(compared) >= 25
    for row in summaries.iter_rows(named=True):
        planted = truth.players_truth[row["account_id"]]
        for name in sorted(compared):
            expected, found = getattr(planted, name), row[name]
            if "distance_from" in name and expected is not None:
                assert found == pytest.approx(expected, abs=ZONE_TOLERANCE_M), name
            elif name == "time_survived_s":
                assert found == pytest.approx(expected, abs=0.51), name  # the match object rounds to seconds
            elif isinstance(expected, float):
                assert found == pytest.approx(expected, abs=0.001), name
            else:
                assert found == expected, name


# --------------------------------------------------------------------------- rule by rule

PEOPLE = ("account.a", "account.b", "account.c")
TEAMS = {"account.a": 1, "account.b": 1, "account.c": 2}
ENHANCED = (
    "killsteals",
    "finishes_stolen",
    "heals_used",
    "boosts_used",
    "throwables_used",
    "smokes_thrown",
    "throwable_damage",
    "damage_received",
    "damage_received_from_players",
    "time_outside_zone_seconds",
)
ZONE = ("avg_distance_from_center", "avg_distance_from_edge", "max_distance_from_center", "min_distance_from_edge")


def lists(*moments: str, **rankings: int) -> pl.DataFrame:
    """The three people in the lists of the given moments."""
    return rows(
        t.TelemetryCharacters,
        *(
            {
                "list_index": index,
                "moment": moment,
                "account_id": person,
                "player_name": person[-1].upper(),
                "team_id": TEAMS[person],
                "ranking": rankings.get(person[-1], 0) if moment == "end" else 0,
            }
            for moment in moments
            for index, person in enumerate(PEOPLE)
        ),
    )


def summary(person: str = "account.a", **tables: Any) -> dict[str, Any]:
    """The person's row in a match of telemetry alone, made of the given bronze frames by table name."""
    by_name = {table.spec.name: table for table in t.ALL}
    given = {t.TelemetryFiles: file_row(), t.TelemetryCharacters: lists("start")}
    given |= {
        by_name[name]: frame if isinstance(frame, pl.DataFrame) else rows(by_name[name], *frame)
        for name, frame in tables.items()
    }
    frame = derive(complete(given), [t.MatchSummaries])[t.MatchSummaries]
    return frame.row(by_predicate=pl.col("account_id") == person, named=True)


def test_who_did_nothing_has_zeros_and_no_zone_figures() -> None:
    row = summary()
    assert {name: row[name] for name in ENHANCED} == dict.fromkeys(ENHANCED, 0)
    assert {row[name] for name in ZONE} == {None}
    assert (row["kills"], row["damage_dealt"], row["has_api_stats"], row["has_telemetry"]) == (0, 0.0, False, True)
    assert (row["death_type"], row["kill_place"], row["walk_distance_m"], row["heals"]) == (None,) * 4


@pytest.mark.parametrize("status", ["pending", "expired", "unreadable"])
def test_without_telemetry_its_columns_are_null(status: str) -> None:
    files = pl.DataFrame(schema=t.TelemetryFiles.schema())
    if status != "pending":
        files = file_row(status=status, started_at=None, ended_at=None)
    row = summary(
        telemetry_files=files,
        telemetry_characters=[],
        raw_matches=[{"created_at": at(120), "duration_s": 100, "content_hash": "h"}],
        raw_participants=[
            {
                "participant_id": "p",
                "account_id": "account.a",
                "player_name": "A",
                "kills": 3,
                "win_place": 2,
                "won": False,
            }
        ],
    )
    assert {row[name] for name in (*ENHANCED, *ZONE)} == {None}
    assert (row["kills"], row["placement"], row["has_api_stats"], row["has_telemetry"]) == (3, 2, True, False)


def test_a_match_objects_statistics_stand_even_where_telemetry_differs() -> None:
    participants = [
        {"participant_id": "p", "account_id": "account.a", "player_name": "A", "team_id": 1, "kills": 3, "heals": 9}
    ]
    tables: dict[str, Any] = {
        "raw_matches": [{"created_at": at(120), "duration_s": 100, "content_hash": "h"}],
        "raw_participants": participants,
    }
    listed = summary(**tables)
    assert (listed["kills"], listed["heals"], listed["heals_used"], listed["assists"]) == (3, 9, 0, None)
    unlisted = summary("account.c", **tables)
    assert (unlisted["has_api_stats"], unlisted["kills"], unlisted["heals"]) == (False, 0, None)


def test_items_used_count_once_and_not_in_the_lobby() -> None:
    use = {"account_id": "account.a", "item_id": "Item_Heal_Bandage_C", "sub_category": "Heal"}
    boost = use | {"item_id": "Item_Boost_PainKiller_C", "sub_category": "Boost"}
    ammo = use | {"item_id": "Item_Ammo_9mm_C", "sub_category": "None"}
    uses = [use | {"t": 5}, use | {"t": 5}, use | {"t": 9}, use | {"t": -5, "phase": 0.0}, boost | {"t": 5}, ammo]
    row = summary(telemetry_item_uses=uses)
    assert (row["heals_used"], row["boosts_used"]) == (2, 1)


def throw(attack_id: int | None, item: str, kind: str = "LogPlayerUseThrowable", **given: Any) -> dict[str, Any]:
    return {
        "event_type": kind,
        "attack_id": attack_id,
        "account_id": "account.a",
        "item_id": f"Item_Weapon_{item}_C",
        "sub_category": "Throwable",
    } | given


def test_throws_are_counted_by_one_kind_of_event() -> None:
    uses = [throw(1, "Grenade"), throw(2, "SmokeBomb"), throw(2, "SmokeBomb"), throw(3, "FlashBang"), throw(4, "Apple")]
    attacks = [throw(n, "Grenade", "LogPlayerAttack") for n in (1, 8, 9)]
    rifle = throw(7, "AK47", "LogPlayerAttack", sub_category="Main")
    row = summary(telemetry_attacks=[*uses, *attacks, rifle])
    assert (row["throwables_used"], row["smokes_thrown"]) == (3, 1)
    old = summary(telemetry_attacks=[*attacks, rifle, throw(None, "SmokeBomb", "LogPlayerAttack", t=3)])
    assert (old["throwables_used"], old["smokes_thrown"]) == (4, 1)


def test_throws_in_the_lobby_or_by_others_do_not_count() -> None:
    row = summary(telemetry_attacks=[throw(1, "Grenade", phase=0.0), throw(2, "Grenade", account_id="account.b")])
    assert row["throwables_used"] == 0


def hit(attacker: str | None, damage: float, **given: Any) -> dict[str, Any]:
    return {
        "attacker_account_id": attacker,
        "attacker_team_id": TEAMS.get(attacker or "", 5),
        "victim_account_id": "account.a",
        "victim_team_id": 1,
        "damage": damage,
        "damage_causer_name": "WeapHK416_C",
    } | given


def test_damage_received_is_all_and_that_from_players_is_by_people_while_standing() -> None:
    zone = {"damage_type_category": "Damage_BlueZone", "damage_causer_name": "BattleRoyaleModeController_Def_C"}
    row = summary(
        telemetry_damage=[
            hit("account.c", 1.0, t=1),
            hit("account.b", 2.0, t=2),  # a team mate
            hit("ai.1", 4.0, t=3),
            hit("account.a", 8.0, t=4),  # a fall
            hit(None, 16.0, t=5, **zone),
            hit(None, 0.0, t=5, **zone),  # the same tick again
            hit(None, 32.0, t=6, **zone),
            hit("account.c", 64.0, t=11),  # down by then
        ],
        telemetry_knocks=[{"t": 10, "victim_account_id": "account.a", "attacker_account_id": "account.c"}],
    )
    assert row["damage_received"] == 127.0
    assert row["damage_received_from_players"] == 3.0
    assert row["time_outside_zone_seconds"] == pytest.approx(2 * 1.03)


def test_damage_given_and_by_throwables() -> None:
    hits = [
        hit("account.c", 10.0),
        hit("account.c", 20.0, damage_causer_name="ProjGrenade_C"),
        hit("account.c", 40.0, damage_causer_name="BP_MolotovFireDebuff_C", victim_account_id="ai.9", victim_team_id=7),
        hit("account.c", 80.0, damage_causer_name="ProjGrenade_C", victim_account_id="account.c", victim_team_id=2),
        hit("account.c", 160.0, damage_causer_name="ProjGrenade_C", victim_account_id="account.d", victim_team_id=2),
    ]
    row = summary("account.c", telemetry_damage=hits)
    assert (row["damage_dealt"], row["throwable_damage"], row["damage_received"]) == (70.0, 60.0, 80.0)


def kill(killer: str | None, victim: str, **given: Any) -> dict[str, Any]:
    return {
        "event_version": 2,
        "killer_account_id": killer,
        "killer_team_id": TEAMS.get(killer or "", 5),
        "victim_account_id": victim,
        "victim_team_id": TEAMS.get(victim, 6),
        "damage_reason": "HeadShot",
        "distance_cm": 4200.0,
    } | given


def test_kills_from_telemetry() -> None:
    row = summary(
        telemetry_kills=[
            kill("account.a", "account.c", t=10),
            kill("account.a", "ai.4", t=11, distance_cm=900.0, damage_reason="ArmShot"),
            kill("account.a", "account.b", t=12, distance_cm=99_000.0),  # a team mate
            kill("account.a", "account.a", t=13),
            kill("account.c", "account.x", t=14, assist_account_ids=["account.a"]),
        ],
        telemetry_revives=[
            {"t": 3, "reviver_account_id": "account.a", "victim_account_id": "account.b"},
            {"t": 3, "reviver_account_id": "account.a", "victim_account_id": "account.b"},
        ],
        telemetry_knocks=[
            {"t": 2, "event_index": 50 + n, "attacker_account_id": "account.a", "attacker_team_id": 1}
            | {"victim_account_id": victim, "victim_team_id": TEAMS[victim]}
            for n, victim in enumerate(PEOPLE)
        ],
    )
    found = {name: row[name] for name in ("kills", "headshot_kills", "team_kills", "assists", "revives", "dbnos")}
    assert found == {"kills": 2, "headshot_kills": 1, "team_kills": 1, "assists": 1, "revives": 1, "dbnos": 1}
    assert (row["longest_kill_m"], row["time_survived_s"]) == (42.0, 13.0)


def test_placement_from_the_list_at_the_end_the_deaths_or_being_last() -> None:
    ended = summary("account.c", telemetry_characters=lists("start", "end", a=1, b=1, c=2))
    assert (ended["placement"], ended["won"], ended["time_survived_s"]) == (2, False, 100.0)
    death = [kill("account.a", "account.c", t=10, victim_ranking=2)]
    assert summary("account.c", telemetry_kills=death)["placement"] == 2
    last = summary("account.b", telemetry_kills=death)
    assert (last["placement"], last["won"]) == (1, True)
    broken_off = summary(telemetry_files=file_row(ended_at=None), telemetry_kills=death)
    assert (broken_off["placement"], broken_off["won"], broken_off["time_survived_s"]) == (None, None, None)
    assert summary()["placement"] is None


def test_who_returns_survives_until_the_last_death() -> None:
    landings = [{"t": second, "account_id": "account.a", "parachute_distance_m": float(second)} for second in (1, 40)]
    first = kill("account.c", "account.a", t=20)
    assert summary(telemetry_kills=[first], telemetry_landings=landings)["time_survived_s"] == 100.0
    again = [first, kill("account.c", "account.a", t=70, event_index=9)]
    assert summary(telemetry_kills=again, telemetry_landings=landings)["time_survived_s"] == 70.0


def test_bots_and_those_who_only_waited_have_no_rows() -> None:
    characters = pl.concat(
        [
            lists("start"),
            rows(t.TelemetryCharacters, {"list_index": 9, "moment": "start", "account_id": "ai.1", "team_id": 4}),
        ]
    )
    given = {t.TelemetryFiles: file_row(), t.TelemetryCharacters: characters}
    made = derive(complete(given), [t.MatchSummaries])[t.MatchSummaries]
    assert sorted(made["account_id"]) == list(PEOPLE)


def test_a_person_listed_twice_has_one_row_of_the_longer_survival() -> None:
    entry = {"account_id": "account.a", "player_name": "A"}
    row = summary(
        raw_matches=[{"created_at": at(120), "duration_s": 100, "content_hash": "h"}],
        raw_participants=[
            entry | {"participant_id": "p", "time_survived_s": 10.0, "kills": 1},
            entry | {"participant_id": "q", "time_survived_s": 90.0, "kills": 2},
        ],
    )
    assert (row["kills"], row["time_survived_s"]) == (2, 90.0)


def test_people_of_a_match_whose_start_nothing_tells_have_no_rows() -> None:
    given = {t.TelemetryFiles: file_row(started_at=None, ended_at=None), t.TelemetryCharacters: lists("start")}
    assert derive(complete(given), [t.MatchSummaries])[t.MatchSummaries].is_empty()
