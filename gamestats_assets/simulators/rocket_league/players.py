"""Players of a simulated season: their ranks, skills and training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from gamestats_assets.simulators.templates import template

SKILLS = ("aerials", "saves", "positioning", "rotation", "shooting")
"""Skills of players, apart from rank."""
HABITS = ("pace", "boost", "advance")
"""Habits that do not make a player better: speed, use of boost, how far up the field they stay."""
PLAYLISTS = {"ranked-duels": 1, "ranked-doubles": 2, "ranked-standard": 3}
"""Playlists, with players per side."""
LOWEST_TIER, HIGHEST_TIER = 1, 22
"""Bronze 1 and Supersonic Legend."""
MONTH_S = 30.4375 * 86_400
"""Seconds in a month of average length."""


@dataclass(frozen=True)
class Player:
    """A simulated player at the beginning of the season."""

    player_id: str
    """Platform and account in lower case, such as steam_76561201460265729."""
    name: str
    platform: str
    """steam, epic, ps4 or xbox."""
    account: str
    """Id on the platform."""
    tiers: Mapping[str, int]
    """Rank per playlist, 1 (Bronze 1) to 22 (Supersonic Legend)."""
    divisions: Mapping[str, int]
    """Division of the rank per playlist, 1 to 4."""
    skills: Mapping[str, float]
    """Standard deviations from the mean of the player's rank; normal in the cohort."""
    training_effect_per_hour: Mapping[str, float]
    """Standard deviations that an hour of training adds to the skill."""
    trend: float
    """Tiers per month, in every playlist."""
    habits: Mapping[str, float] = field(default_factory=dict)
    """Standard deviations from the mean of the player's rank; 0 by default."""


@dataclass(frozen=True)
class TrainingSession:
    """One sitting in a training pack; its effect applies from its end."""

    player_id: str
    skill: str
    started_at: datetime
    duration_s: int
    attempts: int
    successes: int


@dataclass(frozen=True)
class Training:
    """Hours in which a planted player trains a skill, in sessions of at most an hour, spread evenly over some days."""

    skill: str
    hours: float
    effect_per_hour: float
    """Standard deviations."""
    first_day: int | None = None
    """Days counted from 0; by default the middle fifth of the season."""
    days: int | None = None


@dataclass(frozen=True)
class Planted:
    """A player that the caller fixes; average in everything that is not given."""

    name: str
    tier: int | None = None
    """Rank in every playlist; drawn like others' if it is None."""
    skills: Mapping[str, float] = field(default_factory=dict)
    training: Sequence[Training] = ()
    trend: float = 0.0
    """Tiers per month."""
    matches: int = 0
    """Matches made for this player, spread over the season; others' matches come on top."""


# No real account has these numbers yet, so that no simulated player is a real one.
_STEAM_FIRST = 76561197960265728 + 3_500_000_000


def cohort(
    rng: np.random.Generator,
    *,
    players: int,
    playlists: Sequence[str],
    tiers: tuple[int, int],
    first_day: date,
    days: int,
    planted: Sequence[Planted],
) -> tuple[tuple[Player, ...], tuple[TrainingSession, ...]]:
    """Returns the players of a season, the planted ones first, and their training sessions by time.

    Of the others a third trains one or two skills, half of them in vain; a fifth climbs or falls.

    Raises:
        ValueError: when a planted player is impossible: an unknown skill, an invalid tier, days outside the season.
    """
    names: set[str] = set()
    made: list[Player] = []
    sessions: list[TrainingSession] = []
    for number in range(players):
        plan = planted[number] if number < len(planted) else None
        ratings = _ratings(rng, playlists, tiers)
        if plan is not None:
            _check(plan, days)
            name, trainings = plan.name, tuple(plan.training)
            skills, trend, habits = {skill: float(plan.skills.get(skill, 0)) for skill in SKILLS}, plan.trend, {}
            if plan.tier is not None:
                ratings = {playlist: plan.tier + 0.5 for playlist in playlists}
        else:
            name = _name(rng)
            skills = {skill: round(float(rng.standard_normal()), 3) for skill in SKILLS}
            habits = {habit: round(float(rng.standard_normal()), 3) for habit in HABITS}
            trend = round(float(rng.normal(0, 0.3)), 3) if rng.random() < 0.2 else 0.0
            trainings = _trainings(rng, days) if rng.random() < 1 / 3 else ()
        while name.lower() in names:
            name = f"{name}{rng.integers(10, 100)}"
        names.add(name.lower())
        platform, account = _account(rng, name)
        effects = dict.fromkeys(SKILLS, 0.0) | {training.skill: training.effect_per_hour for training in trainings}
        player = Player(
            player_id=f"{platform}_{account.lower()}",
            name=name,
            platform=platform,
            account=account,
            tiers={playlist: int(rating) for playlist, rating in ratings.items()},
            divisions={playlist: int(rating % 1 * 4) + 1 for playlist, rating in ratings.items()},
            skills=skills,
            training_effect_per_hour=effects,
            trend=trend,
            habits=habits,
        )
        made.append(player)
        sessions += _sessions(rng, player, trainings, first_day, days)
    sessions.sort(key=lambda session: (session.started_at, session.player_id))
    return tuple(made), tuple(sessions)


