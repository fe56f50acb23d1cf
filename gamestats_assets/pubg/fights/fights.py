"""Fights between teams, and each participant's part in them.

Rules of a fight:

- An exchange is damage to a standing enemy, a knock of an enemy, or a kill of an enemy with a final blow.
- Damage to knocked players does not count.
- Damage, knocks and kills by bots do not count; those of people against bots do.
- Both sides of an exchange are known, different teams.
- The place of an exchange is midway between the two, or the only known place; (0, 0) is unknown.
- The place of a fight is the mean of the places of its exchanges so far.
- An exchange belongs to a fight that began at most 240 s before it, whose last exchange was at most 45 s before it,
  whose place is at most 300 m away, and in which one of its two teams already takes part.
- If a place is unknown, only the times count.
- If several fights qualify, one with both teams comes first, then the nearest, then the oldest.
- Any other exchange begins a fight.
- A third party is a team that joins a fight begun by two others.
- A death without a blow (bled out, fallen with the team, taken by the zone) that is credited to an enemy belongs to the
  fight of its knock while that fight is open, and does not prolong it.

An engagement counts as a fight by the first of these rules that applies; otherwise it is no fight:

- A casualty is a character who was knocked or killed; a character counts as one casualty, even if knocked twice, or
  knocked and killed.
- `two_casualties`: there are two casualties in any teams.
- `resisted_death`: a character was killed, and their team dealt damage to the killing team.
- `mutual_damage`: two teams exchanged at least 150 damage, and each of the two gave 20 % of it or more.
- `contested_knock`: a character was knocked, and each of the two teams dealt 75 damage or more to the other.

A single casualty who is only knocked is thus no `resisted_death`: both teams must deal 75 damage.

Rules of winning:

- Only a team with a knock or kill in the fight can win it.
- A team that was eliminated by the end of the fight cannot win it: its last death is before the end and carries the
  team's rank.
- Of the remaining teams, the one with the fewest casualties won; if several have the fewest, the fight is a draw.

Damage is summed in millionths of a hit point and places in centimetres, as whole numbers: sums do not depend on the
order of rows, and values exactly at a limit are within it.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field

import dataframely as dy
import polars as pl

from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.fights.knocks import MILLION, in_unit, last_blow, whole_mean
from gamestats_assets.pubg.matches.kills import NO_BLOW
from gamestats_assets.pubg.matches.matches import MATCH, seconds_since

WINDOW_S = 45
"""Seconds after its last exchange for which a fight stays open."""
LONGEST_S = 240
"""Seconds after its first exchange for which a fight takes further ones."""
RADIUS_M = 300
"""Metres from the place of a fight within which an exchange belongs to it."""
CASUALTIES = 2
"""Number of casualties that make a fight."""
MUTUAL_DAMAGE = 150
"""Damage exchanged by two teams that makes a fight if each of them deals `MUTUAL_PERCENT` of it, in hit points."""
MUTUAL_PERCENT = 20
CONTESTED_DAMAGE = 75
"""Damage by each of two teams that makes a knock between them a fight, in hit points."""

LAST_OF_TEAM = pl.duration(seconds=1)
"""Longest time after a fight in which the death of a team's last member still belongs to the fight."""

_SECOND = _HIT_POINT = MILLION
_METRE = 100
_FIGHT = ("match_id", "fight_number")
_ENGAGEMENT = ("match_id", "engagement")


