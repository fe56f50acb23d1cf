"""Checks across the tables of matches, beyond each table's own rules.

A failed blocking check means that rows were lost, duplicated or contradictory: either through our fault, or because the
match is damaged, which is then set aside until it is mended. The others report possible changes at the source (a new
weapon, a new map, an odd match); the data stay usable, but deserve a look.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.quality import Check, breaking_rows, only_in_one, unequal
from gamestats_assets.pubg import reference
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.matches.matches import MATCH, count_by_match, is_bot, unknown_values

REORDERED = 1e-5
"""Relative tolerance of a sum of damage, because the same numbers are added in another order."""
METRES = 0.001
OUTSIDE_MAP = 0.1
"""Largest distance of a place from the map, as a share of its side: the plane and boats leave it a little."""
FULL_HEALTH = 100.01
"""Most hit points that one event can take, with a margin for rounding."""
EARLIEST = datetime(2017, 1, 1, tzinfo=UTC)
"""The game was first publicly playable in 2017."""
CLOCKS_DIFFER = timedelta(hours=1)
PERSON = [*MATCH, "account_id"]
EVENT = [*MATCH, "event_index"]
IS_KILL = pl.col("event_kind") == "kill"
OF_ENEMY = ~pl.col("is_suicide") & ~pl.col("is_team_kill")


# --------------------------------------------------------------------------- matches and people


@breaking_rows(of=t.Matches)
def every_started_match_has_its_row(
    matches: dy.LazyFrame[t.Matches],
    raw_matches: dy.LazyFrame[t.RawMatches],
    files: dy.LazyFrame[t.TelemetryFiles],
) -> pl.LazyFrame:
    """A match has a row if and only if a match object or a processed telemetry file contains its start."""
    started = _with_start(raw_matches, files)
    return only_in_one(started, matches, MATCH, left_alone="has no row", right_alone="was never landed")


def _with_start(raw_matches: pl.LazyFrame, files: pl.LazyFrame) -> pl.LazyFrame:
    started = files.filter(pl.col("started_at").is_not_null())
    return pl.concat([raw_matches.select(MATCH), started.select(MATCH)]).unique()


@breaking_rows(of=t.Matches, blocking=False)
def every_landed_match_tells_its_start(
    files: dy.LazyFrame[t.TelemetryFiles], raw_matches: dy.LazyFrame[t.RawMatches]
) -> pl.LazyFrame:
    """Every landed match has a readable file with its start; otherwise it has no row."""
    return files.join(_with_start(raw_matches, files), on=MATCH, how="anti").select(*MATCH, "status", "reason")


@breaking_rows(of=t.MatchFacts)
def matches_are_of_their_time(matches: dy.LazyFrame[t.MatchFacts]) -> pl.LazyFrame:
    """No match was played before the game's release, or starts or ends in the future."""
    latest = datetime.now(UTC) + CLOCKS_DIFFER
    possible = pl.all_horizontal(pl.col("started_at", "ended_at").is_between(EARLIEST, latest))
    return matches.filter(~possible.fill_null(True)).select(*MATCH, "started_at", "ended_at", "start_source")


@breaking_rows(of=t.Matches, blocking=False)
def maps_are_known(matches: dy.LazyFrame[t.Matches]) -> pl.LazyFrame:
    """Every map is in the catalogue of maps. The name of an unknown map is its id."""
    return unknown_values(matches, "map_id", reference.maps()).select(*MATCH, "map_id")


@breaking_rows(of=t.MatchSummaries)
def players_are_the_rows_of_a_match(
    summaries: dy.LazyFrame[t.MatchSummaries], matches: dy.LazyFrame[t.MatchFacts]
) -> pl.LazyFrame:
    """A match has one summary per player, and every summary belongs to a match."""
    counted = count_by_match(summaries, name="summaries")
    return (
        matches.select(*MATCH, "players")
        .join(counted, on=MATCH, how="full", coalesce=True)
        .filter(pl.col("players").ne_missing(pl.col("summaries").fill_null(0)))
    )