def _check(plan: Planted, days: int) -> None:
    skills = {*plan.skills, *(training.skill for training in plan.training)}
    if unknown := sorted(skills.difference(SKILLS)):
        raise ValueError(f"planted player {plan.name!r}: {', '.join(unknown)} is not a skill; {', '.join(SKILLS)} are")
    if plan.tier is not None and not LOWEST_TIER <= plan.tier <= HIGHEST_TIER:
        raise ValueError(f"planted player {plan.name!r}: tier {plan.tier} is not in {LOWEST_TIER} to {HIGHEST_TIER}")
    if len({training.skill for training in plan.training}) < len(plan.training):
        raise ValueError(f"planted player {plan.name!r}: a skill is trained twice, and a skill has one effect")
    for training in plan.training:
        first, length = _span(training, days)
        if first < 0 or length < 1 or first + length > days:
            raise ValueError(
                f"planted player {plan.name!r}: {training.skill} is trained on days {first} to {first + length - 1}, "
                f"and the season has days 0 to {days - 1}"
            )


def _span(training: Training, days: int) -> tuple[int, int]:
    first = days * 2 // 5 if training.first_day is None else training.first_day
    return first, min(max(days // 5, 1), days - first) if training.days is None else training.days


def _ratings(rng: np.random.Generator, playlists: Sequence[str], tiers: tuple[int, int]) -> dict[str, float]:
    """Returns rank and division as one number per playlist; most are in the middle, and a little lower in duels."""
    low, high = tiers
    middle = rng.normal((low + high + 1) / 2, (high - low + 1) / 4)
    each = {playlist: rng.normal(middle - (0.8 if PLAYLISTS[playlist] == 1 else 0), 0.6) for playlist in playlists}
    # Values outside of the range are spread over it, rather than heaped up at its ends.
    return {p: float(r if low <= r < high + 1 else rng.uniform(low, high + 1)) for p, r in each.items()}


def _name(rng: np.random.Generator) -> str:
    words = template("rocket_league", "words")
    first, second = rng.choice(words["first_names"]), rng.choice(words["second_names"])
    joined = f"{first}{rng.choice(['', '', '_', '-'])}{second}"
    return f"{joined}{rng.integers(1, 10_000)}" if rng.random() < 0.6 else joined


def _account(rng: np.random.Generator, name: str) -> tuple[str, str]:
    platform = str(rng.choice(["steam", "epic", "ps4", "xbox"], p=[0.35, 0.4, 0.15, 0.1]))
    account = {
        "steam": str(_STEAM_FIRST + int(rng.integers(0, 700_000_000))),
        "epic": rng.bytes(16).hex(),
        # The online id of a PlayStation account has neither spaces nor signs.
        "ps4": "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "_-")),
        "xbox": rng.bytes(4).hex() + "fd010900",
    }[platform]
    return (platform, account) if account else ("epic", rng.bytes(16).hex())


def _trainings(rng: np.random.Generator, days: int) -> tuple[Training, ...]:
    skills = rng.choice(SKILLS, size=rng.integers(1, 3), replace=False)
    effect = float(rng.choice([0.0, 0.03]))
    return tuple(
        Training(str(skill), hours=round(days / 7 * float(rng.uniform(0.5, 1.5)), 2), effect_per_hour=effect,
                 first_day=0, days=days)
        for skill in skills
    )  # fmt: skip


def _sessions(
    rng: np.random.Generator, player: Player, trainings: Sequence[Training], first_day: date, days: int
) -> list[TrainingSession]:
    midnight = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC)
    made: list[TrainingSession] = []
    for training in trainings:
        first, length = _span(training, days)
        sittings = math.ceil(training.hours)
        duration_s = round(training.hours * 3600 / sittings) if sittings else 0
        for sitting in range(sittings):
            # Sittings of a day follow each other, in the rest of the day.
            at = first + (sitting + float(rng.uniform(0, 0.3))) * length / sittings
            skill = player.skills[training.skill] + training.effect_per_hour * sitting * duration_s / 3600
            attempts = max(round(duration_s / float(rng.uniform(7, 11))), 1)
            made.append(
                TrainingSession(
                    player_id=player.player_id,
                    skill=training.skill,
                    started_at=midnight + timedelta(seconds=round(at * 86_400)),
                    duration_s=duration_s,
                    attempts=attempts,
                    successes=int(rng.binomial(attempts, 1 / (1 + math.exp(0.3 - 0.6 * skill)))),
                )
            )
    return made
