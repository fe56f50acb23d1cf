"""Participants: values per minute, shares of their team's totals, and values after some minutes."""

from __future__ import annotations

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from gamestats_assets.lol.matches.game_state import at_moments, team_gold_differences
from gamestats_assets.lol.matches.tables import POSITIONS, Matches, Participants
from gamestats_assets.lol.reference.tables import Champions
from gamestats_assets.lol.timelines.tables import RawParticipants, TimelineFrames

MINUTES = (10, 15, 20)
"""Minutes of the game at which gold, experience and minions are recorded."""
_PLAYER = ("match_id", "participant_id")
_STATE = ("gold", "xp", "cs")
_LEADS = tuple(f"team_gold_diff_at_{minute}" for minute in MINUTES)
# Match objects spell it differently from Data Dragon.
_KEY_OF_CHAMPION = {"FiddleSticks": "Fiddlesticks"}


def participants(
    raw: dy.LazyFrame[RawParticipants],
    matches: dy.LazyFrame[Matches],
    frames: dy.LazyFrame[TimelineFrames],
    champions: dy.LazyFrame[Champions],
) -> dy.LazyFrame[Participants]:
    """Returns every participant of every match.

    The champion is looked up by id, or by name if the id is unknown (match objects of patch 10.25 contain ids that no
    champion has). A participant's opponent is the only player with the same position in the other team, provided that
    the participant's team has the position once as well. In the Arena a team is a pair: shares are of the pair and
    there is no opponent. `kill_participation` is null because assists there exceed the pair's kills, and
    `time_dead_share` because dead players wait for the round to end. Shares are null if a participant of the team could
    not be read, or if the share exceeds one. Values at a minute are null if the timeline ends before it or is missing.
    """
    of_match = matches.select("match_id", "duration_s", "has_positions", listed="participants")
    minutes = pl.when(pl.col("duration_s") > 0).then(pl.col("duration_s") / 60)
    is_whole = pl.len().over("match_id") == pl.col("listed")
    is_arena = pl.col("subteam_id").is_not_null()

    def of_side(name: str) -> pl.Expr:
        return pl.when(is_whole).then(pl.col(name).sum().over("match_id", pl.coalesce("subteam_id", "team_id")))

    position = pl.col("team_position")
    players = (
        raw.with_columns(pl.when(pl.col(name) > 0).then(name).alias(name) for name in ("subteam_id", "placement"))
        .with_columns(cs=pl.col("lane_minions_killed") + pl.col("neutral_minions_killed"))
        .join(of_match, on="match_id")
        .with_columns(champion_key=pl.col("champion_name").replace(_KEY_OF_CHAMPION))
        .pipe(_with_champions, champions)
        .with_columns(position=pl.when(pl.col("has_positions") & position.is_in(POSITIONS)).then(position))
    )
    result = (
        players.join(_opponents(players), on=["match_id", "team_id", "position"], how="left")
        .join(_after_minutes(players, frames), on=_PLAYER, how="left")
        .join(_leads_after_minutes(players, frames), on=["match_id", "team_id"], how="left")
        .with_columns(
            riot_id=_riot_id(),
            kda=(pl.col("kills") + pl.col("assists")) / pl.max_horizontal("deaths", 1),
            kill_participation=pl.when(~is_arena).then(
                _share(pl.col("kills") + pl.col("assists"), of_side("kills")),
            ),
            damage_share=_share(pl.col("damage_to_champions"), of_side("damage_to_champions")),
            time_dead_share=pl.when(~is_arena).then(_share(pl.col("time_dead_s"), pl.col("duration_s"))),
            dpm=pl.col("damage_to_champions") / minutes,
            damage_taken_per_minute=pl.col("damage_taken") / minutes,
            gold_per_minute=pl.col("gold_earned") / minutes,
            cs_per_minute=pl.col("cs") / minutes,
            vision_per_minute=pl.col("vision_score") / minutes,
            deaths_per_minute=pl.col("deaths") / minutes,
            first_blood=pl.col("first_blood_kill") | pl.col("first_blood_assist"),
            **{name: pl.when(is_whole).then(name) for name in _LEADS},
            **{f"lane_gold_diff_at_{minute}": _less_opponent(f"gold_at_{minute}") for minute in MINUTES},
        )
    )
    return Participants.cast(result)