def team_fights(
    damage_events: dy.LazyFrame[t.DamageEvents],
    weapon_kills: dy.LazyFrame[t.WeaponKills],
    kills: dy.LazyFrame[t.TelemetryKills],
    knock_events: dy.LazyFrame[t.KnockEvents],
) -> dy.LazyFrame[t.TeamFights]:
    """Returns every fight of a match; the module's docstring defines fights and winners."""
    fought = _fought(damage_events, weapon_kills, kills, knock_events)
    ordered = ["occurred_at", "event_index"]
    is_exchange = pl.col("knock_index").is_null()
    people = pl.concat_list(
        pl.when(~pl.col(f"{who}_is_bot")).then(f"{who}_account_id") for who in ("attacker", "victim")
    ).explode()
    first_teams = [pl.col(f"{who}_team_id").sort_by(ordered).first() for who in ("attacker", "victim")]
    middle = [pl.col(f"{axis}_cm").filter(is_exchange) for axis in "xy"]
    places = middle[0].count()
    squares = sum((places * axis.pow(2).sum() - axis.sum().pow(2) for axis in middle), pl.lit(0))
    felled = pl.col("kind") != "damage"
    return t.TeamFights.cast(
        fought.group_by(_FIGHT)
        .agg(
            pl.col("match_date").first(),
            pl.col("occurred_at").min().alias("started_at"),
            pl.col("occurred_at").filter(is_exchange).max().alias("ended_at"),
            pl.col("elapsed_time_s").min(),
            pl.concat_list("attacker_team_id", "victim_team_id").explode().unique().sort().alias("team_ids"),
            pl.concat_list(first_teams).first().list.sort().alias("first_team_ids"),
            people.drop_nulls().n_unique().alias("participants"),
            pl.col("victim_account_id").filter(felled).n_unique().alias("casualties"),
            (pl.col("kind") == "knock").sum().alias("knocks"),
            (pl.col("kind") == "kill").sum().alias("kills"),
            in_unit(_HIT_POINT, pl.col("units").sum()).alias("damage"),
            in_unit(_HIT_POINT, pl.col("units").filter("victim_is_bot").sum()).alias("damage_to_bots"),
            pl.col("rule").first(),
            *(
                in_unit(_METRE, whole_mean(axis)).alias(f"center_{name}_m")
                for axis, name in zip(middle, "xy", strict=True)
            ),
            pl.when(places > 0).then(in_unit(_METRE, squares.sqrt() / places)).alias("spread_m"),
        )
        .join(_winners(fought, kills), on=_FIGHT, how="left")
        .with_columns(
            seconds_since("started_at", "ended_at").round(6).alias("duration_s"),
            pl.col("team_ids").list.len().alias("teams"),
            (pl.col("team_ids").list.len() > 2).alias("is_third_party"),
        )
    )


def fight_participants(
    fights: dy.LazyFrame[t.TeamFights],
    damage_events: dy.LazyFrame[t.DamageEvents],
    weapon_kills: dy.LazyFrame[t.WeaponKills],
    kills: dy.LazyFrame[t.TelemetryKills],
    knock_events: dy.LazyFrame[t.KnockEvents],
) -> dy.LazyFrame[t.FightParticipants]:
    """Returns each person's part in each fight of `team_fights`."""
    fought = _fought(damage_events, weapon_kills, kills, knock_events)
    ordered = ["occurred_at", "event_index"]
    deeds = pl.concat([_side(fought, who) for who in ("attacker", "victim")])
    return t.FightParticipants.cast(
        deeds.filter(~pl.col("is_bot"))
        .group_by(*_FIGHT, "account_id")
        .agg(
            pl.col("match_date").first(),
            pl.col("name").max(),
            pl.col("team_id").sort_by(ordered).first(),
            pl.col("occurred_at").min().alias("joined_at"),
            *(
                in_unit(_HIT_POINT, pl.col("units").filter(pl.col("gave") == gave).sum()).alias(name)
                for name, gave in (("damage_dealt", True), ("damage_taken", False))
            ),
            *(
                (pl.col("gave") & (pl.col("kind") == kind)).sum().alias(name)
                for name, kind in (("knocks", "knock"), ("kills", "kill"))
            ),
            *(
                (~pl.col("gave") & (pl.col("kind") == kind)).any().alias(name)
                for name, kind in (("was_knocked", "knock"), ("was_killed", "kill"))
            ),
            *(in_unit(_METRE, whole_mean(pl.col(f"own_{axis}_cm"))).alias(f"mean_{axis}_m") for axis in "xy"),
        )
        .join(fights.select(*_FIGHT, "started_at", "first_team_ids", "winner_team_id"), on=_FIGHT)
        .with_columns(
            pl.col("name").fill_null(pl.col("account_id")).alias("player_name"),
            seconds_since("started_at", "joined_at").round(6).alias("joined_at_s"),
            (~pl.col("first_team_ids").list.contains(pl.col("team_id"))).alias("is_third_party"),
            (pl.col("team_id") == pl.col("winner_team_id")).alias("won"),
        )
    )


