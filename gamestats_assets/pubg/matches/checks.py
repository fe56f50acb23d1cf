"""What the tables of matches must keep together, beyond what each declares by itself.

A blocking check says that rows were lost, doubled or disagree: that is our fault, or the match is damaged, which is set
aside until it is mended. The others report what a source can do at any time (a new weapon, a new map, an odd match);
the data stay usable and somebody should look.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows
from gamestats_assets.pubg import reference
from gamestats_assets.pubg.matches.matches import MATCH, is_bot
from gamestats_assets.pubg.matches.matches import count_by_match as _count  # a check's version holds the name
from gamestats_assets.pubg.matches.matches import unknown_values as _not_in
from gamestats_assets.pubg.matches.tables import (
    CirclePositions,
    DamageEvents,
    KillPositions,
    Landings,
    Matches,
    MatchFacts,
    MatchSummaries,
    PlayerMatchWeaponDistribution,
    WeaponKills,
)
from gamestats_assets.pubg.telemetry.tables import (
    RawMatches,
    RawParticipants,
    TelemetryCharacters,
    TelemetryDamage,
    TelemetryFiles,
    TelemetryKills,
    TelemetryKnocks,
    TelemetryLandings,
)

HIT_POINTS = 0.01
"""Tolerance of a sum of damage: the sums are of the same numbers in another order."""
METRES = 0.001
OUTSIDE_MAP = 0.1
"""How far outside the map, as a share of its side, a place may be: the plane and boats leave it a little."""
FULL_HEALTH = 100.0
EARLIEST = datetime(2017, 1, 1, tzinfo=UTC)
"""The game was first played in public in 2017."""
CLOCKS_DIFFER = timedelta(hours=1)
PERSON = [*MATCH, "account_id"]


# --------------------------------------------------------------------------- matches and people


@breaking_rows(of=Matches)
def every_started_match_has_its_row(
    matches: dy.LazyFrame[Matches],
    raw_matches: dy.LazyFrame[RawMatches],
    files: dy.LazyFrame[TelemetryFiles],
) -> pl.LazyFrame:
    """A match has a row if and only if a match object or a processed telemetry file tells its start."""
    known = _with_start(raw_matches, files)
    lost = known.join(matches, on=MATCH, how="anti").with_columns(pl.lit("has no row").alias("problem"))
    invented = (
        matches.select(MATCH)
        .join(known, on=MATCH, how="anti")
        .with_columns(pl.lit("was never landed").alias("problem"))
    )
    return pl.concat([lost, invented])


def _with_start(raw_matches: pl.LazyFrame, files: pl.LazyFrame) -> pl.LazyFrame:
    return pl.concat(
        [raw_matches.select(MATCH), files.filter(pl.col("started_at").is_not_null()).select(MATCH)]
    ).unique()


@breaking_rows(of=Matches, blocking=False)
def every_landed_match_tells_its_start(
    files: dy.LazyFrame[TelemetryFiles], raw_matches: dy.LazyFrame[RawMatches]
) -> pl.LazyFrame:
    """No match is known only by a file that could not be read or has no start: such a match has no row."""
    return files.join(_with_start(raw_matches, files), on=MATCH, how="anti").select(*MATCH, "status", "reason")


@breaking_rows(of=MatchFacts)
def matches_are_of_their_time(matches: dy.LazyFrame[MatchFacts]) -> pl.LazyFrame:
    """No match was played before the game was out, or starts or ends in the future."""
    latest = datetime.now(UTC) + CLOCKS_DIFFER
    possible = pl.all_horizontal(pl.col(name).is_between(EARLIEST, latest) for name in ("started_at", "ended_at"))
    return matches.filter(~possible.fill_null(True)).select(*MATCH, "started_at", "ended_at", "start_source")


@breaking_rows(of=Matches, blocking=False)
def maps_are_known(matches: dy.LazyFrame[Matches]) -> pl.LazyFrame:
    """Every map is in the catalogue of maps. A new one shows its id for a name."""
    return _not_in(matches, "map_id", reference.maps()).select(*MATCH, "map_id")


@breaking_rows(of=MatchSummaries)
def players_are_the_rows_of_a_match(
    summaries: dy.LazyFrame[MatchSummaries], matches: dy.LazyFrame[MatchFacts]
) -> pl.LazyFrame:
    """A match has one summary for each of its players, and no summary stands without its match."""
    return (
        matches.select(*MATCH, "players")
        .join(_count(summaries, name="summaries"), on=MATCH, how="full", coalesce=True)
        .with_columns(pl.col("summaries").fill_null(0))
        .filter(pl.col("players").ne_missing(pl.col("summaries")))
    )


@breaking_rows(of=MatchSummaries)
def summaries_are_of_those_who_took_part(
    summaries: dy.LazyFrame[MatchSummaries],
    participants: dy.LazyFrame[RawParticipants],
    characters: dy.LazyFrame[TelemetryCharacters],
) -> pl.LazyFrame:
    """Everybody a match object or the list at the start names has a summary, bots excepted, and nobody else has one."""
    bots = characters.filter(pl.col("character_type") == "user_ai").select(PERSON)
    started = characters.filter(pl.col("moment") == "start").select(PERSON)
    named = pl.concat([participants.select(PERSON), started]).unique()
    people = named.filter(~is_bot("account_id") & (pl.col("account_id") != "")).join(bots, on=PERSON, how="anti")
    lists = pl.concat([participants.select(PERSON), characters.select(PERSON)])
    missing = people.join(summaries, on=PERSON, how="anti").with_columns(pl.lit("has no summary").alias("problem"))
    nobody = summaries.select(PERSON).filter(is_bot("account_id")).with_columns(pl.lit("is a bot").alias("problem"))
    unnamed = (
        summaries.select(PERSON)
        .join(lists, on=PERSON, how="anti")
        .with_columns(pl.lit("took no part").alias("problem"))
    )
    return pl.concat([missing, nobody, unnamed])


@breaking_rows(of=MatchSummaries, blocking=False)
def both_sources_name_the_same_people(summaries: dy.LazyFrame[MatchSummaries]) -> pl.LazyFrame:
    """Where a match has a match object, it lists everybody whom the telemetry lists."""
    partly = pl.col("has_api_stats").any().over("match_id")
    return summaries.filter(partly & ~pl.col("has_api_stats")).select(*PERSON, "player_name")


@breaking_rows(of=MatchSummaries, blocking=False)
def placements_are_possible(summaries: dy.LazyFrame[MatchSummaries], matches: dy.LazyFrame[MatchFacts]) -> pl.LazyFrame:
    """Nobody is placed behind the number of teams, and a team has one placement."""
    several = pl.col("placement").n_unique().over("match_id", "team_id") > 1
    return (
        summaries.join(matches.select(*MATCH, "teams"), on=MATCH)
        .filter(
            (pl.col("placement") > pl.col("teams"))
            | (several & pl.col("team_id").is_not_null() & pl.col("placement").is_not_null())
        )
        .select(*PERSON, "team_id", "placement", "teams")
    )


@breaking_rows(of=MatchSummaries, blocking=False)
def one_team_wins(summaries: dy.LazyFrame[MatchSummaries]) -> pl.LazyFrame:
    """No match is won by people of two teams. A match that bots win, or that was broken off, has no winner here."""
    return (
        summaries.filter("won")
        .group_by(MATCH)
        .agg(pl.col("team_id").drop_nulls().n_unique().alias("winning_teams"))
        .filter(pl.col("winning_teams") > 1)
    )


# --------------------------------------------------------------------------- damage and kills


@breaking_rows(of=DamageEvents)
def every_damage_is_an_event(
    damage_events: dy.LazyFrame[DamageEvents], damage: dy.LazyFrame[TelemetryDamage]
) -> pl.LazyFrame:
    """A match has as many damage events, and as much damage, as its telemetry."""
    return _unequal(
        _sums(damage_events, ["damage"], "events"),
        _sums(damage, ["damage"], "landed"),
        ["damage", "rows"],
    )


def _sums(frame: pl.LazyFrame, columns: Sequence[str], prefix: str, by: Sequence[str] = MATCH) -> pl.LazyFrame:
    """Sums and rows per key, under prefixed names."""
    return frame.group_by(list(by)).agg(
        *(pl.col(name).sum().cast(pl.Float64).alias(f"{prefix}_{name}") for name in columns),
        pl.len().cast(pl.Float64).alias(f"{prefix}_rows"),
    )


def _unequal(left: pl.LazyFrame, right: pl.LazyFrame, names: Sequence[str], by: Sequence[str] = MATCH) -> pl.LazyFrame:
    """Keys whose sums differ; one that lacks on a side counts as zero there."""
    both = left.join(right, on=list(by), how="full", coalesce=True)
    columns = both.collect_schema().names()
    pairs = [[column for column in columns if column.endswith(f"_{name}")] for name in names]
    return (
        both.with_columns(pl.col(column).fill_null(0.0) for pair in pairs for column in pair)
        .filter(pl.any_horizontal((pl.col(first) - pl.col(second)).abs() > HIT_POINTS for first, second in pairs))
        .select(*by, *(column for pair in pairs for column in pair))
    )


@breaking_rows(of=DamageEvents, blocking=False)
def damage_is_plausible(damage_events: dy.LazyFrame[DamageEvents]) -> pl.LazyFrame:
    """No event takes less than nothing, or more than full health: damage is net damage to health."""
    return damage_events.filter(~pl.col("damage").is_between(0, FULL_HEALTH + HIT_POINTS)).select(
        *MATCH, "event_index", "victim_account_id", "weapon_id", "damage"
    )


@breaking_rows(of=PlayerMatchWeaponDistribution, blocking=False)
def weapons_are_known(
    damage_events: dy.LazyFrame[DamageEvents], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """Every weapon of damage, kills and knocks is in the catalogue. A new one counts as Other until it is added."""
    used = pl.concat([damage_events.select(*MATCH, "weapon_id"), weapon_kills.select(*MATCH, "weapon_id")])
    return _count(_not_in(used, "weapon_id", reference.weapons()), "weapon_id", name="events")


@breaking_rows(of=WeaponKills)
def every_death_and_knock_is_an_event(
    weapon_kills: dy.LazyFrame[WeaponKills],
    kills: dy.LazyFrame[TelemetryKills],
    knocks: dy.LazyFrame[TelemetryKnocks],
) -> pl.LazyFrame:
    """Every death and every knock of the telemetry has a row, and each one row: a victim's instant stands once."""
    instant = [*MATCH, "victim_account_id", "occurred_at"]
    landed = pl.concat(
        [
            kills.select(*instant, event_kind=pl.lit("kill")),
            knocks.select(*instant, event_kind=pl.lit("knock")),
        ]
    ).unique()
    key = [*instant, "event_kind"]
    lost = landed.join(weapon_kills, on=key, how="anti").with_columns(pl.lit("has no row").alias("problem"))
    invented = (
        weapon_kills.select(key).join(landed, on=key, how="anti").with_columns(pl.lit("never landed").alias("problem"))
    )
    twice = (
        weapon_kills.filter(pl.col("event_kind") == "kill")
        .group_by(key)
        .len()
        .filter(pl.col("len") > 1)
        .select(*key, pl.lit("stands twice").alias("problem"))
    )
    return pl.concat([lost, invented, twice])


