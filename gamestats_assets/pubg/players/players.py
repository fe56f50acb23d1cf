"""Tracked players: the matches whose details are wanted, and the details themselves, copied from those of everyone.

**Wanted** are a player's matches since the day the player was added, those on the days of a backfill, and those already
copied by a cancelled backfill. Copied details are never removed.

Details come from the typed events of the day tables, not from files, match by match; matches that were already copied
are skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from weakref import WeakKeyDictionary

import dataframely as dy
import polars as pl

from gamestats_assets.lakehouse.delta.lake import Lake
from gamestats_assets.lakehouse.delta.ledger import fingerprint, ledger_of, row_fingerprints
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.pubg import tables as t
from gamestats_assets.pubg.players.careers import career_type
from gamestats_assets.pubg.players.tables import TRACKED_PLAYER

PositionsTaken = ledger_of(t.PlayerCirclePositions)
"""Matches with copied positions, by tracked player and match."""
DamageTaken = ledger_of(t.PlayerDamageEvents)
KillsTaken = ledger_of(t.WeaponKillEvents)

_PLAYERS_MATCH = (TRACKED_PLAYER, "match_id")
TAKEN: tuple[type[Table], ...] = (PositionsTaken, DamageTaken, KillsTaken)
"""Matches copied into each of the detail tables, by tracked player and match."""
_DECIDING: tuple[type[Table], ...] = (t.TrackedPlayers, t.Backfills, t.MatchSummaries, t.MatchFacts, PositionsTaken)
_WANTED: WeakKeyDictionary[Lake, tuple[tuple[int | None, ...], dict[str, str]]] = WeakKeyDictionary()


def player_matches(
    tracked: dy.LazyFrame[t.TrackedPlayers],
    backfills: dy.LazyFrame[t.Backfills],
    summaries: dy.LazyFrame[t.MatchSummaries],
    matches: dy.LazyFrame[t.MatchFacts],
    taken: dy.LazyFrame[PositionsTaken],  # type: ignore[valid-type]
) -> dy.LazyFrame[t.PlayerMatches]:
    """Returns the wanted matches of every tracked player with a known account; the module's docstring defines them."""
    players = tracked.filter(pl.col("account_id").is_not_null()).select(
        "tracked_player_id",
        "is_active",
        pl.col("account_id").alias(TRACKED_PLAYER),
        added_on=pl.col("added_at").dt.date(),
    )
    day = pl.col("match_date")
    own = (
        # First reduces everyone's results to the tracked players' own.
        summaries.join(players, left_on="account_id", right_on=TRACKED_PLAYER)
        .unique([*t.MatchSummaries.primary_key(), "tracked_player_id"])
        .with_columns(pl.col("account_id").alias(TRACKED_PLAYER))
        .join(
            matches.unique("match_id").select(
                "match_id",
                "started_at",
                "match_type",
                "game_mode",
                "telemetry_status",
                career_type=career_type("match_type", "game_mode"),
            ),
            on="match_id",
        )
    )
    # Inactive players keep their copied matches and get no new ones.
    active = own.filter("is_active")
    since_tracked = active.filter(day >= pl.col("added_on")).select(_PLAYERS_MATCH)
    history = (
        active.join(backfills.filter(pl.col("cancelled_at").is_null()), on="tracked_player_id")
        .filter(day.is_between(pl.col("from_day"), pl.col("to_day")))
        .select(_PLAYERS_MATCH)
    )
    kept = taken.select(pl.col("partition_key").alias(TRACKED_PLAYER), pl.col("unit_id").alias("match_id"))
    wanted = pl.concat([since_tracked, history, kept]).unique()
    return t.PlayerMatches.cast(own.join(wanted, on=_PLAYERS_MATCH, how="semi"))


def player_circle_positions(
    matches: dy.LazyFrame[t.PlayerMatches], positions: dy.LazyFrame[t.CirclePositions]
) -> dy.LazyFrame[t.PlayerCirclePositions]:
    """Returns the tracked players' own position samples."""
    return t.PlayerCirclePositions.cast(_taken(matches, positions, ["account_id"]))


def player_damage_events(
    matches: dy.LazyFrame[t.PlayerMatches], damage: dy.LazyFrame[t.DamageEvents]
) -> dy.LazyFrame[t.PlayerDamageEvents]:
    """Returns damage that the tracked players dealt or took."""
    people = ["attacker_account_id", "victim_account_id"]
    return t.PlayerDamageEvents.cast(_taken(matches, damage, people))


def weapon_kill_events(
    matches: dy.LazyFrame[t.PlayerMatches], kills: dy.LazyFrame[t.WeaponKills]
) -> dy.LazyFrame[t.WeaponKillEvents]:
    """Returns kills and knocks that involve the tracked players."""
    people = ["killer_account_id", "victim_account_id", "knocker_account_id", "finisher_account_id"]
    return t.WeaponKillEvents.cast(_taken(matches, kills, people))


def _taken(matches: pl.LazyFrame, events: pl.LazyFrame, people: Sequence[str]) -> pl.LazyFrame:
    """Returns the events of each tracked player's matches with the player among the people, once per player."""
    wanted = matches.select(_PLAYERS_MATCH).unique()
    return pl.concat(
        [
            events.join(wanted, left_on=["match_id", column], right_on=["match_id", TRACKED_PLAYER]).with_columns(
                pl.col(column).alias(TRACKED_PLAYER)
            )
            for column in people
        ]
    ).unique([TRACKED_PLAYER, "match_id", "event_index"])