@breaking_rows(of=t.MatchSummaries)
def summaries_are_of_those_who_took_part(
    summaries: dy.LazyFrame[t.MatchSummaries],
    participants: dy.LazyFrame[t.RawParticipants],
    characters: dy.LazyFrame[t.TelemetryCharacters],
) -> pl.LazyFrame:
    """Everyone in a match object or in the list at the start has a summary, except bots, and there are no other
    summaries."""
    bots = characters.filter(pl.col("character_type") == "user_ai")
    started = characters.filter(pl.col("moment") == "start")
    everybody = {
        name: pl.concat([participants.select(PERSON), listed.select(PERSON)]).unique()
        for name, listed in (("must", started), ("may", characters))
    }
    people = everybody["must"].filter(~is_bot("account_id") & (pl.col("account_id") != ""))
    found = {
        "has no summary": people.join(bots, on=PERSON, how="anti").join(summaries, on=PERSON, how="anti"),
        "is a bot": summaries.filter(is_bot("account_id")),
        "did not take part": summaries.join(everybody["may"], on=PERSON, how="anti"),
    }
    return pl.concat(rows.select(*PERSON, problem=pl.lit(problem)) for problem, rows in found.items())


@breaking_rows(of=t.MatchSummaries, blocking=False)
def both_sources_name_the_same_people(summaries: dy.LazyFrame[t.MatchSummaries]) -> pl.LazyFrame:
    """A match object lists everyone listed in the telemetry of its match."""
    partly = pl.col("has_api_stats").any().over("match_id")
    return summaries.filter(partly & ~pl.col("has_api_stats")).select(*PERSON, "player_name")


@breaking_rows(of=t.MatchSummaries, blocking=False)
def placements_are_possible(
    summaries: dy.LazyFrame[t.MatchSummaries], matches: dy.LazyFrame[t.MatchFacts]
) -> pl.LazyFrame:
    """No placement exceeds the number of teams, and a team has one placement."""
    several = pl.col("placement").n_unique().over("match_id", "team_id") > 1
    known = pl.col("team_id").is_not_null() & pl.col("placement").is_not_null()
    return (
        summaries.join(matches.select(*MATCH, "teams"), on=MATCH)
        .filter((pl.col("placement") > pl.col("teams")) | (several & known))
        .select(*PERSON, "team_id", "placement", "teams")
    )


@breaking_rows(of=t.MatchSummaries, blocking=False)
def one_team_wins(summaries: dy.LazyFrame[t.MatchSummaries]) -> pl.LazyFrame:
    """No match is won by people of two teams. A match that bots won, or that was aborted, has no winner here."""
    winning = summaries.filter("won").group_by(MATCH).agg(winning_teams=pl.col("team_id").drop_nulls().n_unique())
    return winning.filter(pl.col("winning_teams") > 1)


# --------------------------------------------------------------------------- damage and kills


@breaking_rows(of=t.DamageEvents)
def every_damage_is_an_event(
    damage_events: dy.LazyFrame[t.DamageEvents], damage: dy.LazyFrame[t.TelemetryDamage]
) -> pl.LazyFrame:
    """A match has as many damage events, and as much damage, as its telemetry."""
    made, landed = (
        frame.group_by(MATCH).agg(pl.col("damage").sum(), events=pl.len()) for frame in (damage_events, damage)
    )
    return unequal(made, landed, MATCH, ["damage", "events"], within=REORDERED)


@breaking_rows(of=t.DamageEvents, blocking=False)
def damage_is_plausible(damage_events: dy.LazyFrame[t.DamageEvents]) -> pl.LazyFrame:
    """No event takes less than zero or more than full health: damage is net damage to health."""
    odd = damage_events.filter(~pl.col("damage").is_between(0, FULL_HEALTH))
    return odd.select(*EVENT, "victim_account_id", "weapon_id", "damage")