def _side(fought: pl.LazyFrame, who: str) -> pl.LazyFrame:
    """Returns one side of every exchange: the attacker, who dealt damage, or the victim."""
    return fought.select(
        *_FIGHT,
        "match_date",
        "occurred_at",
        "event_index",
        "kind",
        "units",
        pl.col(f"{who}_account_id").alias("account_id"),
        pl.col(f"{who}_name").alias("name"),
        pl.col(f"{who}_team_id").alias("team_id"),
        pl.col(f"{who}_is_bot").alias("is_bot"),
        *(pl.col(f"{who}_{axis}_cm").alias(f"own_{axis}_cm") for axis in "xy"),
        gave=pl.lit(who == "attacker"),
    )


def _fought(
    damage_events: pl.LazyFrame, weapon_kills: pl.LazyFrame, kills: pl.LazyFrame, knock_events: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns the exchanges and deaths of every fight, with `fight_number` and `rule`.

    `kind` is damage, knock or kill; `units` is damage in millionths of a hit point; `knock_index` is the knock of a
    death without a blow, and null for an exchange.
    """
    everything = _engagements(_exchanges(damage_events, weapon_kills, kills, knock_events))
    counted = (
        _rules(everything)
        .filter(pl.col("rule").is_not_null())
        .with_columns(pl.col("engagement").rank("dense").over("match_id").cast(pl.Int16).alias("fight_number"))
    )
    return everything.join(counted, on=_ENGAGEMENT)


def _exchanges(
    damage_events: pl.LazyFrame, weapon_kills: pl.LazyFrame, kills: pl.LazyFrame, knock_events: pl.LazyFrame
) -> pl.LazyFrame:
    """Returns everything that may belong to a fight."""
    damage = damage_events.filter(
        pl.col("is_given") & ~pl.col("victim_was_down") & (pl.col("damage") > 0)
    ).with_columns(
        pl.lit("damage").alias("kind"), (pl.col("damage") * _HIT_POINT).round().cast(pl.Int64).alias("units")
    )
    names = ("account_id", "name", "team_id", "is_bot", "x_m", "y_m")
    knocks = (
        knock_events.filter(~pl.col("is_self_knock") & ~pl.col("is_team_knock"))
        .with_columns(pl.lit("knock").alias("kind"))
        .rename({f"knocker_{name}": f"attacker_{name}" for name in names})
    )
    ends = knock_events.filter(pl.col("outcome").is_in(["killed", "bled_out", "team_wiped", "hazard"])).select(
        "match_id", "outcome", pl.col("ended_event_index").alias("event_index"), pl.col("event_index").alias("knock")
    )
    places = kills.select(
        "match_id",
        "event_index",
        last_blow(),
        *(
            (pl.col(f"{who}_{axis}_cm") / _METRE).alias(f"{who}_{axis}_m")
            for who in ("killer", "victim")
            for axis in "xy"
        ),
    )
    without_blow = (pl.col("outcome") != "killed").fill_null(False)
    deaths = (
        weapon_kills.filter((pl.col("event_kind") == "kill") & ~pl.col("is_suicide") & ~pl.col("is_team_kill"))
        .join(places, on=["match_id", "event_index"], how="left")
        .join(ends, on=["match_id", "event_index"], how="left")
        .filter(pl.col("outcome").is_not_null() | ~pl.col("last_blow").is_in(NO_BLOW).fill_null(False))
        .with_columns(pl.lit("kill").alias("kind"), pl.when(without_blow).then("knock").alias("knock_index"))
        .rename({f"killer_{name}": f"attacker_{name}" for name in names})
    )
    sides = [f"{who}_{name}" for who in ("attacker", "victim") for name in names]
    columns = [*MATCH, "event_index", "occurred_at", "elapsed_time_s", "kind", *sides]
    return (
        pl.concat(
            [damage.select(*columns, "units"), knocks.select(columns), deaths.select(*columns, "knock_index")],
            how="diagonal",
        )
        .filter(
            pl.col("attacker_account_id").is_not_null()
            & ~pl.col("attacker_is_bot").fill_null(False)
            & (pl.col("attacker_team_id") != pl.col("victim_team_id")).fill_null(False)
        )
        .with_columns(
            pl.col("units").fill_null(0),
            pl.col("attacker_is_bot").fill_null(False),
            *(_centimetres(who, axis).alias(f"{who}_{axis}_cm") for who in ("attacker", "victim") for axis in "xy"),
        )
        .with_columns(
            pl.mean_horizontal(f"attacker_{axis}_cm", f"victim_{axis}_cm").round().cast(pl.Int64).alias(f"{axis}_cm")
            for axis in "xy"
        )
        .drop(f"{who}_{axis}_m" for who in ("attacker", "victim") for axis in "xy")
    )


def _centimetres(who: str, axis: str) -> pl.Expr:
    """A coordinate as a whole number; null unless both coordinates are known."""
    x, y = pl.col(f"{who}_x_m"), pl.col(f"{who}_y_m")
    known = x.is_finite() & y.is_finite() & ((x != 0) | (y != 0))
    return pl.when(known).then((pl.col(f"{who}_{axis}_m") * _METRE).round().cast(pl.Int64, strict=False))


def _engagements(exchanges: pl.LazyFrame) -> pl.LazyFrame:
    """Exchanges with the number of their engagement within the match; deaths that belong to none are left out."""
    ordered = exchanges.sort("match_id", "occurred_at", "event_index")
    schema = pl.Schema({**exchanges.collect_schema(), "engagement": pl.Int32})
    # Collected because it is used several times: the engine cannot detect that a Python step is the same plan.
    return ordered.map_batches(_numbered, schema=schema).filter(pl.col("engagement").is_not_null()).cache()


def _numbered(ordered: pl.DataFrame) -> pl.DataFrame:
    columns = ("event_index", "attacker_team_id", "victim_team_id", "x_cm", "y_cm", "knock_index")
    numbers: list[int | None] = []
    for frame in ordered.partition_by("match_id", maintain_order=True):
        times = frame.get_column("occurred_at").dt.epoch("us").to_list()
        rows = zip(times, *(frame.get_column(name).to_list() for name in columns), strict=True)
        numbers += engagement_numbers([Exchange(*row) for row in rows])
    return ordered.with_columns(pl.Series("engagement", numbers, dtype=pl.Int32))


class Exchange(typing.NamedTuple):
    """The values that assign an exchange to an engagement.

    Attributes:
        at: time, in microseconds.
        x: place, in centimetres; null if unknown, like `y`.
        knock: event of the knock that a death without a blow ends; null for an exchange.
    """

    at: int
    event_index: int
    attacker_team: int
    victim_team: int
    x: int | None
    y: int | None
    knock: int | None = None


@dataclass(slots=True)
class _Engagement:
    """An engagement so far; times in microseconds, places summed in centimetres."""

    number: int
    first_at: int
    last_at: int
    teams: set[int] = field(default_factory=set)
    places: int = 0
    x_sum: int = 0
    y_sum: int = 0

    def is_open(self, at: int) -> bool:
        return at - self.last_at <= WINDOW_S * _SECOND and at - self.first_at <= LONGEST_S * _SECOND

    def distance(self, x: int | None, y: int | None) -> float:
        """Returns the distance to a place in centimetres; zero if either place is unknown."""
        if x is None or y is None or not self.places:
            return 0.0
        return math.hypot(x - self.x_sum / self.places, y - self.y_sum / self.places)

    def take(self, exchange: Exchange) -> None:
        self.last_at = exchange.at
        self.teams |= {exchange.attacker_team, exchange.victim_team}
        if exchange.x is not None and exchange.y is not None:
            self.places += 1
            self.x_sum += exchange.x
            self.y_sum += exchange.y


def engagement_numbers(exchanges: Sequence[Exchange]) -> list[int | None]:
    """Returns the engagement of each exchange of a match, numbered from 1 by their start.

    Args:
        exchanges: exchanges of one match, by time and event.

    Returns:
        A number per exchange; null for a death without a blow whose knock's engagement is over.
    """
    numbers: list[int | None] = []
    by_event: dict[int, _Engagement] = {}
    going: list[_Engagement] = []
    begun = 0
    for exchange in exchanges:
        going = [engagement for engagement in going if engagement.is_open(exchange.at)]
        if exchange.knock is not None:
            home = by_event.get(exchange.knock)
            numbers.append(home.number if home is not None and home.is_open(exchange.at) else None)
            continue
        engagement = _choose(going, exchange)
        if engagement is None:
            begun += 1
            engagement = _Engagement(begun, exchange.at, exchange.at)
            going.append(engagement)
        engagement.take(exchange)
        by_event[exchange.event_index] = engagement
        numbers.append(engagement.number)
    return numbers


def _choose(going: list[_Engagement], exchange: Exchange) -> _Engagement | None:
    """Returns the open engagement that an exchange belongs to."""
    best, best_rank = None, (0, 0.0, 0)
    for engagement in going:
        shared = (exchange.attacker_team in engagement.teams) + (exchange.victim_team in engagement.teams)
        distance = engagement.distance(exchange.x, exchange.y)
        if not shared or distance > RADIUS_M * _METRE:
            continue
        rank = (-shared, distance, engagement.number)
        if best is None or rank < best_rank:
            best, best_rank = engagement, rank
    return best


def _rules(engaged: pl.LazyFrame) -> pl.LazyFrame:
    """Returns for each engagement the first rule that makes it a fight; null if none applies."""
    low, high = (
        expression("attacker_team_id", "victim_team_id") for expression in (pl.min_horizontal, pl.max_horizontal)
    )
    by_low = pl.col("attacker_team_id") == pl.col("low")
    kill, knock = pl.col("kind") == "kill", pl.col("kind") == "knock"
    from_low, from_high = pl.col("from_low"), pl.col("from_high")
    both = from_low + from_high
    least = pl.min_horizontal("from_low", "from_high")
    pairs = (
        engaged.with_columns(low.alias("low"), high.alias("high"))
        .group_by(*_ENGAGEMENT, "low", "high")
        .agg(
            pl.col("units").filter(by_low).sum().alias("from_low"),
            pl.col("units").filter(~by_low).sum().alias("from_high"),
            (kill & by_low).any().alias("low_killed"),
            (kill & ~by_low).any().alias("high_killed"),
            knock.any().alias("knocked"),
        )
        .group_by(_ENGAGEMENT)
        .agg(
            ((pl.col("low_killed") & (from_high > 0)) | (pl.col("high_killed") & (from_low > 0)))
            .any()
            .alias("resisted_death"),
            ((both >= MUTUAL_DAMAGE * _HIT_POINT) & (least * 100 >= both * MUTUAL_PERCENT))
            .any()
            .alias("mutual_damage"),
            (pl.col("knocked") & (least >= CONTESTED_DAMAGE * _HIT_POINT)).any().alias("contested_knock"),
        )
    )
    casualties = engaged.group_by(_ENGAGEMENT).agg(
        (pl.col("victim_account_id").filter(pl.col("kind") != "damage").n_unique() >= CASUALTIES).alias(
            "two_casualties"
        )
    )
    rules = ("two_casualties", "resisted_death", "mutual_damage", "contested_knock")
    return casualties.join(pairs, on=_ENGAGEMENT).select(
        *_ENGAGEMENT, pl.coalesce(pl.when(rule).then(pl.lit(rule)) for rule in rules).alias("rule")
    )


def _winners(fought: pl.LazyFrame, kills: pl.LazyFrame) -> pl.LazyFrame:
    """Returns the team that won each fight; draws have no row."""
    felled = fought.filter(pl.col("kind") != "damage")
    lost = felled.group_by(*_FIGHT, team="victim_team_id").agg(pl.col("victim_account_id").n_unique().alias("lost"))
    ends = fought.group_by(_FIGHT).agg(pl.col("occurred_at").max().alias("over_at"))
    return (
        felled.select(*_FIGHT, team="attacker_team_id")
        .unique()
        .join(lost, on=[*_FIGHT, "team"], how="left")
        .join(ends, on=_FIGHT)
        .join(_last_deaths(kills), on=["match_id", "team"], how="left")
        .filter((pl.col("out_at") > pl.col("over_at") + LAST_OF_TEAM).fill_null(True))
        .with_columns(pl.col("lost").fill_null(0))
        .filter(pl.col("lost") == pl.col("lost").min().over(_FIGHT))
        .group_by(_FIGHT)
        .agg(pl.when(pl.len() == 1).then(pl.col("team").first()).alias("winner_team_id"))
    )


def _last_deaths(kills: pl.LazyFrame) -> pl.LazyFrame:
    """Returns when each team was eliminated: at its last death, if the game then assigned its rank."""
    return (
        kills.filter(pl.col("victim_team_id").is_not_null())
        .group_by("match_id", team="victim_team_id")
        .agg(
            pl.col("occurred_at").max().alias("out_at"),
            pl.col("victim_ranking").filter(pl.col("occurred_at") == pl.col("occurred_at").max()).max(),
        )
        .filter(pl.col("victim_ranking") > 0)
        .select("match_id", "team", "out_at")
    )
