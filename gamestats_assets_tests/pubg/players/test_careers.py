"""Careers of tracked players: by hand, and against a plain reading of the rules whatever the order of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gamestats_assets.lakehouse.quality import screen
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.players.careers import (
    career_type,
    player_advanced_career_stats,
    player_damage_stats,
    player_weapon_stats,
)
from gamestats_assets.pubg.players.tables import (
    PlayerBackfillStatus,
    PlayerCirclePositions,
    PlayerDamageEvents,
    PlayerMatches,
    WeaponKillEvents,
)
from gamestats_assets.simulators.pubg.matches import SimulatedMatch, simulate_match
from gamestats_assets_tests.pubg.scenario import at, bronze, derive, rows, run
from gamestats_assets_tests.support.frames import Frames

CAREERS = (player_damage_stats, player_weapon_stats, player_advanced_career_stats)
BACKFILLED = ("circle_positions_backfilled", "damage_events_backfilled", "weapon_events_backfilled")
A, B = "account.a", "account.b"
TEAMS = {A: 1, B: 2, "account.mate": 1, "account.enemy": 3, "ai.7": 4}


def played(*given_rows: Mapping[str, Any]) -> pl.DataFrame:
    """Matches of tracked players, `a` where it is not said; `second` is when they started."""
    complete = []
    for row in given_rows:
        who = row.get("tracked_player", A)
        values = {
            "tracked_player": who,
            "account_id": who,
            "player_name": who.removeprefix("account."),
            "telemetry_status": "processed",
            "has_telemetry": True,
            "started_at": at(row.get("second", 0)),
        }
        complete.append(values | {name: value for name, value in row.items() if name != "second"})
    return rows(PlayerMatches, *complete)


def dealt(
    match: str, damage: float, to: str = "account.enemy", by: str | None = A, **given_values: Any
) -> dict[str, Any]:
    """A damage event of tracked player `a`; who hits nobody of the own team gave it."""
    given_it = by is not None and TEAMS[by] != TEAMS[to]
    return {
        "match_id": match,
        "tracked_player": A,
        "attacker_account_id": by,
        "attacker_team_id": TEAMS[by] if by else None,
        "victim_account_id": to,
        "victim_team_id": TEAMS[to],
        "damage": damage,
        "weapon_id": "WeapHK416_C",
        "weapon_category": "AR",
        "damage_reason": "TorsoShot",
        "is_given": given_it,
    } | given_values


def felled(
    match: str, kind: str = "kill", by: str | None = A, of: str = "account.enemy", **given_values: Any
) -> dict[str, Any]:
    """A kill or knock of tracked player `a`."""
    return {
        "match_id": match,
        "tracked_player": A,
        "event_kind": kind,
        "killer_account_id": by,
        "killer_team_id": TEAMS[by] if by else None,
        "victim_account_id": of,
        "victim_team_id": TEAMS[of],
        "weapon_id": "WeapHK416_C",
        "weapon_name": "M416",
        "weapon_category": "AR",
        "damage_reason": "TorsoShot",
        "is_suicide": by == of,
        "is_team_kill": by is not None and by != of and TEAMS[by] == TEAMS[of],
    } | given_values


def figures(frame: pl.DataFrame, key: Sequence[str], *names: str) -> dict[Any, Any]:
    """By key, the figures of these names."""
    of = {tuple(row[name] for name in key): tuple(row[name] for name in names) for row in frame.to_dicts()}
    return {key_ if len(key) > 1 else key_[0]: values if len(names) > 1 else values[0] for key_, values in of.items()}


# --------------------------------------------------------------------------- what a match counts for


@pytest.mark.parametrize(
    ("match_type", "game_mode", "counts_for"),
    [
        ("competitive", "squad-fpp", "ranked"),
        ("official", "squad", "normal"),
        ("Official", "solo-fpp", "normal"),
        ("COMPETITIVE", None, "ranked"),
        ("custom", "esports-squad-fpp", "other"),
        ("arcade", "war-squad", "other"),
        ("seasonal", "squad", "other"),
        ("heard_of_never_before", "ibr", "other"),
        ("", "", "other"),
        (None, "squad", "other"),
        (None, None, "other"),
        ("airoyale", "squad", None),
        ("AiRoyale", None, None),
        ("training", "squad", None),
        ("TRAINING", "squad", None),
        ("event", "squad", None),
        ("events", "squad", "other"),
        ("official", "tdm", None),
        ("custom", "tdm-fpp", None),
        ("competitive", "TDM", None),
        ("arcade", "normal-tdm_2", None),
        (None, "tdm", None),
        ("official", "outdmost", "normal"),
        ("official", "tdmx-fpp", "normal"),
        ("official", "xtdm-fpp", "normal"),
    ],
)
def test_type_and_mode_say_what_a_match_counts_for(
    match_type: str | None, game_mode: str | None, counts_for: str | None
) -> None:
    frame = pl.DataFrame({"t": [match_type], "m": [game_mode]}, schema={"t": pl.String, "m": pl.String})
    found = frame.select(counts_for=career_type("t", "m"))
    assert found.schema == {"counts_for": pl.String}
    assert found.item() == counts_for


# --------------------------------------------------------------------------- by hand

MATCHES = played(
    {"match_id": "r", "career_type": "ranked", "match_type": "competitive", "second": 10},
    {"match_id": "n1", "career_type": "normal", "match_type": "official", "second": 20},
    {"match_id": "n2", "career_type": "normal", "match_type": "official", "second": 30},
    {"match_id": "o", "career_type": "other", "match_type": "custom", "second": 40},
    {"match_id": "tdm", "career_type": None, "match_type": "official", "second": 50, "player_name": "NewName"},
)


def test_damage_is_told_by_career_weapon_and_part_hit() -> None:
    events = rows(
        PlayerDamageEvents,
        dealt("r", 30.25),
        dealt("r", 20.5, victim_was_down=True),
        dealt("n1", 10.0),
        dealt("n2", 5.0, damage_reason="HeadShot"),
        dealt("n2", 0.0),
        dealt("o", 7.0, to="ai.7"),
        dealt("o", 12.0, weapon_id="ProjGrenade_C", weapon_category="Throwable", damage_reason=None),
        dealt("o", 3.0, weapon_id=None, weapon_category="Other", damage_reason="NonSpecific"),
    )
    found = run(player_damage_stats, {PlayerDamageEvents: events, PlayerMatches: MATCHES})
    rifle, grenade = ("WeapHK416_C", "TorsoShot"), ("ProjGrenade_C", "")
    assert figures(
        found,
        ["match_type", "weapon_id", "damage_reason"],
        "weapon_category",
        "hits",
        "damage_dealt",
        "damage_to_standing",
        "match_count",
    ) == {
        ("ranked", *rifle): ("AR", 2, 50.75, 30.25, 1),
        ("normal", *rifle): ("AR", 2, 10.0, 10.0, 2),
        ("normal", "WeapHK416_C", "HeadShot"): ("AR", 1, 5.0, 5.0, 1),
        ("all", *rifle): ("AR", 5, 67.75, 47.25, 4),
        ("all", "WeapHK416_C", "HeadShot"): ("AR", 1, 5.0, 5.0, 1),
        ("all", *grenade): ("Throwable", 1, 12.0, 12.0, 1),
        ("all", "", "NonSpecific"): ("Other", 1, 3.0, 3.0, 1),
    }


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(dealt("n1", 10.0, to="account.mate"), id="to a team mate"),
        pytest.param(dealt("n1", 10.0, to=A), id="to oneself"),
        pytest.param(dealt("n1", 10.0, to=A, by="account.enemy"), id="taken from an enemy"),
        pytest.param(dealt("n1", 10.0, to=A, by=None), id="taken from the zone"),
        pytest.param(dealt("n1", 10.0, by=B), id="dealt by somebody else"),
        pytest.param(dealt("tdm", 10.0), id="in a match that counts nowhere"),
        pytest.param(dealt("unheard", 10.0), id="in a match that is not among the player's"),
    ],
)
def test_damage_that_is_not_given_to_enemies_in_a_match_of_the_player_does_not_count(event: dict[str, Any]) -> None:
    frames = {PlayerDamageEvents: rows(PlayerDamageEvents, event), PlayerMatches: MATCHES}
    assert run(player_damage_stats, frames).is_empty()


def test_damage_below_zero_counts_as_none() -> None:
    events = rows(PlayerDamageEvents, dealt("o", -4.0), dealt("o", 6.0))
    found = run(player_damage_stats, {PlayerDamageEvents: events, PlayerMatches: MATCHES})
    assert figures(found, ["match_type"], "hits", "damage_dealt", "damage_to_standing") == {"all": (2, 6.0, 6.0)}


def test_kills_and_knocks_are_told_by_career_and_weapon() -> None:
    events = rows(
        WeaponKillEvents,
        felled("r", distance_m=100.0, damage_reason="HeadShot"),
        felled("r", distance_m=50.5, is_killsteal=True),
        felled("r", "knock", distance_m=400.0, damage_reason="HeadShot"),
        felled("n1", distance_m=None, damage_reason=None),
        felled("n2", of="ai.7", distance_m=10.0),
        felled("o", "knock", weapon_id=None, weapon_name=None, weapon_category="Other"),
        felled("o", distance_m=None, weapon_id="WeapNew_C", weapon_name=None, weapon_category="Other"),
    )
    found = run(player_weapon_stats, {WeaponKillEvents: events, PlayerMatches: MATCHES})
    names = ("weapon_name", "kills", "headshot_kills", "knocks", "killsteals")
    distances = ("avg_kill_distance_m", "max_kill_distance_m", "match_count")
    assert figures(found, ["match_type", "weapon_id"], *names, *distances) == {
        ("ranked", "WeapHK416_C"): ("M416", 2, 1, 1, 1, 75.25, 100.0, 1),
        ("normal", "WeapHK416_C"): ("M416", 2, 0, 0, 0, 10.0, 10.0, 2),
        ("all", "WeapHK416_C"): ("M416", 4, 1, 1, 1, 53.5, 100.0, 3),
        ("all", ""): (None, 0, 0, 1, 0, None, None, 1),
        ("all", "WeapNew_C"): (None, 1, 0, 0, 0, None, None, 1),
    }


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(felled("n1", of="account.mate"), id="team kill"),
        pytest.param(felled("n1", "knock", of="account.mate"), id="team mate knocked"),
        pytest.param(felled("n1", of=A), id="suicide"),
        pytest.param(felled("n1", is_suicide=True), id="suicide by the game's word"),
        pytest.param(felled("n1", by="account.enemy", of=A), id="death"),
        pytest.param(felled("n1", by=None, of=A), id="death by the zone"),
        pytest.param(felled("n1", by=B, finisher_account_id=A), id="finished for another"),
        pytest.param(felled("n1", by=B, knocker_account_id=A, is_killsteal=True), id="taken by another"),
        pytest.param(felled("tdm"), id="in a match that counts nowhere"),
        pytest.param(felled("unheard"), id="in a match that is not among the player's"),
    ],
)
def test_what_is_no_kill_of_an_enemy_credited_to_the_player_does_not_count(event: dict[str, Any]) -> None:
    frames = {WeaponKillEvents: rows(WeaponKillEvents, event), PlayerMatches: MATCHES}
    assert run(player_weapon_stats, frames).is_empty()


def test_mean_distance_is_never_above_the_longest() -> None:
    for distance in (58.4062939453125, 0.1 + 0.2, 1e-7):
        events = rows(WeaponKillEvents, *(felled("o", distance_m=distance) for _ in range(3)))
        [row] = run(player_weapon_stats, {WeaponKillEvents: events, PlayerMatches: MATCHES}).to_dicts()
        assert row["max_kill_distance_m"] == distance
        assert row["avg_kill_distance_m"] == pytest.approx(distance, abs=1e-6)
        assert row["avg_kill_distance_m"] <= distance


def test_weapon_is_called_as_in_its_newest_event() -> None:
    before, after = {"weapon_name": None, "weapon_category": "Other"}, {"weapon_name": "M416", "weapon_category": "AR"}
    kills = rows(WeaponKillEvents, felled("r", t=9, **after), felled("n2", t=2, **before))
    found = run(player_weapon_stats, {WeaponKillEvents: kills, PlayerMatches: MATCHES})
    assert figures(found, ["match_type"], "weapon_name", "weapon_category", "kills") == {
        "all": ("M416", "AR", 2),
        "ranked": ("M416", "AR", 1),
        "normal": (None, "Other", 1),
    }
    damage = rows(
        PlayerDamageEvents, dealt("n2", 1.0, t=9, weapon_category="AR"), dealt("r", 1.0, t=2, weapon_category="Other")
    )
    found = run(player_damage_stats, {PlayerDamageEvents: damage, PlayerMatches: MATCHES})
    assert figures(found, ["match_type"], "weapon_category", "hits") == {
        "all": ("AR", 2),
        "normal": ("AR", 1),
        "ranked": ("Other", 1),
    }
    # The time decides, not the ids of matches.
    damage = rows(
        PlayerDamageEvents, dealt("n1", 1.0, t=9, weapon_category="AR"), dealt("r", 1.0, t=2, weapon_category="Other")
    )
    found = run(player_damage_stats, {PlayerDamageEvents: damage, PlayerMatches: MATCHES})
    assert dict(found["match_type", "weapon_category"].iter_rows())["all"] == "AR"


def test_totals_add_up_matches_and_means_are_over_those_that_tell_the_figure() -> None:
    telling = {
        "placement": 1,
        "won": True,
        "kills": 4,
        "assists": 2,
        "dbnos": 3,
        "damage_dealt": 310.5,
        "time_survived_s": 1500.0,
        "killsteals": 1,
        "finishes_stolen": 2,
        "heals_used": 5,
        "boosts_used": 6,
        "throwables_used": 7,
        "smokes_thrown": 3,
        "throwable_damage": 40.25,
        "damage_received": 120.5,
        "time_outside_zone_seconds": 10.3,
        "avg_distance_from_center": 200.0,
        "avg_distance_from_edge": 50.0,
        "second": 10,
    }
    without_telemetry = {
        "placement": 12,
        "won": False,
        "kills": 1,
        "assists": 0,
        "dbnos": 1,
        "damage_dealt": 99.5,
        "time_survived_s": 600.5,
        "telemetry_status": "expired",
        "has_telemetry": False,
        "second": 30,
    }
    silent = {"avg_distance_from_edge": -20.0, "avg_distance_from_center": 400.0, "second": 20}
    matches = played(
        {"match_id": "n1", "career_type": "normal", **telling},
        {"match_id": "n2", "career_type": "normal", **without_telemetry},
        {"match_id": "o", "career_type": "other", **silent},
        {"match_id": "tdm", "career_type": None, **telling, "second": 5},
    )
    found = {row["match_type"]: row for row in run(player_advanced_career_stats, {PlayerMatches: matches}).to_dicts()}
    normal = {
        "tracked_player": A,
        "match_type": "normal",
        "player_name": "a",
        "matches_played": 2,
        "matches_with_telemetry": 1,
        "wins": 1,
        "average_placement": 6.5,
        "total_kills": 5,
        "total_assists": 2,
        "total_dbnos": 4,
        "total_damage_dealt": 410.0,
        "total_time_survived_s": 2100.5,
        "total_killsteals": 1,
        "total_finishes_stolen": 2,
        "total_heals_used": 5,
        "total_boosts_used": 6,
        "total_throwables_used": 7,
        "total_smokes_thrown": 3,
        "total_throwable_damage": 40.25,
        "total_damage_received": 120.5,
        "total_time_outside_zone_s": 10.3,
        "avg_distance_from_center_m": 200.0,
        "avg_distance_from_edge_m": 50.0,
        "first_match_at": at(10),
        "latest_match_at": at(30),
    }
    assert found == {
        "normal": normal,
        "all": normal
        | {
            "match_type": "all",
            "matches_played": 3,
            "matches_with_telemetry": 2,
            "avg_distance_from_center_m": 300.0,
            "avg_distance_from_edge_m": 15.0,
        },
    }


def test_match_that_tells_nothing_gives_zeros_and_no_means() -> None:
    matches = played({"match_id": "r", "career_type": "ranked", "telemetry_status": "pending", "damage_dealt": -0.5})
    found = run(player_advanced_career_stats, {PlayerMatches: matches}).to_dicts()
    assert {row["match_type"] for row in found} == {"ranked", "all"}
    for row in found:
        means = {"average_placement", "avg_distance_from_center_m", "avg_distance_from_edge_m"}
        assert {name for name, value in row.items() if value is None} == means
        assert {value for name, value in row.items() if name.startswith("total_") or name == "wins"} == {0}
        assert (row["matches_played"], row["matches_with_telemetry"]) == (1, 0)


def test_player_has_the_name_of_the_newest_match_whatever_it_counts_for() -> None:
    damage = rows(PlayerDamageEvents, dealt("r", 1.0))
    kills = rows(WeaponKillEvents, felled("r"))
    frames = {PlayerDamageEvents: damage, WeaponKillEvents: kills, PlayerMatches: MATCHES}
    for function in CAREERS:
        assert set(run(function, frames)["player_name"]) == {"NewName"}


def test_tracked_players_of_one_match_keep_apart() -> None:
    matches = played(
        {"match_id": "n", "career_type": "normal", "kills": 3, "placement": 2},
        {"match_id": "n", "career_type": "normal", "kills": 5, "placement": 4, "tracked_player": B},
    )
    shot, back = dealt("n", 40.0, to=B), dealt("n", 60.0, to=A, by=B)
    damage = rows(PlayerDamageEvents, shot, back, shot, back)
    # The same two events of the match, once for each of the two players.
    both = pl.Series("tracked_player", [A, A, B, B])
    damage = damage.with_columns(both, event_index=pl.Series([0, 1, 0, 1], dtype=pl.Int32))
    kills = rows(WeaponKillEvents, felled("n", of=B), felled("n", of=B) | {"tracked_player": B})
    kills = kills.with_columns(event_index=pl.lit(0, pl.Int32))
    frames = {PlayerDamageEvents: damage, WeaponKillEvents: kills, PlayerMatches: matches}
    key = ["tracked_player", "match_type"]
    assert figures(run(player_damage_stats, frames), key, "player_name", "hits", "damage_dealt") == {
        (who, kind): (name, 1, given_)
        for who, name, given_ in ((A, "a", 40.0), (B, "b", 60.0))
        for kind in ("all", "normal")
    }
    assert figures(run(player_weapon_stats, frames), key, "kills") == {(A, "all"): 1, (A, "normal"): 1}
    assert figures(run(player_advanced_career_stats, frames), key, "total_kills", "average_placement") == {
        (who, kind): line for who, line in ((A, (3, 2.0)), (B, (5, 4.0))) for kind in ("all", "normal")
    }


# --------------------------------------------------------------------------- whole matches

TYPES = ("official", "competitive", "custom", "airoyale", "official", "competitive")


def simulated_players(folder: Path) -> tuple[dict[type[Table], pl.DataFrame], list[SimulatedMatch]]:
    """Four tracked players who met in six matches of several types, the last of them without telemetry.

    Args:
        folder: an empty folder to land in.

    Returns:
        The tables of tracked players but for careers, which keep their declared rules, and the matches.
    """
    games = [
        simulate_match(
            40 + number,
            datetime(2026, 3, 14, 12 + number, tzinfo=UTC),
            players=64,
            match_type=kind,
            population=70,
        )
        for number, kind in enumerate(TYPES)
    ]
    files = [(game.truth.match_id, "match", game.match_json) for game in games]
    files += [(game.truth.match_id, "telemetry", game.telemetry_json) for game in games[:-1]]
    known = derive(bronze(folder, *files))
    met = Counter(account for game in games for account in game.truth.players_truth)
    stolen = (
        known[t.MatchSummaries]
        .group_by("account_id")
        .agg(pl.sum_horizontal(pl.col("killsteals", "finishes_stolen").sum()))
    )
    # Of those who were in most matches, the ones who took most from others.
    often = sorted(stolen.rows(), key=lambda row: (met[row[0]] < 5, -row[1], row[0]))
    return of_players(known, [account for account, _ in often[:4]]), games


def of_players(known: Frames, accounts: list[str]) -> dict[type[Table], pl.DataFrame]:
    """The tables of tracked players but for careers, taken from the tables of matches."""
    tracked = pl.DataFrame({"tracked_player": accounts})

    def own(source: type[Table], *people: str) -> pl.DataFrame:
        is_own = pl.any_horizontal(pl.col(name).eq_missing(pl.col("tracked_player")) for name in people)
        return known[source].join(tracked, how="cross").filter(is_own)

    of_match = known[t.MatchFacts].select("match_id", "started_at", "match_type", "game_mode", "telemetry_status")
    matches = (
        own(t.MatchSummaries, "account_id")
        .join(of_match, on="match_id")
        .with_columns(career_type=career_type("match_type", "game_mode"))
        .select(PlayerMatches.column_names())
    )
    done = pl.col("telemetry_status") == "processed"
    frames: dict[type[Table], pl.DataFrame] = {
        PlayerMatches: matches,
        PlayerCirclePositions: own(t.CirclePositions, "account_id"),
        PlayerDamageEvents: own(t.DamageEvents, "attacker_account_id", "victim_account_id"),
        WeaponKillEvents: own(
            t.WeaponKills, "killer_account_id", "victim_account_id", "knocker_account_id", "finisher_account_id"
        ),
        PlayerBackfillStatus: matches.with_columns(
            *(done.alias(flag) for flag in BACKFILLED),
            backfill_status=pl.when(done).then(pl.lit("completed")).otherwise("telemetry_status"),
        ).select(PlayerBackfillStatus.column_names()),
    }
    # What counts nowhere comes last, so that what is planted in a first row counts.
    order = matches.select("tracked_player", "match_id", counts_nowhere=pl.col("career_type").is_null())
    frames = {
        table: frame.join(order, on=["tracked_player", "match_id"]).sort("counts_nowhere", *table.primary_key())
        for table, frame in frames.items()
    }
    frames = {table: frame.select(table.column_names()) for table, frame in frames.items()}
    for table, frame in frames.items():
        assert screen(table, frame).rejections == [], table.__name__
    return frames


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[type[Table], pl.DataFrame], list[SimulatedMatch]]:
    return simulated_players(tmp_path_factory.mktemp("landing"))
