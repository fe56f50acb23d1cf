"""Training: whether it has helped a tracked player, and which packs to train next."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from statistics import NormalDist
from typing import Any, NamedTuple

import dataframely as dy
import polars as pl

from gamestats_assets.rocket_league import tables as t
from gamestats_assets.rocket_league.analysis.skills import SKILL, TEAM_SKILLS, match_skills
from gamestats_assets.rocket_league.analysis.training_packs import DIFFICULTIES, DIFFICULTY_OF_RANK
from gamestats_assets.rocket_league.analysis.wording import day_words
from gamestats_assets.rocket_league.reference.playlists import playlist_name
from gamestats_assets.rocket_league.reference.ranks import kept, known_tiers, rank_name, tier_id
from gamestats_assets.rocket_league.tables.gold import SKILLS

FEWEST_MATCHES = 5
"""Matches needed on either side of the first session to measure a change of skill."""
FEWEST_SESSIONS = 3
"""Sessions with attempts needed for an improvement score."""
MOST_PACKS = 10
"""Largest number of recommended packs."""
RAISED_ABOVE, LOWERED_BELOW = 0.8, 0.3
"""Success shares in packs of the rank's difficulty above which harder and below which easier packs are recommended."""
FEWEST_ATTEMPTS = 20
"""Attempts needed for a success share to change the difficulty."""

Row = Mapping[str, Any]
_Z = NormalDist().inv_cdf(0.95)
_IN_PLAYLIST = ["is_simulated", "playlist", "player_id"]


# --------------------------------------------------------------------------- whether it has helped


def training_progress(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    features: dy.LazyFrame[t.PlayerMatchFeatures],
    sessions: dy.LazyFrame[t.TrainingSessions],
    cohorts: dy.LazyFrame[t.RankCohorts],
    ranks: dy.LazyFrame[t.RlRanks],
) -> dy.LazyFrame[t.TrainingProgress]:
    """Returns, per playlist with matches and skill with sessions, the training and the skill before and since.

    Matches that began before the end of the first session count as before, all others as since. The skill of a match is
    that of `match_skills`: 0 is the mean of the cohort of the player's current rank, so matches before and after a
    promotion are on one scale. Matches of one player scatter around the player's skill with the cohort's
    `within_spread` s, so the difference of the means of n and m matches has the standard error s * sqrt(1/n + 1/m), and
    the 90% interval extends 1.645 times that to either side. `has_helped` means that its lower end is above 0. With
    fewer than 5 matches on either side the change is refused.

    A difference does not prove that the training caused it: form and rank change, too, players learn other things, and
    those who begin to train after a run of bad matches play better afterwards without it. The interval covers only the
    chance in single matches.

    Attempts and their success share cover sessions that counted both. The improvement score compares the last third of
    these with the first third (rounded down to whole sessions), and needs three of them.
    """
    own = kept(features, tracked)
    own_sessions = sessions.join(tracked, on="player_id", how="semi").filter(pl.col("skill").is_in(SKILLS))
    of_skills = trained(own_sessions)
    played = own.group_by(_IN_PLAYLIST).agg(is_duel=pl.col("team_size").max() == 1)
    known = known_tiers(own, ranks)
    spreads = cohorts.select(
        "is_simulated", "playlist", "rank_tier", "within_spread", skill=pl.col("feature").str.strip_prefix(SKILL)
    )
    is_since = pl.col("started_at") >= pl.col("first_session_at")
    value = pl.col("value")
    of_matches = (
        match_skills(own, cohorts, ranks)
        .join(of_skills.select("player_id", "skill", "first_session_at"), on=["player_id", "skill"])
        .group_by(*_IN_PLAYLIST, "skill")
        .agg(
            matches_before=(~is_since).sum(),
            matches_since=is_since.sum(),
            # In order, so that sums are the same whichever order the matches come in.
            skill_before=value.filter(~is_since).sort().mean(),
            skill_since=value.filter(is_since).sort().mean(),
        )
    )
    before, since = pl.col("matches_before"), pl.col("matches_since")
    error = _Z * pl.col("within_spread") * (1 / before + 1 / since).sqrt()
    change = pl.col("skill_since") - pl.col("skill_before")
    measured = pl.when(pl.col("reason").is_null())
    result = (
        played.join(of_skills, on="player_id")
        .join(known, on=_IN_PLAYLIST, how="left")
        .join(spreads, on=["is_simulated", "playlist", "rank_tier", "skill"], how="left")
        .join(of_matches, on=[*_IN_PLAYLIST, "skill"], how="left")
        .with_columns(before.fill_null(0), since.fill_null(0))
        .with_columns(reason=_refusal())
        .with_columns(
            state=measured.then(pl.lit("measured")).otherwise(pl.lit("refused")),
            skill_before=measured.then("skill_before"),
            skill_since=measured.then("skill_since"),
            change=measured.then(change),
            change_low=measured.then(change - error),
            change_high=measured.then(change + error),
            has_helped=measured.then(change - error > 0),
        )
        .sort(*_IN_PLAYLIST, "skill")
    )
    return t.TrainingProgress.cast(result)


