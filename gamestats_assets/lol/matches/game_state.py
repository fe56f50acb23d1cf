"""State of a game at a moment: values of timeline frames, and gold differences.

Frames are about one minute apart, with a drift; the last one is the end of the game. Values between two frames are
interpolated by time. If a value must not include the effect of the moment itself, the last frame at or before the
moment is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from gamestats_assets.lakehouse.sums import quotient

MATCH = ("match_id", "match_date")
"""Columns that begin every table of matches."""
PARTICIPANT = [*MATCH, "participant_id"]
_AT = "timestamp_ms"


def in_seconds(milliseconds: str) -> pl.Expr:
    """Returns a column of whole milliseconds in seconds."""
    return quotient(pl.col(milliseconds), 1000, 3)


def at_moments(
    frames: pl.LazyFrame, moments: pl.LazyFrame, values: Sequence[str], by: Sequence[str], *, interpolate: bool = True
) -> pl.LazyFrame:
    """Returns moments with the values of frames.

    Args:
        frames: columns `by`, `timestamp_ms` and the values, one row per frame.
        moments: columns `by`, `timestamp_ms` and others.
        values: columns to copy.
        by: key of frames and moments, such as match and participant.
        interpolate: whether to interpolate between the frames around the moment; otherwise the last frame at or before
            it is used.

    Returns:
        The moments with the values as Float64: null before the first frame and, if interpolated, after the last.
    """
    known = frames.select(*by, _AT, *(pl.col(name).cast(pl.Float64) for name in values)).sort(_AT)
    asked = moments.sort(_AT)
    before = known.rename({name: f"{name}_before" for name in values}).with_columns(at_before=pl.col(_AT))
    found = asked.join_asof(before, on=_AT, by=list(by), strategy="backward", check_sortedness=False)
    if not interpolate:
        return found.rename({f"{name}_before": name for name in values}).drop("at_before")
    after = known.rename({name: f"{name}_after" for name in values}).with_columns(at_after=pl.col(_AT))
    found = found.join_asof(after, on=_AT, by=list(by), strategy="forward", check_sortedness=False)
    span = pl.col("at_after") - pl.col("at_before")
    part = pl.when(span == 0).then(0.0).otherwise((pl.col(_AT) - pl.col("at_before")) / span)
    return found.with_columns(
        (pl.col(f"{name}_before") + (pl.col(f"{name}_after") - pl.col(f"{name}_before")) * part).alias(name)
        for name in values
    ).drop("at_before", "at_after", *(f"{name}_{side}" for name in values for side in ("before", "after")))


def team_gold_differences(frames: pl.LazyFrame, participants: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each team's gold minus the other team's, at every frame with the gold of every participant.

    Args:
        frames: rows of `TimelineFrames`.
        participants: `match_id`, `participant_id`, `team_id`, `subteam_id`.

    Returns:
        `match_id`, `team_id`, `timestamp_ms`, `team_gold_diff`; without the Arena, where a team consists of many pairs.
    """
    teams = participants.filter(pl.col("subteam_id").is_null()).select("match_id", "participant_id", "team_id")
    gold = (
        frames.select("match_id", "participant_id", "frame_index", _AT, "total_gold")
        .join(teams, on=["match_id", "participant_id"])
        .group_by("match_id", "frame_index", _AT)
        .agg(
            blue=pl.col("total_gold").filter(pl.col("team_id") == 100).sum(),
            red=pl.col("total_gold").filter(pl.col("team_id") == 200).sum(),
            known=pl.col("total_gold").count(),
        )
        .join(teams.group_by("match_id").agg(listed=pl.len()), on="match_id")
        .filter(pl.col("known") == pl.col("listed"))
    )
    sides = pl.LazyFrame({"team_id": [100, 200], "sign": [1, -1]}, schema={"team_id": pl.Int16, "sign": pl.Int32})
    lead = (pl.col("sign") * (pl.col("blue") - pl.col("red"))).cast(pl.Float64)
    return gold.join(sides, how="cross").select("match_id", "team_id", _AT, team_gold_diff=lead)


def lane_gold_differences(frames: pl.LazyFrame, participants: pl.LazyFrame) -> pl.LazyFrame:
    """Returns each participant's gold minus that of the opponent in the same position, at every frame.

    Args:
        frames: rows of `TimelineFrames`.
        participants: `match_id`, `participant_id`, `opponent_participant_id`.

    Returns:
        `match_id`, `participant_id`, `timestamp_ms`, `lane_gold_diff`; without participants who have no opponent.
    """
    gold = frames.select("match_id", "participant_id", "frame_index", _AT, "total_gold")
    pairs = participants.select("match_id", "participant_id", "opponent_participant_id").drop_nulls()
    theirs = gold.rename({"participant_id": "opponent_participant_id", "total_gold": "opponent_gold"})
    return (
        gold.join(pairs, on=["match_id", "participant_id"])
        .join(theirs, on=["match_id", "opponent_participant_id", "frame_index", _AT])
        .select(
            "match_id",
            "participant_id",
            _AT,
            lane_gold_diff=(pl.col("total_gold") - pl.col("opponent_gold")).cast(pl.Float64),
        )
    )


def with_gold_differences(moments: pl.LazyFrame, frames: pl.LazyFrame, participants: pl.LazyFrame) -> pl.LazyFrame:
    """Returns moments of participants with interpolated `team_gold_diff` and `lane_gold_diff`.

    Args:
        moments: `match_id`, `participant_id`, `timestamp_ms` and others.
        frames: rows of `TimelineFrames`.
        participants: `match_id`, `participant_id`, `team_id`, `subteam_id`, `opponent_participant_id`.
    """
    teams = participants.select("match_id", "participant_id", "team_id")
    own_team = moments.join(teams, on=["match_id", "participant_id"], how="left")
    of_team = team_gold_differences(frames, participants)
    of_lane = lane_gold_differences(frames, participants)
    with_team = at_moments(of_team, own_team, ["team_gold_diff"], ["match_id", "team_id"]).drop("team_id")
    return at_moments(of_lane, with_team, ["lane_gold_diff"], ["match_id", "participant_id"])