def player_backfill_status(
    matches: dy.LazyFrame[t.PlayerMatches],
    positions: dy.LazyFrame[t.PlayerCirclePositions],
    damage: dy.LazyFrame[t.PlayerDamageEvents],
    kills: dy.LazyFrame[t.WeaponKillEvents],
    positions_taken: dy.LazyFrame[PositionsTaken],  # type: ignore[valid-type]
    damage_taken: dy.LazyFrame[DamageTaken],  # type: ignore[valid-type]
    kills_taken: dy.LazyFrame[KillsTaken],  # type: ignore[valid-type]
) -> dy.LazyFrame[t.PlayerBackfillStatus]:
    """Returns the progress of each wanted match: it is copied once its step has processed it, with or without rows."""
    status = pl.col("telemetry_status")
    rows = matches
    for name, taken in {
        "circle_positions_backfilled": positions_taken,
        "damage_events_backfilled": damage_taken,
        "weapon_events_backfilled": kills_taken,
    }.items():
        done = taken.select(
            pl.col("partition_key").alias(TRACKED_PLAYER), pl.col("unit_id").alias("match_id"), done=pl.lit(True)
        )
        rows = (
            rows.join(done, on=_PLAYERS_MATCH, how="left")
            .with_columns((pl.col("done").fill_null(False) & (status == "processed")).alias(name))
            .drop("done")
        )
    complete = pl.all_horizontal(pl.col("^.*_backfilled$"))
    return t.PlayerBackfillStatus.cast(
        rows.with_columns(
            backfill_status=pl.when(complete)
            .then(pl.lit("completed"))
            .when(status.is_in(["expired", "unreadable"]))
            .then(status)
            .otherwise(pl.lit("pending"))
        )
    )


# --------------------------------------------------------------------------- stale players


def wanted_matches(lake: Lake) -> dict[str, str]:
    """Returns, by tracked player, a fingerprint of the current rows of `player_matches`.

    A new day may concern any player, and computing the rows is the cheapest way to find out.
    """
    versions = tuple(map(lake.version, _DECIDING))
    known = _WANTED.get(lake)
    if known is None or known[0] != versions:
        frames = [lake.scan(table) for table in _DECIDING]
        rows = row_fingerprints(t.PlayerMatches, player_matches(*frames).collect())  # type: ignore[arg-type]
        accounts = frames[0].select("account_id").drop_nulls().unique().collect().to_series().sort()
        hashes = {account: fingerprint(*_flat(rows.get(account, {}))) for account in accounts}
        _WANTED[lake] = known = versions, hashes
    return known[1]


def _flat(pairs: Mapping[str, str]) -> list[str]:
    return [text for pair in sorted(pairs.items()) for text in pair]


def history_wanted(lake: Lake, accounts: Collection[str]) -> dict[str, tuple[int, bool]]:
    """Returns, by tracked player, the number of wanted matches not copied yet, and whether some are older than the
    tracking."""
    frames = [lake.scan(table) for table in _DECIDING]
    taken = frames[-1].select(pl.col("partition_key").alias(TRACKED_PLAYER), pl.col("unit_id").alias("match_id"))
    added = frames[0].select(pl.col("account_id").alias(TRACKED_PLAYER), added_on=pl.col("added_at").dt.date())
    lacking = (
        player_matches(*frames)  # type: ignore[arg-type]
        .filter(pl.col(TRACKED_PLAYER).is_in([*accounts]))
        .join(taken, on=_PLAYERS_MATCH, how="anti")
        .join(added, on=TRACKED_PLAYER)
        .group_by(TRACKED_PLAYER)
        .agg(matches=pl.col("match_id").n_unique(), is_history=(pl.col("match_date") < pl.col("added_on")).any())
        .collect()
    )
    return {account: (matches, is_history) for account, matches, is_history in lacking.iter_rows()}


def backfills_asked(lake: Lake) -> dict[str, str]:
    """Returns, by tracked player, the ids of active backfills."""
    asked = lake.scan(t.Backfills).filter(pl.col("cancelled_at").is_null())
    of_players = asked.join(lake.scan(t.TrackedPlayers).drop_nulls("account_id"), on="tracked_player_id")
    numbers = of_players.group_by("account_id").agg(pl.col("backfill_id").sort().cast(pl.String)).collect()
    return {account: ", ".join(of_account) for account, of_account in numbers.iter_rows()}


def accounts_seen(lake: Lake) -> dict[tuple[str, str], str]:
    """Returns accounts of tracked players known only by name, by shard and name, from the newest match."""
    named = lake.scan(t.TrackedPlayers).filter(pl.col("is_active") & pl.col("account_id").is_null())
    unknown = named.select("shard", "player_name").collect()
    if unknown.is_empty():
        return {}
    seen = (
        lake.scan(t.MatchSummaries)
        .join(unknown.lazy(), on="player_name")
        .join(lake.scan(t.MatchFacts).select("match_id", "shard_id", "started_at"), on="match_id")
        .filter((pl.col("shard_id") == pl.col("shard")).fill_null(True))
        .sort("started_at", "match_id")
        .unique(["shard", "player_name"], keep="last", maintain_order=True)
        .select("shard", "player_name", "account_id")
        .collect()
    )
    return {(shard, name): account for shard, name, account in seen.iter_rows()}