@breaking_rows(of=WeaponKills)
def stolen_kills_are_kills(weapon_kills: dy.LazyFrame[WeaponKills]) -> pl.LazyFrame:
    """What counts as stolen is a kill of an enemy whom a third person had knocked, without any bot."""
    stolen = weapon_kills.filter(pl.col("is_killsteal") | pl.col("is_finish_stolen"))
    possible = (
        (pl.col("event_kind") == "kill")
        & ~pl.col("is_suicide")
        & ~pl.col("is_team_kill")
        & ~pl.col("victim_is_bot")
        & (pl.col("killer_is_bot") == False)  # noqa: E712
        & (pl.col("knocker_account_id") != pl.col("victim_account_id"))
        & ~(pl.col("is_killsteal") & (pl.col("killer_account_id") == pl.col("knocker_account_id")))
    )
    return stolen.filter(~possible.fill_null(False)).select(
        *MATCH, "event_index", "killer_account_id", "knocker_account_id", "victim_account_id"
    )


@breaking_rows(of=MatchSummaries)
def damage_received_is_all_damage(
    summaries: dy.LazyFrame[MatchSummaries], damage_events: dy.LazyFrame[DamageEvents]
) -> pl.LazyFrame:
    """A person's damage received is the sum of the damage events they are the victim of."""
    victims = damage_events.with_columns(
        pl.col("victim_account_id").alias("account_id"), pl.col("damage").alias("damage_received")
    ).join(summaries.select(PERSON), on=PERSON, how="semi")
    known = summaries.filter("has_telemetry")
    return _unequal(
        _sums(known, ["damage_received"], "summary", PERSON),
        _sums(victims, ["damage_received"], "events", PERSON),
        ["damage_received"],
        PERSON,
    )


