"""Every check of tracked players passes on sound data and finds the violation planted for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.assets import game
from gamestats_assets.pubg.players import checks as player_checks
from gamestats_assets.pubg.players.careers import player_advanced_career_stats, player_damage_stats
from gamestats_assets_tests.pubg.players.test_careers import CAREERS, simulated_players
from gamestats_assets_tests.pubg.scenario import made_by, run
from gamestats_assets_tests.support.checks import ChecksOfAGame
from gamestats_assets_tests.support.frames import Frames, Planted, breaking, changed, doubled, without

BY_NAME = {check.name: check for check in player_checks.ALL}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """The tables of four tracked players, careers included."""
    frames, _ = simulated_players(tmp_path_factory.mktemp("landing"))
    return frames | {(of := made_by(function)): run(function, frames).sort(of.primary_key()) for function in CAREERS}


OWN = pl.col("tracked_player")
PROCESSED = pl.col("telemetry_status") == "processed"
SAMPLED = PROCESSED & pl.col("avg_distance_from_center").is_not_null()
COMPLETED = pl.col("backfill_status") == "completed"
TAKEN = (pl.col("victim_account_id") == OWN) & (pl.col("damage") > 1)
GIVEN = pl.col("is_given") & (pl.col("attacker_account_id") == OWN) & (pl.col("damage") > 1)
CREDITED = (
    (pl.col("killer_account_id") == OWN)
    & (pl.col("victim_account_id") != OWN)
    & ~pl.col("is_suicide")
    & ~pl.col("is_team_kill")
)
IN_ALL = pl.col("match_type") == "all"
STRANGER = "account.stranger"
COUNTED_TOO = changed(t.PlayerMatches, pl.col("career_type").is_null() & (pl.col("kills") > 0), career_type="other")
"""The first match with kills that counts nowhere counts in a career after all."""


def nobody_is_the_player(frames: Frames) -> Planted:
    """A kill in which all of the four are somebody else."""
    people = ("killer_account_id", "victim_account_id", "knocker_account_id", "finisher_account_id")
    return changed(t.WeaponKillEvents, **dict.fromkeys(people, STRANGER))(frames)


def without_match(table: type[Table], where: pl.Expr) -> Callable[[Frames], Planted]:
    """All rows of a table in the match of the first row that `where` holds for are gone."""

    def plant(frames: Frames) -> Planted:
        frame = frames[table]
        row = frame.filter(where).select("tracked_player", "match_id").head(1)
        return {table: frame.join(row, on=row.columns, how="anti")}

    return plant


def not_told(flag: str, detail: type[Table]) -> Callable[[Frames], Planted]:
    """The status of the first match that has detail of a kind says that it has none."""

    def plant(frames: Frames) -> Planted:
        who, match_id = frames[detail].select("tracked_player", "match_id").row(0)
        is_it = OWN.eq(who) & pl.col("match_id").eq(match_id)
        return changed(t.PlayerBackfillStatus, is_it, **{flag: False})(frames)

    return plant


VIOLATIONS: list[tuple[str, Callable[[Frames], Planted]]] = [
    ("matches_are_the_players_own", changed(t.PlayerMatches, account_id=STRANGER)),
    ("matches_are_the_players_own", doubled(t.PlayerMatches, account_id=STRANGER)),
    ("positions_are_the_players_own", changed(t.PlayerCirclePositions, account_id=STRANGER)),
    ("positions_are_the_players_own", changed(t.PlayerCirclePositions, tracked_player=STRANGER)),
    ("positions_are_the_players_own", changed(t.PlayerCirclePositions, match_id="unheard")),
    ("positions_are_the_players_own", changed(t.PlayerCirclePositions, match_date=date(2026, 3, 15))),
    ("positions_are_the_players_own", without(t.PlayerMatches, SAMPLED)),
    ("positions_are_the_players_own", changed(t.PlayerMatches, SAMPLED, telemetry_status="pending")),
    ("positions_give_the_distances_of_the_match", without(t.PlayerCirclePositions)),
    (
        "positions_give_the_distances_of_the_match",
        without_match(t.PlayerCirclePositions, pl.col("account_id") == OWN),
    ),
    *(
        (
            "positions_give_the_distances_of_the_match",
            changed(t.PlayerMatches, pl.col(name).is_not_null(), **{name: pl.col(name) + 0.01}),
        )
        for name in (
            "avg_distance_from_center",
            "max_distance_from_center",
            "avg_distance_from_edge",
            "min_distance_from_edge",
        )
    ),
    (
        "positions_give_the_distances_of_the_match",
        changed(t.PlayerMatches, pl.col("avg_distance_from_edge").is_not_null(), avg_distance_from_edge=None),
    ),
    ("damage_is_the_players_own", changed(t.PlayerDamageEvents, GIVEN, attacker_account_id=STRANGER)),
    ("damage_is_the_players_own", changed(t.PlayerDamageEvents, GIVEN, attacker_account_id=None)),
    ("damage_is_the_players_own", changed(t.PlayerDamageEvents, tracked_player=STRANGER)),
    ("damage_is_the_players_own", changed(t.PlayerDamageEvents, match_id="unheard")),
    ("damage_is_the_players_own", changed(t.PlayerMatches, PROCESSED, telemetry_status="unreadable")),
    ("damage_taken_is_that_of_the_match", without(t.PlayerDamageEvents, TAKEN)),
    ("damage_taken_is_that_of_the_match", doubled(t.PlayerDamageEvents, TAKEN, event_index=999_999)),
    ("damage_taken_is_that_of_the_match", changed(t.PlayerDamageEvents, TAKEN, damage=pl.col("damage") + 0.02)),
    ("damage_taken_is_that_of_the_match", without_match(t.PlayerDamageEvents, TAKEN)),
    (
        "damage_taken_is_that_of_the_match",
        changed(t.PlayerMatches, PROCESSED, damage_received=pl.col("damage_received") + 1),
    ),
    ("damage_taken_is_that_of_the_match", changed(t.PlayerMatches, PROCESSED, damage_received=None)),
    ("kills_are_the_players_own", nobody_is_the_player),
    ("kills_are_the_players_own", changed(t.WeaponKillEvents, tracked_player=STRANGER)),
    ("kills_are_the_players_own", changed(t.WeaponKillEvents, match_id="unheard")),
    ("kills_are_the_players_own", changed(t.PlayerMatches, PROCESSED, telemetry_status="expired")),
    (
        "stolen_kills_are_those_of_the_match",
        changed(t.WeaponKillEvents, CREDITED & pl.col("is_killsteal"), is_killsteal=False),
    ),
    (
        "stolen_kills_are_those_of_the_match",
        changed(t.WeaponKillEvents, CREDITED & ~pl.col("is_killsteal"), is_killsteal=True),
    ),
    ("stolen_kills_are_those_of_the_match", without(t.WeaponKillEvents, CREDITED & pl.col("is_killsteal"))),
    (
        "stolen_kills_are_those_of_the_match",
        without(t.WeaponKillEvents, pl.col("is_finish_stolen") & (pl.col("finisher_account_id") == OWN)),
    ),
    ("stolen_kills_are_those_of_the_match", changed(t.PlayerMatches, PROCESSED, killsteals=pl.col("killsteals") + 1)),
    (
        "stolen_kills_are_those_of_the_match",
        changed(t.PlayerMatches, PROCESSED, finishes_stolen=pl.col("finishes_stolen") + 1),
    ),
    ("stolen_kills_are_those_of_the_match", changed(t.PlayerMatches, PROCESSED, killsteals=None)),
    ("every_match_has_its_status", without(t.PlayerBackfillStatus)),
    ("every_match_has_its_status", without(t.PlayerMatches)),
    ("every_match_has_its_status", doubled(t.PlayerBackfillStatus, match_id="unheard")),
    ("every_match_has_its_status", doubled(t.PlayerBackfillStatus, tracked_player=STRANGER)),
    *(
        ("completed_means_all_kinds", changed(t.PlayerBackfillStatus, COMPLETED, **{flag: False}))
        for flag in player_checks.FLAGS
    ),
    ("completed_means_all_kinds", changed(t.PlayerBackfillStatus, COMPLETED, backfill_status="pending")),
    ("completed_means_all_kinds", changed(t.PlayerBackfillStatus, ~COMPLETED, backfill_status="completed")),
    ("status_agrees_with_telemetry", changed(t.PlayerBackfillStatus, PROCESSED, telemetry_status="pending")),
    ("status_agrees_with_telemetry", changed(t.PlayerBackfillStatus, ~PROCESSED, backfill_status="completed")),
    *(
        (
            "status_agrees_with_telemetry",
            lambda frames, lost=lost: {
                **changed(t.PlayerBackfillStatus, ~PROCESSED, telemetry_status=lost)(frames),
                **changed(t.PlayerMatches, ~PROCESSED, telemetry_status=lost)(frames),
            },
        )
        for lost in ("expired", "unreadable")
    ),
    *(
        ("backfilled_detail_is_told", not_told(flag, detail))
        for flag, detail in (
            ("circle_positions_backfilled", t.PlayerCirclePositions),
            ("damage_events_backfilled", t.PlayerDamageEvents),
            ("weapon_events_backfilled", t.WeaponKillEvents),
        )
    ),
    *(
        ("damage_stats_are_the_sum_of_events", changed(t.PlayerDamageStats, where, **values))
        for where in (IN_ALL, pl.col("match_type") == "ranked", pl.col("match_type") == "normal")
        for values in (
            {"hits": pl.col("hits") + 1},
            {"damage_dealt": pl.col("damage_dealt") + 0.02},
            {"damage_to_standing": pl.col("damage_to_standing") + 0.02},
            {"weapon_id": "WeapUnheard_C"},
            {"tracked_player": STRANGER},
        )
    ),
    ("damage_stats_are_the_sum_of_events", without(t.PlayerDamageStats, IN_ALL)),
    ("damage_stats_are_the_sum_of_events", without(t.PlayerDamageEvents, GIVEN)),
    ("damage_stats_are_the_sum_of_events", doubled(t.PlayerDamageEvents, GIVEN, event_index=999_999)),
    (
        "damage_stats_are_the_sum_of_events",
        changed(t.PlayerDamageEvents, GIVEN, attacker_team_id=pl.col("victim_team_id")),
    ),
    (
        "damage_stats_are_the_sum_of_events",
        changed(t.PlayerMatches, PROCESSED & (pl.col("kills") > 0), career_type=None),
    ),
    *(
        ("weapon_stats_are_the_count_of_events", changed(t.PlayerWeaponStats, where, **values))
        for where in (IN_ALL, pl.col("match_type") == "ranked", pl.col("match_type") == "normal")
        for values in (
            {"kills": pl.col("kills") + 1},
            {"knocks": pl.col("knocks") + 1},
            {"weapon_id": "WeapUnheard_C"},
            {"tracked_player": STRANGER},
        )
    ),
    ("weapon_stats_are_the_count_of_events", without(t.PlayerWeaponStats, IN_ALL)),
    ("weapon_stats_are_the_count_of_events", without(t.WeaponKillEvents, CREDITED)),
    ("weapon_stats_are_the_count_of_events", changed(t.WeaponKillEvents, CREDITED, is_suicide=True)),
    (
        "weapon_stats_are_the_count_of_events",
        changed(t.WeaponKillEvents, CREDITED, killer_team_id=pl.col("victim_team_id")),
    ),
    ("weapon_stats_are_the_count_of_events", COUNTED_TOO),
    (
        "killsteals_of_weapons_are_those_of_the_matches",
        changed(t.PlayerWeaponStats, pl.col("killsteals") > 0, killsteals=pl.col("killsteals") - 1),
    ),
    ("killsteals_of_weapons_are_those_of_the_matches", without(t.PlayerWeaponStats, pl.col("killsteals") > 0)),
    (
        "killsteals_of_weapons_are_those_of_the_matches",
        changed(
            t.PlayerMatches,
            PROCESSED & pl.col("career_type").is_not_null(),
            killsteals=pl.col("killsteals").fill_null(0) + 1,
        ),
    ),
    *(
        ("careers_are_the_sum_of_matches", changed(t.PlayerAdvancedCareerStats, where, **values))
        for where in (IN_ALL, pl.col("match_type") == "ranked", pl.col("match_type") == "normal")
        for values in (
            {"total_kills": pl.col("total_kills") + 1},
            {"matches_played": pl.col("matches_played") + 1},
            {"wins": pl.col("wins") + 1},
            {"total_damage_dealt": pl.col("total_damage_dealt") + 0.02},
            {"tracked_player": STRANGER},
        )
    ),
    ("careers_are_the_sum_of_matches", without(t.PlayerAdvancedCareerStats, IN_ALL)),
    ("careers_are_the_sum_of_matches", COUNTED_TOO),
    ("careers_are_the_sum_of_matches", without(t.PlayerMatches, pl.col("career_type") == "other")),
    ("all_matches_hold_ranked_and_normal", changed(t.PlayerAdvancedCareerStats, IN_ALL, matches_played=1)),
    (
        "all_matches_hold_ranked_and_normal",
        changed(
            t.PlayerAdvancedCareerStats,
            pl.col("match_type") == "ranked",
            matches_played=pl.col("matches_played").max().over("tracked_player"),
        ),
    ),
    ("all_matches_hold_ranked_and_normal", without(t.PlayerAdvancedCareerStats, IN_ALL)),
]


class TestChecks(ChecksOfAGame):
    checks, violations, game = player_checks.ALL, VIOLATIONS, staticmethod(game)


def test_every_check_blocks_and_reads_the_player_s_own_tables() -> None:
    for check in player_checks.ALL:
        assert check.blocking, check.name
        assert {table.spec.partitioned_by for table in check.inputs.values()} == {"tracked_player"}, check.name


def test_violation_names_the_player_it_concerns_and_no_other(sound: Frames) -> None:
    last = sound[t.PlayerDamageEvents].filter(TAKEN)["tracked_player"][-1]
    planted = without(t.PlayerDamageEvents, TAKEN & OWN.eq(last))(sound)
    found = breaking(BY_NAME["damage_taken_is_that_of_the_match"], {**sound, **planted})
    assert found["tracked_player"].to_list() == [last]


def test_one_players_partition_passes_by_itself(sound: Frames) -> None:
    for who in sound[t.PlayerMatches]["tracked_player"].unique():
        own = {table: frame.filter(OWN.eq(who)) for table, frame in sound.items()}
        assert [check.name for check in player_checks.ALL if breaking(check, own).height] == []


def test_match_without_detail_to_give_is_completed_all_the_same(sound: Frames) -> None:
    """Who left before anything happened has neither positions nor damage nor kills, and all three are backfilled."""
    one = sound[t.PlayerMatches].filter(SAMPLED).head(1)
    key = ["tracked_player", "match_id"]
    nothing = {
        **dict.fromkeys(("damage_received", "killsteals", "finishes_stolen"), 0),
        **dict.fromkeys(("avg_distance_from_center", "max_distance_from_center"), None),
        **dict.fromkeys(("avg_distance_from_edge", "min_distance_from_edge"), None),
    }
    detail = (t.PlayerCirclePositions, t.PlayerDamageEvents, t.WeaponKillEvents)
    frames = {
        **sound,
        **changed(t.PlayerMatches, SAMPLED, **nothing)(sound),
        **{table: sound[table].join(one, on=key, how="anti") for table in detail},
    }
    assert all(frames[table].height < sound[table].height for table in detail)
    of_detail = [check for check in player_checks.ALL if check.table in (*detail, t.PlayerBackfillStatus)]
    assert [check.name for check in of_detail if breaking(check, frames).height] == []


def test_result_that_is_null_or_below_zero_counts_as_nothing_in_a_career(sound: Frames) -> None:
    silent = dict.fromkeys(("kills", "won", "damage_dealt", "killsteals"))
    nulls = changed(t.PlayerMatches, pl.col("career_type") == "ranked", **silent)(sound)
    matches = changed(t.PlayerMatches, pl.col("career_type") == "normal", damage_dealt=-3.0)(nulls)
    careers = run(player_advanced_career_stats, matches)
    frames = {**sound, **matches, t.PlayerAdvancedCareerStats: careers}
    assert breaking(BY_NAME["careers_are_the_sum_of_matches"], frames).is_empty()


def test_damage_below_zero_counts_as_none_in_a_career(sound: Frames) -> None:
    planted = changed(t.PlayerDamageEvents, GIVEN, damage=-3.0)(sound)
    stats = run(player_damage_stats, {**sound, **planted})
    frames = {**sound, **planted, t.PlayerDamageStats: stats}
    assert breaking(BY_NAME["damage_stats_are_the_sum_of_events"], frames).is_empty()


def test_many_rounded_hits_are_no_violation(sound: Frames) -> None:
    """The career adds up whole millionths: of 40,000 hits, each rounded down by 0.4 of one, 0.016 is lost."""
    own = ["tracked_player", "match_id"]
    normal = sound[t.PlayerMatches].filter(pl.col("career_type") == "normal")
    one = sound[t.PlayerDamageEvents].filter(GIVEN).join(normal, on=own, how="semi").head(1)
    match = normal.join(one, on=own, how="semi")
    many = pl.concat([one] * 40_000).with_columns(
        damage=pl.lit(10.0000004), event_index=pl.int_range(pl.len(), dtype=pl.Int32)
    )
    stats = run(player_damage_stats, {t.PlayerDamageEvents: many, t.PlayerMatches: match})
    exact = 40_000 * 10.0000004
    assert (stats["damage_dealt"] - exact).abs().to_list() == pytest.approx([0.016, 0.016], abs=1e-6)
    frames = {**sound, t.PlayerMatches: match, t.PlayerDamageEvents: many, t.PlayerDamageStats: stats}
    assert breaking(BY_NAME["damage_stats_are_the_sum_of_events"], frames).is_empty()