def _with_champions(players: pl.LazyFrame, champions: pl.LazyFrame) -> pl.LazyFrame:
    """Returns players with the `champion_id` of their `champion_key` where their own id is unknown."""
    listed = champions.select("champion_id", listed_key=pl.col("champion_key").str.to_lowercase()).unique()
    by_key = listed.group_by("listed_key").agg(id_of_key=pl.col("champion_id").max())
    return (
        players.join(listed.select("champion_id", is_listed=True).unique(), on="champion_id", how="left")
        .join(by_key, left_on=pl.col("champion_key").str.to_lowercase(), right_on="listed_key", how="left")
        .with_columns(
            champion_id=pl.when("is_listed").then("champion_id").otherwise(pl.coalesce("id_of_key", "champion_id"))
        )
    )


def _riot_id() -> pl.Expr:
    name, tagline, summoner = (
        pl.when(pl.col(column) != "").then(column) for column in ("riot_id_name", "riot_id_tagline", "summoner_name")
    )
    return (
        pl.when(name.is_null()).then(summoner).otherwise(pl.concat_str(name, tagline, separator="#", ignore_nulls=True))
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when((whole > 0) & (part <= whole)).then(part / whole)


def _opponents(players: pl.LazyFrame) -> pl.LazyFrame:
    """Returns `match_id`, `team_id`, `position`, `opponent_participant_id` for positions that both teams have once."""
    lanes = (
        players.filter(pl.col("position").is_not_null())
        .group_by("match_id", "team_id", "position")
        .agg(pl.col("participant_id").first(), holders=pl.len())
        .filter(pl.col("holders") == 1)
    )
    theirs = lanes.select("match_id", "position", other="team_id", opponent_participant_id="participant_id")
    return (
        lanes.join(theirs, on=["match_id", "position"])
        .filter(pl.col("team_id") != pl.col("other"))
        .select("match_id", "team_id", "position", "opponent_participant_id")
    )


def _after_minutes(players: pl.LazyFrame, frames: pl.LazyFrame) -> pl.LazyFrame:
    """Returns gold, experience and minions of participants after each of `MINUTES`, as `gold_at_10` and so on."""
    states = frames.select(
        *_PLAYER,
        "timestamp_ms",
        "xp",
        gold="total_gold",
        cs=pl.col("lane_minions_killed") + pl.col("jungle_minions_killed"),
    )
    return _pivoted(at_moments(states, _at_minutes(players.select(_PLAYER)), _STATE, _PLAYER), _STATE, _PLAYER)


def _leads_after_minutes(players: pl.LazyFrame, frames: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each team's gold minus the other team's after each of `MINUTES`."""
    team, value = ("match_id", "team_id"), ("team_gold_diff",)
    moments = _at_minutes(players.select(team).unique())
    return _pivoted(at_moments(team_gold_differences(frames, players), moments, value, team), value, team)


def _at_minutes(rows: pl.LazyFrame) -> pl.LazyFrame:
    minutes = pl.LazyFrame({"minute": MINUTES}, schema={"minute": pl.Int64})
    return rows.join(minutes, how="cross").with_columns(timestamp_ms=60_000 * pl.col("minute"))


def _pivoted(rows: pl.LazyFrame, values: Sequence[str], by: Sequence[str]) -> pl.LazyFrame:
    return rows.group_by(by).agg(
        pl.col(value).filter(pl.col("minute") == minute).first().alias(f"{value}_at_{minute}")
        for value in values
        for minute in MINUTES
    )


def _less_opponent(gold: str) -> pl.Expr:
    """Returns gold minus that of the only opponent in the same position; null if either is unknown."""
    lane = ("match_id", "position")
    is_known = pl.col("opponent_participant_id").is_not_null() & ~pl.col(gold).is_null().any().over(lane)
    return pl.when(is_known).then(2 * pl.col(gold) - pl.col(gold).sum().over(lane))