def trained(sessions: pl.LazyFrame, *by: str) -> pl.LazyFrame:
    """Returns the training of players: sums of sessions, and the improvement score.

    Args:
        sessions: rows of `training_sessions`.
        by: grouping columns besides the player and the skill.
    """
    attempts, successes = pl.col("attempts"), pl.col("successes")
    keys, in_order = ["player_id", "skill", *by], sessions.sort("completed_at", "training_session_id")
    third = pl.len() // 3
    succeeded = (
        in_order.filter((attempts > 0) & successes.is_not_null())
        .group_by(keys, maintain_order=True)
        .agg(
            attempts=attempts.sum(),
            success_share=successes.sum() / attempts.sum(),
            improvement_score=pl.when(pl.len() >= FEWEST_SESSIONS, pl.col("skill").first().is_in(SKILLS)).then(
                successes.tail(third).sum() / attempts.tail(third).sum()
                - successes.head(third).sum() / attempts.head(third).sum()
            ),
        )
    )
    return (
        in_order.group_by(keys)
        .agg(
            sessions=pl.len(),
            trained_s=pl.col("duration_s").cast(pl.Float64).sum(),
            first_session_at=pl.col("completed_at").min(),
            last_session_at=pl.col("completed_at").max(),
        )
        .join(succeeded, on=keys, how="left")
    )


def _refusal() -> pl.Expr:
    """Returns why a change is refused; null if it is not."""
    rank = pl.col("rank_tier").replace_strict(
        range(1, 23), [rank_name(tier) for tier in range(1, 23)], default=None, return_dtype=pl.String
    )
    playlist = pl.col("playlist").map_elements(playlist_name, return_dtype=pl.String)
    before, since = pl.col("matches_before"), pl.col("matches_since")
    return (
        pl.when(pl.col("is_duel") & pl.col("skill").is_in(TEAM_SKILLS))
        .then(pl.format("A duel has no team mates, so there is no {} in it.", "skill"))
        .when(pl.col("rank_tier").is_null())
        .then(pl.format("No rank in {} is known, so there is no one to compare with.", playlist))
        .when(pl.col("within_spread").is_null())
        .then(pl.format("There is no cohort of {} in {} to measure {} against.", rank, playlist, "skill"))
        .when((before < FEWEST_MATCHES) | (since < FEWEST_MATCHES))
        .then(
            pl.format(
                "Matches with {}: {} {} before the first session and {} since; {} on either side are needed.",
                "skill",
                before,
                pl.when(before == 1).then(pl.lit("match")).otherwise(pl.lit("matches")),
                since,
                pl.lit(FEWEST_MATCHES),
            )
        )
    )


# --------------------------------------------------------------------------- what to train next


def difficulties_of_tier(tier: int, steps: int = 0) -> tuple[int, int]:
    """Returns the lowest and highest difficulty of packs for a rank: one step around `DIFFICULTY_OF_RANK`.

    Args:
        tier: 1 (bronze 1) to 22 (supersonic legend).
        steps: number of steps harder, or easier if negative.

    >>> difficulties_of_tier(16), difficulties_of_tier(1), difficulties_of_tier(16, 1)
    ((7, 9), (1, 2), (8, 10))
    """
    middle = _middle(tier, steps)
    return max(middle - 1, DIFFICULTIES[0]), min(middle + 1, DIFFICULTIES[1])


def _middle(tier: int, steps: int) -> int:
    middle = DIFFICULTY_OF_RANK[re.sub(r"-\d$", "", tier_id(tier))] + steps
    return min(max(middle, DIFFICULTIES[0]), DIFFICULTIES[1])