@breaking_rows(of=t.PlayerMatchWeaponDistribution, blocking=False)
def weapons_are_known(
    damage_events: dy.LazyFrame[t.DamageEvents], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """Every weapon of damage, kills and knocks is in the catalogue. A new one counts as Other until it is added."""
    used = pl.concat(frame.select(*MATCH, "weapon_id") for frame in (damage_events, weapon_kills))
    return count_by_match(unknown_values(used, "weapon_id", reference.weapons()), "weapon_id", name="events")


@breaking_rows(of=t.WeaponKills)
def every_death_and_knock_is_an_event(
    weapon_kills: dy.LazyFrame[t.WeaponKills],
    kills: dy.LazyFrame[t.TelemetryKills],
    knocks: dy.LazyFrame[t.TelemetryKnocks],
) -> pl.LazyFrame:
    """Every death and every knock of the telemetry has exactly one row, and no victim has two at the same instant."""
    key = [*MATCH, "victim_account_id", "occurred_at", "event_kind"]
    landed = pl.concat(
        frame.with_columns(event_kind=pl.lit(kind)).select(key) for kind, frame in (("kill", kills), ("knock", knocks))
    ).unique()
    differing = only_in_one(landed, weapon_kills, key, left_alone="has no row", right_alone="never landed")
    twice = weapon_kills.filter(IS_KILL, pl.len().over(key) > 1).select(*key, problem=pl.lit("is duplicated"))
    return pl.concat([differing, twice])


@breaking_rows(of=t.WeaponKills)
def stolen_kills_are_kills(weapon_kills: dy.LazyFrame[t.WeaponKills]) -> pl.LazyFrame:
    """Only kills of enemies knocked by a third person, without any bot, count as stolen."""
    possible = (
        IS_KILL
        & OF_ENEMY
        & ~pl.col("victim_is_bot")
        & ~pl.col("killer_is_bot")
        & (pl.col("knocker_account_id") != pl.col("victim_account_id"))
        & ~(pl.col("is_killsteal") & (pl.col("killer_account_id") == pl.col("knocker_account_id")))
    )
    stolen = pl.col("is_killsteal") | pl.col("is_finish_stolen")
    people = [f"{role}_account_id" for role in ("killer", "knocker", "victim")]
    return weapon_kills.filter(stolen & ~possible.fill_null(False)).select(*EVENT, *people)


@breaking_rows(of=t.MatchSummaries)
def damage_received_is_all_damage(
    summaries: dy.LazyFrame[t.MatchSummaries], damage_events: dy.LazyFrame[t.DamageEvents]
) -> pl.LazyFrame:
    """A person's damage received is the sum of the damage events with them as the victim."""
    by_victim = damage_events.rename({"victim_account_id": "account_id"}).join(summaries, on=PERSON, how="semi")
    received = by_victim.group_by(PERSON).agg(damage_received=pl.col("damage").sum())
    known = summaries.filter("has_telemetry").select(*PERSON, "damage_received")
    return unequal(known, received, PERSON, ["damage_received"], within=REORDERED)


@breaking_rows(of=t.MatchSummaries)
def parts_do_not_exceed_the_whole(summaries: dy.LazyFrame[t.MatchSummaries]) -> pl.LazyFrame:
    """Damage by people is part of all damage, smokes are part of all throwables, a mean lies between its extremes."""
    parts = {
        "damage_received_from_players": ("damage_received", 0.01),
        "smokes_thrown": ("throwables_used", 0),
        "avg_distance_from_center": ("max_distance_from_center", METRES),
        "min_distance_from_edge": ("avg_distance_from_edge", METRES),
    }
    exceeds = (pl.col(part) > pl.col(whole) + within for part, (whole, within) in parts.items())
    shown = [name for part, (whole, _) in parts.items() for name in (part, whole)]
    return summaries.filter(pl.col("has_telemetry") & pl.any_horizontal(exceeds)).select(*PERSON, *shown)


@breaking_rows(of=t.MatchSummaries, blocking=False)
def both_sources_count_the_same_kills(
    summaries: dy.LazyFrame[t.MatchSummaries], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """The match object and the telemetry give a person the same number of kills."""
    kills = weapon_kills.filter(IS_KILL & OF_ENEMY).with_columns(account_id="killer_account_id")
    credited = kills.group_by(PERSON).agg(telemetry_kills=pl.len())
    return (
        summaries.filter(pl.col("has_api_stats") & pl.col("has_telemetry"))
        .join(credited, on=PERSON, how="left")
        .with_columns(pl.col("telemetry_kills").fill_null(0))
        .filter(pl.col("kills") != pl.col("telemetry_kills"))
        .select(*PERSON, "kills", "telemetry_kills")
    )


@breaking_rows(of=t.MatchSummaries, blocking=False)
def killsteals_are_part_of_kills(summaries: dy.LazyFrame[t.MatchSummaries]) -> pl.LazyFrame:
    """A person has at least as many kills as killsteals."""
    return summaries.filter(pl.col("killsteals") > pl.col("kills")).select(*PERSON, "kills", "killsteals")


@breaking_rows(of=t.KillPositions)
def every_kill_has_its_position(
    kill_positions: dy.LazyFrame[t.KillPositions], weapon_kills: dy.LazyFrame[t.WeaponKills]
) -> pl.LazyFrame:
    """A match has one position per kill."""
    kills = weapon_kills.filter(IS_KILL)
    return only_in_one(kills, kill_positions, EVENT, left_alone="has no position", right_alone="is no kill")


@breaking_rows(of=t.PlayerMatchWeaponDistribution)
def distribution_adds_up(
    distribution: dy.LazyFrame[t.PlayerMatchWeaponDistribution],
    damage_events: dy.LazyFrame[t.DamageEvents],
    weapon_kills: dy.LazyFrame[t.WeaponKills],
) -> pl.LazyFrame:
    """Over all categories, a person's damage, kills and knocks equal those of the events."""
    names = ["total_damage", "total_kills", "knock_downs"]
    given = damage_events.filter(pl.col("is_given") & ~pl.col("attacker_is_bot")).select(
        *MATCH, account_id="attacker_account_id", total_damage="damage"
    )
    done = weapon_kills.filter(~pl.col("killer_is_bot") & OF_ENEMY).select(
        *MATCH, account_id="killer_account_id", total_kills=IS_KILL, knock_downs=~IS_KILL
    )
    table, events = (
        frame.group_by(PERSON).agg(pl.col(names).sum())
        for frame in (distribution, pl.concat([given, done], how="diagonal"))
    )
    return unequal(table, events, PERSON, names, within=REORDERED)


# --------------------------------------------------------------------------- places


@breaking_rows(of=t.CirclePositions)
def circle_distances_are_consistent(circle_positions: dy.LazyFrame[t.CirclePositions]) -> pl.LazyFrame:
    """Distances follow from place and circle, edge and centre distances add up to the radius, and is_in_safe_zone
    agrees with them."""
    from_center, from_edge = pl.col("distance_from_blue_center_m"), pl.col("distance_from_blue_edge_m")
    x, y = (pl.col(f"{axis}_m") - pl.col(f"blue_{axis}_m") for axis in "xy")
    consistent = (
        (((x.pow(2) + y.pow(2)).sqrt() - from_center).abs() <= METRES)
        & ((from_center + from_edge - pl.col("blue_radius_m")).abs() <= METRES)
        & (pl.col("is_in_safe_zone") == (from_edge >= 0))
    )
    shown = ("blue_radius_m", "distance_from_blue_center_m", "distance_from_blue_edge_m", "is_in_safe_zone")
    return circle_positions.filter(~consistent).select(*PERSON, "event_index", *shown)


@breaking_rows(of=t.CirclePositions, blocking=False)
def positions_are_on_the_map(
    circle_positions: dy.LazyFrame[t.CirclePositions], files: dy.LazyFrame[t.TelemetryFiles]
) -> pl.LazyFrame:
    """From the first zone on, people are on the map or a little outside."""
    return _off_the_map(circle_positions, files).select(*PERSON, "event_index", "map_id", "x_m", "y_m")


@breaking_rows(of=t.Landings, blocking=False)
def landings_are_on_the_map(landings: dy.LazyFrame[t.Landings], files: dy.LazyFrame[t.TelemetryFiles]) -> pl.LazyFrame:
    """People land on the map or a little outside."""
    return _off_the_map(landings, files).select(*PERSON, "landing_number", "map_id", "x_m", "y_m")


def _off_the_map(frame: pl.LazyFrame, files: pl.LazyFrame) -> pl.LazyFrame:
    """Returns rows whose place is off the map by more than `OUTSIDE_MAP` of its side; unknown maps are skipped."""
    sides = reference.maps().lazy().select("map_id", side_m=pl.col("size_cm") / 100)
    margin = pl.col("side_m") * OUTSIDE_MAP
    on_map = pl.all_horizontal(pl.col("x_m", "y_m").is_between(-margin, pl.col("side_m") + margin))
    return frame.join(files.select(*MATCH, "map_id"), on=MATCH).join(sides, on="map_id").filter(~on_map)


@breaking_rows(of=t.Landings)
def people_who_landed_have_landings(
    landings: dy.LazyFrame[t.Landings], landed: dy.LazyFrame[t.TelemetryLandings]
) -> pl.LazyFrame:
    """Everyone with a landing in the telemetry has a first landing, and no one else has."""
    people = landed.filter(~is_bot("account_id", "character_type") & (pl.col("account_id") != "")).select(PERSON)
    first = landings.filter(pl.col("landing_number") == 1)
    return only_in_one(people.unique(), first, PERSON, left_alone="has no landing", right_alone="did not land")


ALL: tuple[Check, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Check))
"""Every check of matches, in the order of this module."""
