"""The expected results of a simulated match, counted from the tables behind its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from gamestats_assets.simulators.pubg.damage import TICK_S
from gamestats_assets.simulators.pubg.telemetry import Telemetry
from gamestats_assets.simulators.pubg.world import ITEMS, THROWN

_TACTICAL = {weapon.item["itemId"] for weapon in THROWN} | {
    f"Item_Weapon_{name}_C" for name in ("SmokeBomb", "FlashBang", "DecoyGrenade")
}
_SMOKE = "Item_Weapon_SmokeBomb_C"
_THROWN_DAMAGE = [weapon.category for weapon in THROWN]
_UNCLEAN = ("Damage_Groggy", "Damage_BlueZone")
"""Deaths by bleeding or by the zone, with which no one steals a kill."""


@dataclass(frozen=True)
class PlayerTruth:
    """The results of one human in one match, which the pipeline must reproduce.

    Attributes:
        placement: placement of the team, 1 for the winner.
        kills: eliminations credited to the player (`killer`), including bots, excluding own team and self.
        dbnos: knocked enemies, including bots.
        headshot_kills: credited kills whose credited damage was a HeadShot.
        damage_dealt: net damage to the health of people outside the own team, including bots, in hit points.
        damage_received: all net damage to health, including zone, falls and bleeding.
        damage_received_from_players: by other humans, including team mates, while standing.
        damage_received_from_bots: the part of `damage_received` by bots.
        killsteals: kills of people knocked by another team; no bots, bleed-outs, zone, suicides or team kills.
        finishes_stolen: times the player finished a person whom another player had knocked, including the own team's
            knocks; same exclusions. An old file does not name the finisher: there the killer counts.
        throwables_used: tactical throwables, without snowballs and apples.
        throwable_damage: the part of `damage_dealt` by throwables and their fire.
        time_survived_s: from LogMatchStart to the elimination, or to the end of the match.
        landing: landing of the parachute, in metres from the map's upper left corner.
        avg_distance_from_center: the five zone figures are in metres relative to the blue circle, over the positions
            from the first zone (`isGame` >= 1) until the player is out; None without such a position.
        time_outside_zone_seconds: ticks of the blue zone times 1.03.
        weapons: by `damageCauserName`: damage dealt, kills credited, knocks.
    """

    account_id: str
    player_name: str
    team_id: int
    placement: int
    kills: int
    assists: int
    dbnos: int
    headshot_kills: int
    revives: int
    team_kills: int
    damage_dealt: float
    damage_received: float
    damage_received_from_players: float
    damage_received_from_bots: float
    killsteals: int
    finishes_stolen: int
    heals_used: int
    boosts_used: int
    throwables_used: int
    smokes_thrown: int
    throwable_damage: float
    time_survived_s: float
    landing: list[float] | None
    avg_distance_from_center: float | None
    max_distance_from_center: float | None
    avg_distance_from_edge: float | None
    min_distance_from_edge: float | None
    time_outside_zone_seconds: float
    weapons: dict[str, tuple[float, int, int]]


@dataclass(frozen=True)
class MatchTruth:
    """The contents of one match.

    Attributes:
        started_at: LogMatchStart, to the millisecond.
        ended_at: the last elimination.
        match_date: UTC day of the start.
        players: humans.
        players_truth: by account id; humans only.
        kills: all eliminations, whatever their cause.
    """

    match_id: str
    map_name: str
    started_at: datetime
    ended_at: datetime
    match_date: date
    players: int
    teams: int
    bots: int
    players_truth: dict[str, PlayerTruth]
    kills: int
    knocks: int


def match_truth(telemetry: Telemetry, match_id: str, players: list[PlayerTruth]) -> MatchTruth:
    """Returns the truth of a whole match, given that of all players."""
    story, start = telemetry.story, telemetry.match.start
    humans = {player.account_id: player for player in players if not player.account_id.startswith("ai.")}
    return MatchTruth(
        match_id=match_id,
        map_name=telemetry.match.map_name,
        started_at=start,
        ended_at=start + timedelta(milliseconds=round(story.end * 1000)),
        match_date=start.date(),
        players=len(humans),
        teams=len(story.team_ids),
        bots=len(players) - len(humans),
        players_truth=humans,
        kills=len(story.kills),
        knocks=len(story.knocks),
    )


def player_truths(telemetry: Telemetry) -> list[PlayerTruth]:
    """Returns the figures of all people, including bots, in their order."""
    story = telemetry.story
    people = pl.DataFrame({"who": np.arange(len(story.people)), "team": story.team, "is_bot": story.is_bot})

    def known(table: pl.DataFrame, *roles: str) -> pl.DataFrame:
        """Adds the team of people in these roles, and whether they are bots."""
        for role in roles:
            facts = people.rename({"who": role, "team": f"{role}_team", "is_bot": f"{role}_is_bot"})
            table = table.join(facts, on=role, how="left", maintain_order="left")
        return table

    hits = known(telemetry.damage.hits, "attacker", "victim").with_columns(
        by_other=(pl.col("attacker") >= 0) & (pl.col("attacker") != pl.col("victim")),
        is_thrown=pl.col("category").is_in(_THROWN_DAMAGE),
    )
    given = hits.filter("by_other", pl.col("attacker_team") != pl.col("victim_team"))
    knocks = known(telemetry.knocks, "attacker", "victim").filter(pl.col("attacker_team") != pl.col("victim_team"))
    kills = known(telemetry.kills, "killer", "victim", "knocker", "finisher").filter(
        pl.col("killer") >= 0, pl.col("killer") != pl.col("victim")
    )
    own_team = pl.col("killer_team") == pl.col("victim_team")
    clean = kills.filter(~own_team)
    # Candidates for a stolen kill: a knock by an enemy, only humans involved, finished by a hit.
    taken = clean.filter(
        pl.col("knocker_team") != pl.col("victim_team"),
        ~pl.col("finish_category").is_in(_UNCLEAN),
        ~pl.any_horizontal("knocker_is_bot", "killer_is_bot", "finisher_is_bot", "victim_is_bot"),
    )
    throws = telemetry.throws
    used = telemetry.damage.uses.with_columns(
        kind=pl.col("item").replace_strict({item: facts["subCategory"] for item, facts in ITEMS.items()})
    )
    x, y, radius = story.circles.blue(telemetry.positions["t"].to_numpy())
    away = ((pl.col("x") - x) ** 2 + (pl.col("y") - y) ** 2).sqrt()
    zone = telemetry.positions.with_columns(center=away, edge=pl.lit(radius) - away)
    landings = telemetry.landings.select("who", landing=pl.concat_list("x", "y"))
    # Rounded, because the last digits depend on the order in which rows are added up.
    damage = pl.col("damage").sum().round(6)
    count, no = pl.len(), pl.lit(0)
    figures = {
        "damage_dealt": (given, "attacker", damage),
        "throwable_damage": (given.filter("is_thrown"), "attacker", damage),
        "damage_received": (hits, "victim", damage),
        "damage_received_from_players": (hits.filter("by_other", ~pl.col("attacker_is_bot")), "victim", damage),
        "damage_received_from_bots": (hits.filter("by_other", "attacker_is_bot"), "victim", damage),
        "time_outside_zone_seconds": (hits.filter(category="Damage_BlueZone"), "victim", TICK_S * count),
        "dbnos": (knocks, "attacker", count),
        "kills": (clean, "killer", count),
        "headshot_kills": (clean.filter(reason="HeadShot"), "killer", count),
        "team_kills": (kills.filter(own_team), "killer", count),
        "assists": (telemetry.kills.explode("helpers"), "helpers", count),
        "killsteals": (taken.filter(pl.col("killer_team") != pl.col("knocker_team")), "killer", count),
        "finishes_stolen": (taken.filter(pl.col("finisher") != pl.col("knocker")), "finisher", count),
        "revives": (
            pl.DataFrame({"who": [who for _, who, _ in story.revives]}, schema={"who": pl.Int64}),
            "who",
            count,
        ),
        "heals_used": (used.filter(kind="Heal"), "who", count),
        "boosts_used": (used.filter(kind="Boost"), "who", count),
        "throwables_used": (throws.filter(pl.col("item").is_in(_TACTICAL)), "who", count),
        "smokes_thrown": (throws.filter(item=_SMOKE), "who", count),
    }
    table = people.select("who")
    for name, (rows, role, figure) in figures.items():
        sums = rows.group_by(pl.col(role).alias("who"), maintain_order=True).agg(figure.alias(name))
        table = table.join(sums, on="who", how="left", maintain_order="left").with_columns(pl.col(name).fill_null(0))
    distances = zone.group_by("who", maintain_order=True).agg(
        avg_distance_from_center=pl.col("center").mean().round(6),
        max_distance_from_center=pl.col("center").max(),
        avg_distance_from_edge=pl.col("edge").mean().round(6),
        min_distance_from_edge=pl.col("edge").min(),
    )
    weapons = (
        pl.concat(
            [
                given.filter(pl.col("damage") > 0).select("causer", "damage", who="attacker", kills=no, knocks=no),
                clean.select("causer", damage=pl.lit(0.0), who="killer", kills=no + 1, knocks=no),
                knocks.select("causer", damage=pl.lit(0.0), who="attacker", kills=no, knocks=no + 1),
            ],
            how="diagonal",
        )
        .group_by("who", "causer", maintain_order=True)
        .agg(damage, pl.col("kills", "knocks").sum())
    )
    for each in (distances, landings):
        table = table.join(each, on="who", how="left", maintain_order="left")
    used_by: dict[int, dict[str, tuple[float, int, int]]] = {who: {} for who in range(people.height)}
    for who, causer, *sums in weapons.iter_rows():
        used_by[who][causer] = (sums[0], sums[1], sums[2])
    return [
        PlayerTruth(
            account_id=person.account_id,
            player_name=person.name,
            team_id=story.team_ids[person.team],
            placement=int(telemetry.ranks[person.team]),
            time_survived_s=min(float(story.death[who]) + 0.003, story.end),
            weapons=used_by[who],
            **row,
        )
        for who, (person, row) in enumerate(zip(story.people, table.drop("who").to_dicts(), strict=True))
    ]