def training_recommendations(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    weaknesses: dy.LazyFrame[t.Weaknesses],
    packs: dy.LazyFrame[t.TrainingPacks],
    sessions: dy.LazyFrame[t.TrainingSessions],
    progress: dy.LazyFrame[t.TrainingProgress],
) -> dy.LazyFrame[t.TrainingRecommendations]:
    """Returns up to ten packs for the two skills that most need training: in turn two for the first, one for the other.

    The first skill is the weakness with the largest `improvement_potential`; if that is equal or unknown, the one with
    the lowest percentile, in any playlist. The second is the next one of another skill. Skills that are not weaknesses
    come after those that are, by percentile, and the reason says so. Without a measured skill there are no
    recommendations.

    Packs of a skill have a difficulty in the rank's window (`difficulties_of_tier`). The window moves one step up if
    more than 80% of at least 20 attempts in packs of the rank's own window succeeded, and one step down below 30%. If
    the catalogue has no pack of the skill in the window, those nearest in difficulty are used. Packs never trained come
    first, then those trained longest ago; among equals, those nearest to the window's middle.
    """
    measured = (
        weaknesses.join(tracked, on="player_id", how="semi").filter(pl.col("state") == "measured").collect().to_dicts()
    )
    catalogue = packs.filter(pl.col("category").is_in(SKILLS)).collect().to_dicts()
    done = _trained_packs(sessions.join(tracked, on="player_id", how="semi"))
    known = {_of_skill(row): row for row in progress.filter(pl.col("state") == "measured").collect().to_dicts()}
    rows: list[dict[str, Any]] = []
    for (player_id, is_simulated), group in itertools.groupby(sorted(measured, key=_of_player), key=_of_player):
        skills = sorted(group, key=_urgency)
        second = [row for row in skills if row["skill"] != skills[0]["skill"]][:1]
        chosen = [_Chosen.of(row, catalogue, done.get(player_id, {})) for row in [skills[0], *second]]
        for place, (each, pack) in enumerate(itertools.islice(_mixed(chosen), MOST_PACKS), 1):
            trained_before = done.get(player_id, {}).get(pack["code"])
            rows.append(
                {
                    "player_id": player_id,
                    "is_simulated": is_simulated,
                    "rank": place,
                    "code": pack["code"],
                    "pack_name": pack["name"],
                    "skill": each.weakness["skill"],
                    "playlist": each.weakness["playlist"],
                    "difficulty": pack["difficulty"],
                    "reason": " ".join(
                        [
                            _why_this_skill(each.weakness, skills[0]),
                            *_so_far(known.get(_of_skill(each.weakness))),
                            _why_this_pack(each, pack["difficulty"], trained_before),
                        ]
                    ),
                    "times_trained": trained_before.times if trained_before else 0,
                }
            )
    return t.TrainingRecommendations.cast(pl.DataFrame(rows, schema=t.TrainingRecommendations.schema()).lazy())


class _Trained(NamedTuple):
    """A player's training in a pack."""

    times: int
    last_at: datetime
    attempts: int
    successes: int


def _trained_packs(sessions: pl.LazyFrame) -> dict[str, dict[str, _Trained]]:
    """Returns training by player and pack; attempts without known successes do not count."""
    attempts, successes = pl.col("attempts"), pl.col("successes")
    by_pack = (
        sessions.drop_nulls("code")
        .group_by("player_id", "code")
        .agg(
            pl.len(),
            pl.col("completed_at").max(),
            attempts.filter(successes.is_not_null()).sum(),
            successes.filter(attempts.is_not_null()).sum(),
        )
        .collect()
    )
    by_player: dict[str, dict[str, _Trained]] = {}
    for player_id, code, *done in by_pack.iter_rows():
        by_player.setdefault(player_id, {})[code] = _Trained(*done)
    return by_player


def _of_player(row: Row) -> tuple[str, bool]:
    return row["player_id"], row["is_simulated"]


def _of_skill(row: Row) -> tuple[str, bool, str, str]:
    return row["player_id"], row["is_simulated"], row["playlist"], row["skill"]


def _urgency(row: Row) -> tuple[bool, float, float, str, str]:
    """Returns the sort key that puts the skill that needs training most first."""
    potential = (row["improvement_potential"] or 0.0) if row["is_weakness"] else 0.0
    return not row["is_weakness"], -potential, row["percentile"], row["skill"], row["playlist"]