@breaking_rows(of=MatchSummaries)
def parts_do_not_exceed_the_whole(summaries: dy.LazyFrame[MatchSummaries]) -> pl.LazyFrame:
    """Damage by people is part of all damage, smokes are part of all throwables, a mean lies between its extremes."""
    whole = (
        (pl.col("damage_received_from_players") <= pl.col("damage_received") + HIT_POINTS)
        & (pl.col("smokes_thrown") <= pl.col("throwables_used"))
        & (pl.col("avg_distance_from_center") <= pl.col("max_distance_from_center") + METRES).fill_null(True)
        & (pl.col("min_distance_from_edge") <= pl.col("avg_distance_from_edge") + METRES).fill_null(True)
    )
    return summaries.filter(pl.col("has_telemetry") & ~whole).select(
        *PERSON,
        "damage_received",
        "damage_received_from_players",
        "throwables_used",
        "smokes_thrown",
        "avg_distance_from_center",
        "max_distance_from_center",
        "avg_distance_from_edge",
        "min_distance_from_edge",
    )


@breaking_rows(of=MatchSummaries, blocking=False)
def both_sources_count_the_same_kills(
    summaries: dy.LazyFrame[MatchSummaries], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """The match object and the telemetry give a person the same number of kills."""
    credited = (
        weapon_kills.filter((pl.col("event_kind") == "kill") & ~pl.col("is_suicide") & ~pl.col("is_team_kill"))
        .group_by(*MATCH, pl.col("killer_account_id").alias("account_id"))
        .agg(pl.len().cast(pl.Int32).alias("telemetry_kills"))
    )
    return (
        summaries.filter(pl.col("has_api_stats") & pl.col("has_telemetry"))
        .join(credited, on=PERSON, how="left")
        .with_columns(pl.col("telemetry_kills").fill_null(0))
        .filter(pl.col("kills") != pl.col("telemetry_kills"))
        .select(*PERSON, "kills", "telemetry_kills")
    )


@breaking_rows(of=MatchSummaries, blocking=False)
def killsteals_are_part_of_kills(summaries: dy.LazyFrame[MatchSummaries]) -> pl.LazyFrame:
    """Nobody steals more kills than they have."""
    return summaries.filter(pl.col("killsteals") > pl.col("kills")).select(*PERSON, "kills", "killsteals")


@breaking_rows(of=KillPositions)
def every_kill_has_its_position(
    kill_positions: dy.LazyFrame[KillPositions], weapon_kills: dy.LazyFrame[WeaponKills]
) -> pl.LazyFrame:
    """A match has one kill position for each of its kills."""
    key = [*MATCH, "event_index"]
    killed = weapon_kills.filter(pl.col("event_kind") == "kill").select(key)
    placed = kill_positions.select(key)
    return pl.concat([killed.join(placed, on=key, how="anti"), placed.join(killed, on=key, how="anti")])


@breaking_rows(of=PlayerMatchWeaponDistribution)
def distribution_adds_up(
    distribution: dy.LazyFrame[PlayerMatchWeaponDistribution],
    damage_events: dy.LazyFrame[DamageEvents],
    weapon_kills: dy.LazyFrame[WeaponKills],
) -> pl.LazyFrame:
    """Over all categories, a person's damage, kills and knocks are those of the damage events, kills and knocks."""
    names = ["total_damage", "total_kills", "knock_downs"]
    given = damage_events.filter(pl.col("is_given") & ~pl.col("attacker_is_bot")).select(
        *MATCH, pl.col("attacker_account_id").alias("account_id"), pl.col("damage").alias("total_damage")
    )
    done = weapon_kills.filter(~pl.col("killer_is_bot") & ~pl.col("is_suicide") & ~pl.col("is_team_kill")).select(
        *MATCH,
        pl.col("killer_account_id").alias("account_id"),
        (pl.col("event_kind") == "kill").cast(pl.Int32).alias("total_kills"),
        (pl.col("event_kind") == "knock").cast(pl.Int32).alias("knock_downs"),
    )
    events = pl.concat([given, done], how="diagonal")
    return _unequal(_sums(distribution, names, "table", PERSON), _sums(events, names, "events", PERSON), names, PERSON)


# --------------------------------------------------------------------------- places


@breaking_rows(of=CirclePositions)
def circle_distances_are_consistent(circle_positions: dy.LazyFrame[CirclePositions]) -> pl.LazyFrame:
    """Distances follow from place and circle, edge and centre add up to the radius, and inside means inside."""
    centre = ((pl.col("x_m") - pl.col("blue_x_m")).pow(2) + (pl.col("y_m") - pl.col("blue_y_m")).pow(2)).sqrt()
    total = pl.col("distance_from_blue_center_m") + pl.col("distance_from_blue_edge_m")
    consistent = (
        ((centre - pl.col("distance_from_blue_center_m")).abs() <= METRES)
        & ((total - pl.col("blue_radius_m")).abs() <= METRES)
        & (pl.col("is_in_safe_zone") == (pl.col("distance_from_blue_edge_m") >= 0))
    )
    return circle_positions.filter(~consistent).select(
        *PERSON,
        "event_index",
        "blue_radius_m",
        "distance_from_blue_center_m",
        "distance_from_blue_edge_m",
        "is_in_safe_zone",
    )


@breaking_rows(of=CirclePositions, blocking=False)
def positions_are_on_the_map(
    circle_positions: dy.LazyFrame[CirclePositions], files: dy.LazyFrame[TelemetryFiles]
) -> pl.LazyFrame:
    """From the first zone on, people are on the map or a little outside."""
    return _off_the_map(circle_positions, files).select(*PERSON, "event_index", "map_id", "x_m", "y_m")


@breaking_rows(of=Landings, blocking=False)
def landings_are_on_the_map(landings: dy.LazyFrame[Landings], files: dy.LazyFrame[TelemetryFiles]) -> pl.LazyFrame:
    """People come down on the map or a little outside."""
    return _off_the_map(landings, files).select(*PERSON, "landing_number", "map_id", "x_m", "y_m")


def _off_the_map(frame: pl.LazyFrame, files: pl.LazyFrame) -> pl.LazyFrame:
    """Rows whose place is off the map by more than `OUTSIDE_MAP` of its side; unknown maps are passed over."""
    sides = reference.maps().lazy().select("map_id", (pl.col("size_cm") / 100).alias("side_m"))
    margin = pl.col("side_m") * OUTSIDE_MAP
    on_map = [pl.col(name).is_between(-margin, pl.col("side_m") + margin) for name in ("x_m", "y_m")]
    return (
        frame.join(files.select(*MATCH, "map_id"), on=MATCH).join(sides, on="map_id").filter(~pl.all_horizontal(on_map))
    )


@breaking_rows(of=Landings)
def people_who_landed_have_landings(
    landings: dy.LazyFrame[Landings], landed: dy.LazyFrame[TelemetryLandings]
) -> pl.LazyFrame:
    """Every person whom the telemetry saw landing has a first landing, and nobody else has one."""
    people = (
        landed.filter(~is_bot("account_id", "character_type") & (pl.col("account_id") != "")).select(PERSON).unique()
    )
    first = landings.filter(pl.col("landing_number") == 1).select(PERSON)
    return pl.concat(
        [people.join(first, on=PERSON, how="anti"), landings.select(PERSON).join(people, on=PERSON, how="anti")]
    )


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of matches, in the order of this module."""
