"""Careers of tracked players: damage and weapons from details, totals and means from match results.

- There are careers for `ranked` matches, for `normal` ones, and for `all` that count. A match without a career type
  counts nowhere.
- A detail row counts if its match is among the matches of the same tracked player.
- Damage is dealt by the player to enemies, including bots, standing or down. Negative damage counts as zero.
- Kills and knocks are of enemies and credited to the player: no suicides, no team kills.
- Values that a match lacks count as zero in totals and are left out of means.
- The player's name is that of the newest match, even if it does not count; the account identifies the player.
- Duplicate rows count once, and no figure depends on the order of rows.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER

COUNT_NOWHERE = ("airoyale", "training", "event")
"""Match types outside all careers: matches against bots, training, events."""
_TEAM_DEATHMATCH = r"(?i)(^|[^a-z0-9])tdm([^a-z0-9]|$)"
_SIX_PLACES = pl.Decimal(38, 6)

_OWN_MATCH = (TRACKED_PLAYER, "match_id")
_CAREER = (TRACKED_PLAYER, "match_type")
_IN_TIME = ("occurred_at", "match_id", "event_index")
_COUNTED = {
    "wins": "won",
    "total_kills": "kills",
    "total_assists": "assists",
    "total_dbnos": "dbnos",
    "total_killsteals": "killsteals",
    "total_finishes_stolen": "finishes_stolen",
    "total_heals_used": "heals_used",
    "total_boosts_used": "boosts_used",
    "total_throwables_used": "throwables_used",
    "total_smokes_thrown": "smokes_thrown",
}
_SUMMED = {
    "total_damage_dealt": "damage_dealt",
    "total_time_survived_s": "time_survived_s",
    "total_throwable_damage": "throwable_damage",
    "total_damage_received": "damage_received",
    "total_time_outside_zone_s": "time_outside_zone_seconds",
}
_AVERAGED = {
    "avg_distance_from_center_m": "avg_distance_from_center",
    "avg_distance_from_edge_m": "avg_distance_from_edge",
}


def career_type(match_type: str, game_mode: str) -> pl.Expr:
    """Returns the career type of a match from the columns with its type and mode, in any case.

    Competitive matches are `ranked`, official ones `normal`, all others `other`, including an unknown or missing type.
    Null for matches that count nowhere: `COUNT_NOWHERE` and team deathmatch (`tdm` is a word of the mode).
    """
    kind = pl.col(match_type).str.to_lowercase()
    nowhere = kind.is_in(COUNT_NOWHERE) | pl.col(game_mode).str.contains(_TEAM_DEATHMATCH)
    return (
        pl.when(nowhere)
        .then(pl.lit(None, pl.String))
        .when(kind == "competitive")
        .then(pl.lit("ranked"))
        .when(kind == "official")
        .then(pl.lit("normal"))
        .otherwise(pl.lit("other"))
    )


def player_damage_stats(
    damage: dy.LazyFrame[t.PlayerDamageEvents], matches: dy.LazyFrame[t.PlayerMatches]
) -> dy.LazyFrame[t.PlayerDamageStats]:
    """Returns the damage dealt by each tracked player in each career, by weapon and part hit."""
    dealt = pl.col("damage").clip(0.0)
    return t.PlayerDamageStats.cast(
        damage.filter(pl.col("is_given") & (pl.col("attacker_account_id") == pl.col(TRACKED_PLAYER)))
        .unique(t.PlayerDamageEvents.primary_key())
        .join(_counting(matches), on=_OWN_MATCH)
        .with_columns(pl.col("weapon_id", "damage_reason").fill_null(""))
        .group_by(*_CAREER, "weapon_id", "damage_reason")
        .agg(
            pl.col("player_name").first(),
            # Days derived before the catalogue contained a weapon may still list it as Other.
            pl.col("weapon_category").sort_by(*_IN_TIME).last(),
            hits=pl.len(),
            damage_dealt=_total(dealt),
            damage_to_standing=_total(dealt.filter(~pl.col("victim_was_down"))),
            match_count=pl.col("match_id").n_unique(),
        )
    )


def player_weapon_stats(
    kills: dy.LazyFrame[t.WeaponKillEvents], matches: dy.LazyFrame[t.PlayerMatches]
) -> dy.LazyFrame[t.PlayerWeaponStats]:
    """Returns kills and knocks of enemies by each tracked player in each career, by weapon."""
    is_kill = pl.col("event_kind") == "kill"
    distance = pl.col("distance_m").filter(is_kill)
    of_enemies = ~pl.col("is_suicide") & ~pl.col("is_team_kill")
    return t.PlayerWeaponStats.cast(
        kills.filter(of_enemies & (pl.col("killer_account_id") == pl.col(TRACKED_PLAYER)))
        .unique(t.WeaponKillEvents.primary_key())
        .join(_counting(matches), on=_OWN_MATCH)
        .with_columns(pl.col("weapon_id").fill_null(""))
        .group_by(*_CAREER, "weapon_id")
        .agg(
            pl.col("player_name").first(),
            # As with damage, the newest event has the best facts about the weapon.
            pl.col("weapon_name", "weapon_category").sort_by(*_IN_TIME).last(),
            kills=is_kill.sum(),
            headshot_kills=(is_kill & pl.col("damage_reason").eq_missing("HeadShot")).sum(),
            knocks=(pl.col("event_kind") == "knock").sum(),
            killsteals=pl.col("is_killsteal").sum(),
            # Rounding must not raise the mean above the longest.
            avg_kill_distance_m=pl.min_horizontal(_mean(distance), distance.max()),
            max_kill_distance_m=distance.max(),
            match_count=pl.col("match_id").n_unique(),
        )
    )


def player_advanced_career_stats(matches: dy.LazyFrame[t.PlayerMatches]) -> dy.LazyFrame[t.PlayerAdvancedCareerStats]:
    """Returns each tracked player's totals and means in each career. Careers without a match have no row."""
    return t.PlayerAdvancedCareerStats.cast(
        _counting(matches, *_COUNTED.values(), *_SUMMED.values(), *_AVERAGED.values(), "placement", "telemetry_status")
        .group_by(_CAREER)
        .agg(
            pl.col("player_name").first(),
            *(pl.col(of).sum().alias(name) for name, of in _COUNTED.items()),
            *(_total(pl.col(of).clip(0.0)).alias(name) for name, of in _SUMMED.items()),
            *(_mean(pl.col(of)).alias(name) for name, of in _AVERAGED.items()),
            matches_played=pl.len(),
            matches_with_telemetry=(pl.col("telemetry_status") == "processed").sum(),
            average_placement=pl.col("placement").mean(),
            first_match_at=pl.col("started_at").min(),
            latest_match_at=pl.col("started_at").max(),
        )
    )


def _counting(matches: pl.LazyFrame, *figures: str) -> pl.LazyFrame:
    """Returns each counting match once for `all`, and once for its own career: _OWN_MATCH, match_type, player_name.

    The name is the player's newest; `figures` are further columns to keep.
    """
    newest_name = pl.col("player_name").sort_by("started_at", "match_id").last().over(TRACKED_PLAYER)
    once = (
        matches.unique(t.PlayerMatches.primary_key())
        .with_columns(player_name=newest_name)
        .filter(pl.col("career_type").is_not_null())
        .select(*_OWN_MATCH, "player_name", "career_type", "started_at", *figures)
    )
    return pl.concat(
        [
            once.with_columns(match_type=pl.lit("all")),
            once.filter(pl.col("career_type") != "other").with_columns(match_type="career_type"),
        ]
    ).drop("career_type")


def _total(figure: pl.Expr) -> pl.Expr:
    """Returns the sum to six places. Decimals add up to the same in any order; floats do not."""
    return figure.cast(_SIX_PLACES).sum().cast(pl.Float64)


def _mean(figure: pl.Expr) -> pl.Expr:
    """Returns the mean of known values; null without any."""
    known = figure.count()
    return pl.when(known > 0).then(_total(figure) / known)