class _Chosen(NamedTuple):
    """A skill to train, and its packs, best first."""

    weakness: Row
    packs: Sequence[Row]
    steps: int
    attempts: int
    successes: int

    @classmethod
    def of(cls, weakness: Row, catalogue: Sequence[Row], trained: Mapping[str, _Trained]) -> _Chosen:
        tier = weakness["rank_tier"]
        of_skill = [pack for pack in catalogue if pack["category"] == weakness["skill"]]
        low, high = difficulties_of_tier(tier)
        suited = [
            trained[pack["code"]] for pack in of_skill if low <= pack["difficulty"] <= high and pack["code"] in trained
        ]
        attempts, successes = sum(each.attempts for each in suited), sum(each.successes for each in suited)
        steps = 0
        if attempts >= FEWEST_ATTEMPTS:
            steps = (successes / attempts > RAISED_ABOVE) - (successes / attempts < LOWERED_BELOW)
        # The window cannot move beyond the hardest and the easiest.
        steps = _middle(tier, steps) - _middle(tier, 0)
        low, high = difficulties_of_tier(tier, steps)

        def off(pack: Row) -> int:
            return max(low - pack["difficulty"], pack["difficulty"] - high, 0)

        def order(pack: Row) -> tuple[Any, ...]:
            done = trained.get(pack["code"])
            last = (done.last_at,) if done else ()
            return last, abs(pack["difficulty"] - _middle(tier, steps)), pack["difficulty"], pack["code"]

        nearest = min(map(off, of_skill), default=0)
        usable = sorted((pack for pack in of_skill if off(pack) == nearest), key=order)
        return cls(weakness, usable, steps, attempts, successes)


def _mixed(chosen: Sequence[_Chosen]) -> Iterator[tuple[_Chosen, Row]]:
    """Yields packs in turn: two of the first skill, one of the second; of the other if one is used up."""
    left = [iter([(each, pack) for pack in each.packs]) for each in chosen]
    for turn in itertools.count():
        wanted = left if turn % 3 < 2 else left[::-1]
        next_pack = next(itertools.chain(*wanted), None)
        if next_pack is None:
            return
        yield next_pack


def _why_this_skill(row: Row, worst: Row) -> str:
    if row["is_weakness"]:
        claim = "A weakness"
    elif worst["is_weakness"]:
        claim = f"Not a weakness, but the lowest skill after {worst['skill']}"
    else:
        claim = "No skill is a weakness, so this trains the lowest"
    rank, playlist = rank_name(row["rank_tier"]), playlist_name(row["playlist"])
    low, middle, high = (_percent(row[name]) for name in ("percentile_low", "percentile", "percentile_high"))
    parts = [
        f"{claim}: {row['skill']}, in which {middle} of players at {rank} in {playlist} are worse "
        f"(90% interval: {low} to {high})."
    ]
    if row["evidence"]:
        parts.append(row["evidence"])
    potential = row["improvement_potential"]
    if potential is not None and potential >= 0.05:
        parts.append(f"Reaching the middle of them in {row['skill']} would be worth {potential:.1f} ranks.")
    return " ".join(parts)


def _percent(value: float) -> str:
    if value < 1:
        return "less than 1%"
    return "more than 99%" if value > 99 else f"{value:.0f}%"


def _so_far(row: Row | None) -> list[str]:
    """Returns the measured effect of training the skill; empty if unknown."""
    if row is None:
        return []
    shown = "show a gain" if row["has_helped"] else "show no gain beyond chance"
    sessions = "the session" if row["sessions"] == 1 else f"the first of {row['sessions']} sessions"
    hours = f"{row['trained_s'] / 3600:.1f} hours"
    return [f"Matches since {sessions} of {row['skill']} ({hours}) {shown}."]


def _why_this_pack(chosen: _Chosen, difficulty: int, trained_before: _Trained | None) -> str:
    tier, steps = chosen.weakness["rank_tier"], chosen.steps
    low, high = difficulties_of_tier(tier, steps)
    suits = f"right for {rank_name(tier)}"
    share = f"{chosen.successes / chosen.attempts:.0%} of {chosen.attempts} attempts there" if steps else ""
    if not low <= difficulty <= high:
        fit = f"Its difficulty of {difficulty} is the nearest available to {low} to {high}."
    elif steps:
        moved = "above" if steps > 0 else "below"
        fit = f"Its difficulty of {difficulty} is in {low} to {high}, one step {moved} {suits}: {share} succeeded."
    else:
        fit = f"Its difficulty of {difficulty} is {suits}."
    if trained_before is None:
        return f"{fit} It is new to you."
    times = "once" if trained_before.times == 1 else f"{trained_before.times} times"
    return f"{fit} You trained it {times}, last on {day_words(trained_before.last_at)}."
