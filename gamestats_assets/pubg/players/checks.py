"""Checks across the tables of tracked players: their matches, details and careers.

All of them are blocking: a failure means that rows were lost, duplicated, assigned to the wrong player, or
contradictory.
"""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows, only_in_one, unequal
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.matches import MATCH
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER

HIT_POINTS = 0.01
"""Tolerance of a sum of damage, because the same numbers are added in another order."""
ROUNDED = 1e-6
"""Relative tolerance of a career's sum, whose parts are rounded to six places."""
METRES = 0.001
OWN_MATCH = [TRACKED_PLAYER, *MATCH]
CAREER = [TRACKED_PLAYER, "match_type"]
FLAGS = ["circle_positions_backfilled", "damage_events_backfilled", "weapon_events_backfilled"]


# --------------------------------------------------------------------------- matches and their detail


@breaking_rows(of=t.PlayerMatches)
def matches_are_the_players_own(player_matches: dy.LazyFrame[t.PlayerMatches]) -> pl.LazyFrame:
    """Every match has the result of its tracked player only."""
    return player_matches.filter(pl.col("account_id") != pl.col(TRACKED_PLAYER)).select(
        *OWN_MATCH, "account_id", "player_name"
    )


@breaking_rows(of=t.PlayerCirclePositions)
def positions_are_the_players_own(
    positions: dy.LazyFrame[t.PlayerCirclePositions], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """Every position belongs to the tracked player, in one of their matches with processed telemetry."""
    return _strays(positions, player_matches, ["account_id"])


@breaking_rows(of=t.PlayerDamageEvents)
def damage_is_the_players_own(
    damage: dy.LazyFrame[t.PlayerDamageEvents], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """The tracked player dealt or took every damage, in one of their matches with processed telemetry."""
    return _strays(damage, player_matches, ["attacker_account_id", "victim_account_id"])


@breaking_rows(of=t.WeaponKillEvents)
def kills_are_the_players_own(
    kills: dy.LazyFrame[t.WeaponKillEvents], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """The tracked player is part of every kill and knock, in one of their matches with processed telemetry."""
    return _strays(
        kills,
        player_matches,
        ["killer_account_id", "victim_account_id", "knocker_account_id", "finisher_account_id"],
    )


def _with_telemetry(player_matches: pl.LazyFrame) -> pl.LazyFrame:
    return player_matches.filter(pl.col("telemetry_status") == "processed")


def _strays(rows: pl.LazyFrame, player_matches: pl.LazyFrame, people: Sequence[str]) -> pl.LazyFrame:
    """Returns rows outside the tracked player's processed matches, and rows without the player in any of the columns
    `people`."""
    takes_part = pl.any_horizontal(pl.col(name).eq_missing(pl.col(TRACKED_PLAYER)) for name in people)
    columns = [*OWN_MATCH, "event_index", *people]
    elsewhere = rows.join(_with_telemetry(player_matches), on=OWN_MATCH, how="anti").select(
        *columns, problem=pl.lit("is of no match of the player with telemetry")
    )
    of_others = rows.filter(~takes_part).select(*columns, problem=pl.lit("is about others"))
    return pl.concat([elsewhere, of_others])


@breaking_rows(of=t.PlayerCirclePositions)
def positions_give_the_distances_of_the_match(
    positions: dy.LazyFrame[t.PlayerCirclePositions], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """The distances to the blue circle in the match's result equal those of its positions, so none is missing."""
    center, edge = pl.col("distance_from_blue_center_m"), pl.col("distance_from_blue_edge_m")
    figures = {
        "avg_distance_from_center": center.mean(),
        "max_distance_from_center": center.max(),
        "avg_distance_from_edge": edge.mean(),
        "min_distance_from_edge": edge.min(),
    }
    sampled = positions.group_by(OWN_MATCH).agg(figure.alias(f"sampled_{name}") for name, figure in figures.items())
    return (
        _with_telemetry(player_matches)
        .select(*OWN_MATCH, *figures)
        .join(sampled, on=OWN_MATCH, how="left")
        .filter(pl.any_horizontal(_differ(name, f"sampled_{name}", METRES) for name in figures))
    )


@breaking_rows(of=t.PlayerDamageEvents)
def damage_taken_is_that_of_the_match(
    damage: dy.LazyFrame[t.PlayerDamageEvents], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """The damage that the tracked player took adds up to the damage received in the match's result."""
    taken = (
        damage.filter(pl.col("victim_account_id") == pl.col(TRACKED_PLAYER))
        .group_by(OWN_MATCH)
        .agg(damage_taken=pl.col("damage").sum())
    )
    return (
        _with_telemetry(player_matches)
        .select(*OWN_MATCH, "damage_received")
        .join(taken, on=OWN_MATCH, how="left")
        .with_columns(pl.col("damage_taken").fill_null(0.0))
        .filter(_differ("damage_received", "damage_taken", HIT_POINTS))
    )


@breaking_rows(of=t.WeaponKillEvents)
def stolen_kills_are_those_of_the_match(
    kills: dy.LazyFrame[t.WeaponKillEvents], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """Killsteals and stolen finishes of the tracked player equal those in the match's result."""
    own = pl.col(TRACKED_PLAYER)
    stolen = kills.group_by(OWN_MATCH).agg(
        killsteal_events=(
            pl.col("is_killsteal") & ~pl.col("is_suicide") & pl.col("killer_account_id").eq_missing(own)
        ).sum(),
        finish_stolen_events=(pl.col("is_finish_stolen") & pl.col("finisher_account_id").eq_missing(own)).sum(),
    )
    return (
        _with_telemetry(player_matches)
        .select(*OWN_MATCH, "killsteals", "finishes_stolen")
        .join(stolen, on=OWN_MATCH, how="left")
        .with_columns(pl.col("killsteal_events", "finish_stolen_events").fill_null(0))
        .filter(_differ("killsteals", "killsteal_events") | _differ("finishes_stolen", "finish_stolen_events"))
    )


def _differ(name: str, other: str, tolerance: float = 0.0) -> pl.Expr:
    """Whether two figures differ by more than the tolerance, or only one of them is missing."""
    first, second = (pl.col(each).cast(pl.Float64) for each in (name, other))
    one_missing = first.is_null() != second.is_null()
    return one_missing | ((first - second).abs() > tolerance).fill_null(False)


# --------------------------------------------------------------------------- backfill


@breaking_rows(of=t.PlayerBackfillStatus)
def every_match_has_its_status(
    status: dy.LazyFrame[t.PlayerBackfillStatus], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """Every match of a tracked player has exactly one backfill status, and there are no others."""
    return only_in_one(
        player_matches, status, OWN_MATCH, left_alone="has no status", right_alone="is no match of the player"
    )


@breaking_rows(of=t.PlayerBackfillStatus)
def completed_means_all_kinds(status: dy.LazyFrame[t.PlayerBackfillStatus]) -> pl.LazyFrame:
    """A match is completed if and only if all three kinds of its detail are backfilled."""
    completed = pl.col("backfill_status") == "completed"
    return status.filter(completed != pl.all_horizontal(FLAGS)).select(*OWN_MATCH, "backfill_status", *FLAGS)


@breaking_rows(of=t.PlayerBackfillStatus)
def status_agrees_with_telemetry(
    status: dy.LazyFrame[t.PlayerBackfillStatus], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """The telemetry's status is that of the match; completed requires processed telemetry, and lost telemetry is
    expired."""
    backfilled, of_match = pl.col("backfill_status"), pl.col("status_of_match")
    wrong = (
        (pl.col("telemetry_status") != of_match)
        | ((backfilled == "completed") & (of_match != "processed"))
        | (of_match.is_in(["expired", "unreadable"]) & (backfilled != of_match))
    )
    return (
        status.join(player_matches.select(*OWN_MATCH, status_of_match="telemetry_status"), on=OWN_MATCH)
        .filter(wrong)
        .select(*OWN_MATCH, "backfill_status", "telemetry_status", "status_of_match")
    )


@breaking_rows(of=t.PlayerBackfillStatus)
def backfilled_detail_is_told(
    status: dy.LazyFrame[t.PlayerBackfillStatus],
    positions: dy.LazyFrame[t.PlayerCirclePositions],
    damage: dy.LazyFrame[t.PlayerDamageEvents],
    kills: dy.LazyFrame[t.WeaponKillEvents],
) -> pl.LazyFrame:
    """If there are details of a kind, the status says that the kind is backfilled. A backfilled match may have none."""
    return pl.concat(
        [
            status.filter(~pl.col(flag))
            .join(detail, on=OWN_MATCH, how="semi")
            .select(*OWN_MATCH, "backfill_status", not_told=pl.lit(flag))
            for flag, detail in zip(FLAGS, (positions, damage, kills), strict=True)
        ]
    )


# --------------------------------------------------------------------------- careers


def _of_careers(player_matches: pl.LazyFrame) -> pl.LazyFrame:
    """Returns matches once per career that they count for."""
    counts = player_matches.filter(pl.col("career_type").is_not_null())
    own = counts.filter(pl.col("career_type") != "other").with_columns(match_type="career_type")
    return pl.concat([own, counts.with_columns(match_type=pl.lit("all"))])


def _in_each_career(rows: pl.LazyFrame, player_matches: pl.LazyFrame) -> pl.LazyFrame:
    """Returns detail rows once per career that their match counts for."""
    return rows.join(_of_careers(player_matches).select(*OWN_MATCH, "match_type"), on=OWN_MATCH)


@breaking_rows(of=t.PlayerDamageStats)
def damage_stats_are_the_sum_of_events(
    stats: dy.LazyFrame[t.PlayerDamageStats],
    damage: dy.LazyFrame[t.PlayerDamageEvents],
    player_matches: dy.LazyFrame[t.PlayerMatches],
) -> pl.LazyFrame:
    """Hits and damage of each career and weapon equal the player's damage to people of other teams."""
    figures = ["hits", "damage_dealt", "damage_to_standing"]
    by = [*CAREER, "weapon_id"]
    dealt = pl.max_horizontal("damage", pl.lit(0.0))
    events = (
        _in_each_career(damage, player_matches)
        .filter(_of_enemies("attacker"))
        .with_columns(
            pl.col("weapon_id").fill_null(""),
            hits=pl.lit(1, pl.Int64),
            damage_dealt=dealt,
            damage_to_standing=dealt * (1 - pl.col("victim_was_down").cast(pl.Int8)),
        )
    )
    table, of_events = [
        rows.group_by(by).agg(pl.col("hits").cast(pl.Int64).sum(), pl.col(figures[1:]).sum())
        for rows in (stats, events)
    ]
    return unequal(table, of_events, by, figures, within=ROUNDED)


def _of_enemies(role: str) -> pl.Expr:
    """Whether the tracked player, in a role, did it to another person of another team."""
    others = pl.col("victim_account_id") != pl.col(TRACKED_PLAYER)
    same_team = (pl.col(f"{role}_team_id") == pl.col("victim_team_id")).fill_null(False)
    return (pl.col(f"{role}_account_id") == pl.col(TRACKED_PLAYER)) & others & ~same_team


@breaking_rows(of=t.PlayerWeaponStats)
def weapon_stats_are_the_count_of_events(
    stats: dy.LazyFrame[t.PlayerWeaponStats],
    kills: dy.LazyFrame[t.WeaponKillEvents],
    player_matches: dy.LazyFrame[t.PlayerMatches],
) -> pl.LazyFrame:
    """Kills and knocks of each career and weapon equal the player's kills and knocks of other teams."""
    by = [*CAREER, "weapon_id"]
    events = (
        _in_each_career(kills, player_matches)
        .filter(_of_enemies("killer") & ~pl.col("is_suicide"))
        .group_by(*CAREER, pl.col("weapon_id").fill_null(""))
        .agg(kills=(pl.col("event_kind") == "kill").sum(), knocks=(pl.col("event_kind") == "knock").sum())
    )
    return unequal(stats.select(*by, "kills", "knocks"), events, by, ["kills", "knocks"])


@breaking_rows(of=t.PlayerWeaponStats)
def killsteals_of_weapons_are_those_of_the_matches(
    stats: dy.LazyFrame[t.PlayerWeaponStats], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """Over all weapons, the killsteals of a career equal those in the results of its matches."""
    of_matches = _of_careers(player_matches).group_by(CAREER).agg(pl.col("killsteals").sum())
    return unequal(stats.group_by(CAREER).agg(pl.col("killsteals").sum()), of_matches, CAREER, ["killsteals"])


@breaking_rows(of=t.PlayerAdvancedCareerStats)
def careers_are_the_sum_of_matches(
    careers: dy.LazyFrame[t.PlayerAdvancedCareerStats], player_matches: dy.LazyFrame[t.PlayerMatches]
) -> pl.LazyFrame:
    """Matches, wins, kills and damage of each career equal those in the results of its matches."""
    of_matches = (
        _of_careers(player_matches)
        .group_by(CAREER)
        .agg(
            matches_played=pl.len(),
            wins=pl.col("won").sum(),
            total_kills=pl.col("kills").sum(),
            total_damage_dealt=pl.col("damage_dealt").clip(0.0).sum(),
        )
    )
    figures = ["matches_played", "wins", "total_kills", "total_damage_dealt"]
    return unequal(careers.select(*CAREER, *figures), of_matches, CAREER, figures, within=ROUNDED)


@breaking_rows(of=t.PlayerAdvancedCareerStats)
def all_matches_hold_ranked_and_normal(careers: dy.LazyFrame[t.PlayerAdvancedCareerStats]) -> pl.LazyFrame:
    """A player's career over all matches has at least as many as the ranked and normal ones together."""

    def played(name: str) -> pl.Expr:
        return pl.col("matches_played").filter(pl.col("match_type") == name).sum()

    return (
        careers.group_by(TRACKED_PLAYER)
        .agg(ranked=played("ranked"), normal=played("normal"), in_all=played("all"))
        .filter(pl.col("ranked") + pl.col("normal") > pl.col("in_all"))
    )


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of tracked players, in the order of this module."""
