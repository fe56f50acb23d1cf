"""Every check of landed files and matches passes on sound data and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.matches import checks
from gamestats_assets.pubg.telemetry import checks as telemetry_checks
from gamestats_assets.pubg.telemetry.events import EVENTS
from gamestats_assets.simulators.pubg.matches import simulate_match
from gamestats_assets_tests.pubg.scenario import bronze, derive
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, breaking, changed, doubled, without

CHECKS = (*telemetry_checks.ALL, *checks.ALL)
BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Every table of two matches: one with both sources, one known by its telemetry alone."""
    both = simulate_match(11, datetime(2026, 3, 14, 20, tzinfo=UTC), players=40)
    alone = simulate_match(12, datetime(2026, 3, 14, 21, tzinfo=UTC), players=24, match_type="custom")
    folder = tmp_path_factory.mktemp("landing")
    return derive(
        bronze(
            folder,
            (both.truth.match_id, "match", both.match_json),
            (both.truth.match_id, "telemetry", both.telemetry_json),
            (alone.truth.match_id, "telemetry", alone.telemetry_json),
        )
    )


# --------------------------------------------------------------------------- planting


STANDING_KILL = (pl.col("event_kind") == "kill") & pl.col("knocker_account_id").is_null()
WITH_OBJECT = pl.col("has_api_stats")
FAR = 1e7
OF_EVENTS = dict.fromkeys(rows.table for rows in EVENTS.values())

VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("match_objects_agree", changed(t.RawMatches, other_files=pl.lit(1, dtype=pl.Int16))),
    ("every_event_of_a_file_is_counted", changed(t.TelemetryFiles, events=pl.col("events") + 1)),
    ("every_event_of_a_file_is_counted", without(t.TelemetryEventCounts)),
    *(("no_more_rows_than_kept_events", doubled(table)) for table in OF_EVENTS),
    *(("every_kept_event_is_a_row", without(table)) for table in OF_EVENTS),
    ("event_types_are_known", doubled(t.TelemetryEventCounts, event_type="LogNewThing", is_wanted=False)),
    ("telemetry_ends_after_it_starts", changed(t.TelemetryFiles, ended_at=pl.col("started_at") - timedelta(seconds=1))),
    ("telemetry_ends_after_it_starts", changed(t.TelemetryFiles, started_at=None)),
    ("participants_belong_to_a_match_object", without(t.RawMatches)),
    ("match_objects_have_all_their_participants", without(t.RawParticipants)),
    ("match_objects_have_all_their_participants", changed(t.RawMatches, participants=3)),
    (
        "accounts_take_part_once",
        doubled(t.RawParticipants, ~pl.col("account_id").str.starts_with("ai."), participant_id="another"),
    ),
    ("every_started_match_has_its_row", without(t.Matches)),
    ("every_started_match_has_its_row", doubled(t.Matches, match_id="never-landed")),
    ("every_started_match_has_its_row", changed(t.Matches, match_date=date(2026, 3, 15))),
    (
        "every_landed_match_tells_its_start",
        doubled(t.TelemetryFiles, match_id="silent", status="unreadable", started_at=None),
    ),
    ("matches_are_of_their_time", changed(t.MatchFacts, started_at=datetime(2016, 12, 31, 23, tzinfo=UTC))),
    ("matches_are_of_their_time", changed(t.MatchFacts, ended_at=datetime(2190, 1, 1, tzinfo=UTC))),
    ("maps_are_known", changed(t.Matches, map_id="Unheard_Main")),
    ("players_are_the_rows_of_a_match", without(t.MatchSummaries)),
    ("players_are_the_rows_of_a_match", without(t.MatchFacts)),
    ("players_are_the_rows_of_a_match", changed(t.MatchFacts, players=pl.col("players") + 1)),
    ("summaries_are_of_those_who_took_part", without(t.MatchSummaries)),
    ("summaries_are_of_those_who_took_part", doubled(t.MatchSummaries, account_id="ai.77")),
    ("summaries_are_of_those_who_took_part", doubled(t.MatchSummaries, account_id="account.stranger")),
    ("both_sources_name_the_same_people", changed(t.MatchSummaries, WITH_OBJECT, has_api_stats=False)),
    ("placements_are_possible", changed(t.MatchSummaries, placement=150)),
    ("placements_are_possible", changed(t.MatchSummaries, pl.col("placement") == 2, placement=3)),
    ("one_team_wins", changed(t.MatchSummaries, WITH_OBJECT & ~pl.col("won"), won=True)),
    ("every_damage_is_an_event", without(t.DamageEvents)),
    ("every_damage_is_an_event", changed(t.DamageEvents, damage=pl.col("damage") + 1)),
    ("damage_is_plausible", changed(t.DamageEvents, damage=1500.0)),
    ("damage_is_plausible", changed(t.DamageEvents, damage=-1.0)),
    ("weapons_are_known", changed(t.DamageEvents, weapon_id="WeapUnheard_C")),
    ("weapons_are_known", changed(t.WeaponKills, weapon_id="WeapUnheard_C")),
    (
        "throwables_are_known",
        changed(t.TelemetryAttacks, pl.col("sub_category") == "Throwable", item_id="Item_Weapon_Unheard_C"),
    ),
    ("every_death_and_knock_is_an_event", without(t.WeaponKills, pl.col("event_kind") == "kill")),
    ("every_death_and_knock_is_an_event", without(t.WeaponKills, pl.col("event_kind") == "knock")),
    (
        "every_death_and_knock_is_an_event",
        doubled(t.WeaponKills, pl.col("event_kind") == "kill", victim_account_id="account.alive"),
    ),
    ("every_death_and_knock_is_an_event", doubled(t.WeaponKills, pl.col("event_kind") == "kill", event_index=999_999)),
    ("stolen_kills_are_kills", changed(t.WeaponKills, STANDING_KILL, is_killsteal=True)),
    ("stolen_kills_are_kills", changed(t.WeaponKills, pl.col("event_kind") == "knock", is_finish_stolen=True)),
    (
        "damage_received_is_all_damage",
        changed(t.MatchSummaries, damage_received=pl.col("damage_received") + 1),
    ),
    (
        "parts_do_not_exceed_the_whole",
        changed(t.MatchSummaries, damage_received_from_players=pl.col("damage_received") + 1),
    ),
    ("parts_do_not_exceed_the_whole", changed(t.MatchSummaries, smokes_thrown=pl.col("throwables_used") + 1)),
    (
        "parts_do_not_exceed_the_whole",
        changed(
            t.MatchSummaries,
            pl.col("max_distance_from_center").is_not_null(),
            avg_distance_from_center=pl.col("max_distance_from_center") + 1,
        ),
    ),
    (
        "parts_do_not_exceed_the_whole",
        changed(
            t.MatchSummaries,
            pl.col("min_distance_from_edge").is_not_null(),
            avg_distance_from_edge=pl.col("min_distance_from_edge") - 1,
        ),
    ),
    ("both_sources_count_the_same_kills", changed(t.MatchSummaries, WITH_OBJECT, kills=pl.col("kills") + 1)),
    ("killsteals_are_part_of_kills", changed(t.MatchSummaries, killsteals=pl.col("kills") + 1)),
    ("every_kill_has_its_position", without(t.KillPositions)),
    ("every_kill_has_its_position", doubled(t.KillPositions, event_index=999_999)),
    ("distribution_adds_up", without(t.PlayerMatchWeaponDistribution, pl.col("total_damage") > 1)),
    (
        "distribution_adds_up",
        changed(t.PlayerMatchWeaponDistribution, total_damage=pl.col("total_damage") + 1),
    ),
    ("distribution_adds_up", changed(t.PlayerMatchWeaponDistribution, total_kills=pl.col("total_kills") + 1)),
    ("distribution_adds_up", changed(t.PlayerMatchWeaponDistribution, knock_downs=pl.col("knock_downs") + 1)),
    (
        "circle_distances_are_consistent",
        changed(t.CirclePositions, distance_from_blue_edge_m=pl.col("distance_from_blue_edge_m") + 1),
    ),
    ("circle_distances_are_consistent", changed(t.CirclePositions, x_m=pl.col("x_m") + 5)),
    ("circle_distances_are_consistent", changed(t.CirclePositions, is_in_safe_zone=~pl.col("is_in_safe_zone"))),
    ("positions_are_on_the_map", changed(t.CirclePositions, x_m=FAR)),
    ("positions_are_on_the_map", changed(t.CirclePositions, y_m=-FAR)),
    ("landings_are_on_the_map", changed(t.Landings, y_m=FAR)),
    ("people_who_landed_have_landings", without(t.Landings)),
    ("people_who_landed_have_landings", doubled(t.Landings, account_id="account.stranger")),
]


# --------------------------------------------------------------------------- tests


class TestChecks(ChecksOfAGame):
    checks, violations, game = CHECKS, VIOLATIONS, staticmethod(game)


def test_unreadable_and_expired_files_break_nothing(sound: Frames) -> None:
    lost = (
        sound[t.TelemetryFiles]
        .head(1)
        .with_columns(
            match_id=pl.lit("gone"),
            status=pl.lit("expired"),
            events=pl.lit(0, pl.Int32),
            started_at=pl.lit(None, pl.Datetime("us", "UTC")),
            ended_at=pl.lit(None, pl.Datetime("us", "UTC")),
        )
    )
    frames = {**sound, t.TelemetryFiles: pl.concat([sound[t.TelemetryFiles], lost])}
    broken = {check.name for check in CHECKS if breaking(check, frames).height}
    assert broken == {"every_landed_match_tells_its_start"}


def test_unknown_weapon_is_named_and_counted(sound: Frames) -> None:
    planted = changed(t.DamageEvents, weapon_id="WeapUnheard_C")(sound)
    [row] = breaking(BY_NAME["weapons_are_known"], {**sound, **planted}).to_dicts()
    assert (row["weapon_id"], row["events"]) == ("WeapUnheard_C", 1)
