"""Discovery: whom to ask the API about, and the register of the matches that were found.

Two pipelines look for matches: one asks for every tracked player every ten minutes, the other,
while matches are scheduled, for one or two members of each playing team every minute. Both enter
what they find in `ops.matches_discovered`: the first writer has the row, the other's find is
noted in it. A find is only registered here; runs archive it (`archive`), and what a match counts
for never depends on who found it.

The API allows few requests a minute, for all of this together: `plan` divides them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import SecretStr

from gamestats_assets.lakehouse.ops import rows
from gamestats_assets.lakehouse.postgres import connect
from gamestats_assets.pubg.api import PLAYERS_A_CALL, MatchFetch, Player, PubgApi

Finder = Literal["tracked_players", "tournament"]
PRIORITY: Mapping[Finder, Literal["high", "normal"]] = {"tracked_players": "normal", "tournament": "high"}
RUN_PRIORITY: Mapping[str, int] = {"high": 10, "normal": 0, "low": -10}
"""`dagster/priority` of the runs that archive matches, and of backfills (low)."""

TOURNAMENT_TYPES = frozenset({"custom", "competitive"})
"""Match types that tournaments are played in; the tournament pipeline passes over the others."""

TICK_S = 60
"""Seconds between two ticks of a pipeline's sensor."""
TOURNAMENT_EVERY_S = 60
TRACKED_EVERY_S = 600
MEMBERS_A_TEAM = 2
MATCH_LENGTH = timedelta(minutes=40)
"""How long after its slot a match may still be played; the API lists it some minutes after its end."""
LISTED_AFTER = timedelta(minutes=20)

_CLAIM = timedelta(minutes=15)
_MOST_ATTEMPTS = 5
_DOWNLOADS = 4


# --------------------------------------------------------------------------- the plan


@dataclass(frozen=True, slots=True)
class Plan:
    """How the requests that the API allows are divided.

    Attributes:
        limit: requests allowed a minute.
        teams: teams playing in the window now open (or in the largest one to come).
        members: members of each team asked for.
        tournament_calls: requests of one round of the tournament pipeline.
        tournament_every_s: seconds between two rounds.
        reserved: requests a minute that tracked players leave to it while its window is open.
        tracked: tracked players.
        tracked_calls: requests of one round over them.
        tracked_every_s: seconds between two rounds, while a window is open.
    """

    limit: int
    teams: int
    members: int
    tournament_calls: int
    tournament_every_s: int
    reserved: int
    tracked: int
    tracked_calls: int
    tracked_every_s: int

    def lines(self) -> list[str]:
        """The plan in words."""
        told = [f"{self.limit} requests a minute, {PLAYERS_A_CALL} players each"]
        if self.teams:
            told.append(
                f"tournament: {self.members} of each of {self.teams} teams every {self.tournament_every_s} s, "
                f"{_requests(self.tournament_calls)}, only while matches are scheduled"
            )
        told.append(
            f"tracked players: {self.tracked} every {math.ceil(self.tracked_every_s / 60)} min, "
            f"{_requests(self.tracked_calls)}"
        )
        return told


def _requests(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def plan(*, limit: int, teams: int, tracked: int) -> Plan:
    """Divide the limit: two members a team every minute, else one, else as often as fits.

    One request a minute is always left to tracked players.

    >>> plan(limit=10, teams=16, tracked=128).members
    2
    >>> plan(limit=10, teams=128, tracked=500).tournament_every_s
    120
    """
    most = max(limit - 1, 1)
    members = next((m for m in range(MEMBERS_A_TEAM, 1, -1) if math.ceil(teams * m / PLAYERS_A_CALL) <= most), 1)
    calls = math.ceil(teams * members / PLAYERS_A_CALL)
    rounds = max(math.ceil(calls / most), 1)
    reserved = math.ceil(calls / rounds)
    tracked_calls = math.ceil(tracked / PLAYERS_A_CALL)
    left = max(limit - reserved, 1)
    return Plan(
        limit=limit,
        teams=teams,
        members=members,
        tournament_calls=calls,
        tournament_every_s=TOURNAMENT_EVERY_S * rounds,
        reserved=reserved,
        tracked=tracked,
        tracked_calls=tracked_calls,
        tracked_every_s=max(TRACKED_EVERY_S, math.ceil(tracked_calls / left) * 60),
    )


def current_plan(url: SecretStr, now: datetime, *, limit: int) -> Plan:
    """The plan for the teams that play now and the players that are tracked now."""
    return plan(
        limit=limit,
        teams=len({player.team_id for player in playing(url, now)}),
        tracked=len(tracked_players(url)),
    )


@dataclass(frozen=True, slots=True)
class Round:
    """How far one round over all groups of players has come; what a sensor's cursor keeps.

    Attributes:
        turn: number of the round.
        begun_at: when it began, in unix seconds.
        asked: groups asked for in it.
    """

    turn: int = 0
    begun_at: float = 0.0
    asked: int = 0

    def begun(self, groups: int, now: datetime, every_s: int) -> Round:
        """This round, or the next one when this is done and its time is over."""
        # A second early counts: ticks do not come to the second.
        is_over = self.asked >= groups and now.timestamp() - self.begun_at >= every_s - 1
        return Round(self.turn + 1, now.timestamp()) if is_over or not self.turn else self

    def due(self, groups: Sequence[list[Asked]], every_s: int) -> Sequence[list[Asked]]:
        """The groups to ask for in one tick: the round is spread evenly over its time."""
        share = math.ceil(len(groups) * TICK_S / every_s)
        return groups[self.asked : self.asked + share]

    def advanced(self) -> Round:
        """The round with one more group asked for."""
        return Round(self.turn, self.begun_at, self.asked + 1)

    def as_cursor(self) -> dict[str, float]:
        """The round as a cursor keeps it."""
        return {"turn": self.turn, "begun_at": self.begun_at, "asked": self.asked}


# --------------------------------------------------------------------------- whom to ask for


@dataclass(frozen=True, slots=True)
class Asked:
    """A player to ask the API about: by account where it is known, else by name."""

    shard: str
    account_id: str | None
    player_name: str
    team_id: int | None = None


def tracked_players(url: SecretStr) -> list[Asked]:
    """Active tracked players, in the order in which they were added."""
    with connect(url) as conn:
        found = rows(
            conn,
            "SELECT shard, account_id, player_name FROM ops.tracked_players WHERE is_active ORDER BY tracked_player_id",
        )
    return [Asked(**row) for row in found]


def playing(url: SecretStr, now: datetime) -> list[Asked]:
    """Everybody on a roster of a team whose division and group has a match scheduled about now.

    A window is open from the slot's tolerance before its time until the match, begun as late as
    that, is over and listed by the API.
    """
    with connect(url) as conn:
        found = rows(
            conn,
            """
            WITH open AS (
                SELECT DISTINCT r.division_id, r.group_id, s.shard, s.season_id,
                    (%(now)s AT TIME ZONE s.time_zone)::date AS today
                FROM ops.scheduled_matches m
                JOIN ops.rounds r USING (round_id)
                JOIN ops.divisions d ON d.division_id = r.division_id
                JOIN ops.seasons s USING (season_id)
                WHERE m.status IN ('scheduled', 'active') AND r.status <> 'cancelled'
                    AND %(now)s BETWEEN m.scheduled_at - make_interval(mins => s.slot_window_min)
                        AND m.scheduled_at + make_interval(mins => s.slot_window_min) + %(after)s
            )
            SELECT DISTINCT ON (e.roster_entry_id) o.shard, e.account_id, e.player_name, t.team_id
            FROM open o
            JOIN ops.teams t ON t.division_id = o.division_id AND (o.group_id IS NULL OR t.group_id = o.group_id)
            JOIN ops.roster_entries e ON e.team_id = t.team_id
                -- An evening that runs past midnight is still that of the day before.
                AND daterange(e.valid_from, e.valid_until, '[]') && daterange(o.today - 1, o.today, '[]')
            ORDER BY e.roster_entry_id
            """,
            {"now": now, "after": MATCH_LENGTH + LISTED_AFTER},  # pyright: ignore[reportArgumentType]
        )
    return [Asked(**row) for row in found]


def members_to_ask(roster: Sequence[Asked], members: int, turn: int) -> list[Asked]:
    """Some members of each team, others at every turn: one who sits out hides no match for long."""
    teams: dict[int | None, list[Asked]] = {}
    for player in roster:
        teams.setdefault(player.team_id, []).append(player)
    return [
        team[(turn * members + number) % len(team)]
        for _, team in sorted(teams.items(), key=lambda item: item[0] or 0)
        for number in range(min(members, len(team)))
    ]


def batches(players: Sequence[Asked]) -> list[list[Asked]]:
    """Players in groups that one request can ask for: one shard, all by account or all by name."""
    kinds: dict[tuple[str, bool], dict[str, Asked]] = {}
    for player in players:
        kind = kinds.setdefault((player.shard, player.account_id is not None), {})
        kind.setdefault(player.account_id or player.player_name, player)
    return [
        list(kind.values())[start : start + PLAYERS_A_CALL]
        for _, kind in sorted(kinds.items())
        for start in range(0, len(kind), PLAYERS_A_CALL)
    ]


def ask(api: PubgApi, batch: Sequence[Asked]) -> list[Player]:
    """One batch of players as the API knows them now, with their recent matches.

    Raises:
        PubgApiError: when the API does not answer, or its limit is used up.
    """
    if batch[0].account_id is not None:
        return api.players_by_id([player.account_id for player in batch if player.account_id])
    return api.players_by_name([player.player_name for player in batch])


def learn_accounts(url: SecretStr, accounts: Mapping[tuple[str, str], str]) -> int:
    """Enter the accounts of tracked players of whom only the name is known, and tell of how many.

    Args:
        accounts: account by shard and in-game name.
    """
    learnt = 0
    for (shard, name), account in sorted(accounts.items()):
        with connect(url) as conn:
            learnt += conn.execute(
                "UPDATE ops.tracked_players SET account_id = %(account)s"
                " WHERE account_id IS NULL AND shard = %(shard)s AND player_name = %(name)s"
                " AND NOT EXISTS (SELECT 1 FROM ops.tracked_players WHERE account_id = %(account)s)",
                {"shard": shard, "name": name, "account": account},
            ).rowcount
    return learnt


def priority_of(url: SecretStr, match_ids: Collection[str]) -> str:
    """The highest priority with which one of the matches was found; normal where none was."""
    with connect(url) as conn:
        found = rows(
            conn,
            "SELECT 1 FROM ops.matches_discovered WHERE match_id = ANY(%s) AND priority = 'high' LIMIT 1",
            [list(match_ids)],
        )
    return "high" if found else "normal"


# --------------------------------------------------------------------------- the register


def register(url: SecretStr, shard: str, match_ids: Sequence[str], finder: Finder) -> list[str]:
    """Enter found matches; the ids that are new in the register, in order.

    Of two finders the first has the row. The second is noted in it, raises its priority if its
    own is higher, and takes up again what the first passed over.
    """
    if not match_ids:
        return []
    values: dict[str, Any] = {
        "ids": sorted(set(match_ids)),
        "shard": shard,
        "finder": finder,
        "priority": PRIORITY[finder],
    }
    with connect(url) as conn, conn.transaction():
        new = conn.execute(
            "INSERT INTO ops.matches_discovered (match_id, shard, discovered_by, priority, last_seen_at)"
            " SELECT id, %(shard)s, %(finder)s, %(priority)s, clock_timestamp() FROM unnest(%(ids)s::text[]) id"
            " ORDER BY id ON CONFLICT (match_id) DO NOTHING RETURNING match_id",
            values,
        ).fetchall()
        values["known"] = sorted({*values["ids"]} - {match_id for (match_id,) in new})
        conn.execute(
            # In order of ids, so that two pipelines never wait for each other.
            "WITH seen AS (SELECT match_id FROM ops.matches_discovered WHERE match_id = ANY(%(known)s)"
            " AND discovered_by <> %(finder)s AND NOT also_seen_by @> ARRAY[%(finder)s]"
            " ORDER BY match_id FOR UPDATE)"
            " UPDATE ops.matches_discovered d SET also_seen_by = also_seen_by || %(finder)s::text,"
            " last_seen_at = clock_timestamp(),"
            " priority = CASE WHEN %(priority)s = 'high' THEN 'high' ELSE d.priority END,"
            " state = CASE WHEN d.state = 'passed_over' THEN 'registered' ELSE d.state END"
            " FROM seen WHERE d.match_id = seen.match_id",
            values,
        )
    return sorted(match_id for (match_id,) in new)


@dataclass(frozen=True, slots=True)
class Claim:
    """Matches that one run is to archive, and until when it has them."""

    shard: str
    priority: str
    match_ids: tuple[str, ...]
    attempt: int
    claimed_until: str


def claim(url: SecretStr, finder: Finder, *, size: int = 20, most: int = 10) -> list[Claim]:
    """Registered matches of a finder that no run has, as work for runs.

    A claim ends by itself after a while: a run that was requested and never came loses nothing.
    """
    with connect(url) as conn, conn.transaction():
        found = rows(
            conn,
            "WITH free AS (SELECT match_id FROM ops.matches_discovered WHERE state = 'registered'"
            " AND (discovered_by = %(finder)s OR also_seen_by @> ARRAY[%(finder)s])"
            " AND coalesce(claimed_until <= clock_timestamp(), true)"
            " ORDER BY discovered_at, match_id LIMIT %(most)s FOR UPDATE SKIP LOCKED)"
            " UPDATE ops.matches_discovered d SET claimed_until = clock_timestamp() + %(claim)s"
            " FROM free WHERE d.match_id = free.match_id"
            " RETURNING d.match_id, d.shard, d.priority, d.attempts, d.claimed_until::text",
            {"finder": finder, "most": size * most, "claim": _CLAIM},  # pyright: ignore[reportArgumentType]
        )
    until = max((row["claimed_until"] for row in found), default="")
    kinds: dict[tuple[str, str, int], list[str]] = {}
    for row in found:
        kinds.setdefault((row["shard"], row["priority"], row["attempts"]), []).append(row["match_id"])
    return [
        Claim(shard, priority, tuple(sorted(ids)[start : start + size]), attempt, until)
        for (shard, priority, attempt), ids in sorted(kinds.items())
        for start in range(0, len(ids), size)
    ]


def types_wanted(url: SecretStr, match_ids: Sequence[str]) -> dict[str, frozenset[str] | None]:
    """Per match, the types its finders want; None is every type: somebody tracked played in it."""
    with connect(url) as conn:
        found = rows(
            conn,
            "SELECT match_id, discovered_by, also_seen_by FROM ops.matches_discovered WHERE match_id = ANY(%s)",
            [list(match_ids)],
        )
    return {
        row["match_id"]: None if "tracked_players" in (row["discovered_by"], *row["also_seen_by"]) else TOURNAMENT_TYPES
        for row in found
    }


def archive(url: SecretStr, api: PubgApi, match_ids: Sequence[str]) -> list[MatchFetch]:
    """Fetch what is missing of matches into the landing zone, and settle them in the register.

    One match's failure does not stop the others; it is tried again a few times, later and later.
    """
    wanted = types_wanted(url, match_ids)
    with ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="pubg-archive") as pool:
        fetched = list(
            pool.map(lambda match_id: api.fetch_whole_match(match_id, only_types=wanted.get(match_id)), match_ids)
        )
    settle(url, fetched)
    return fetched


def settle(url: SecretStr, fetched: Sequence[MatchFetch]) -> None:
    """Enter in the register what became of matches."""
    state = {"fetched": "archived", "known": "archived", "expired": "expired", "passed_over": "passed_over"}
    with connect(url) as conn, conn.transaction():
        for match in sorted(fetched, key=lambda match: match.match_id):
            conn.execute(
                "UPDATE ops.matches_discovered SET attempts = attempts + 1, last_error = nullif(%(reason)s, ''),"
                " state = CASE WHEN %(state)s::text IS NOT NULL THEN %(state)s"
                " WHEN attempts + 1 >= %(most)s THEN 'failed' ELSE 'registered' END,"
                " settled_at = CASE WHEN %(state)s::text IS NOT NULL THEN clock_timestamp() END,"
                # A failure waits twice as long each time: an API that is down is not asked without end.
                " claimed_until = CASE WHEN %(state)s::text IS NULL"
                " THEN clock_timestamp() + make_interval(mins => (2 ^ attempts)::int) END"
                " WHERE match_id = %(match_id)s",
                {
                    "match_id": match.match_id,
                    "reason": match.reason,
                    "state": state.get(match.status),
                    "most": _MOST_ATTEMPTS,
                },
            )


def teams_at_most(url: SecretStr, now: datetime | None = None) -> int:
    """Most teams that the schedule has playing at one time from now on."""
    with connect(url) as conn:
        found = rows(
            conn,
            """
            WITH slots AS (
                SELECT m.scheduled_at, s.slot_window_min, r.division_id, r.group_id
                FROM ops.scheduled_matches m JOIN ops.rounds r USING (round_id)
                JOIN ops.divisions d ON d.division_id = r.division_id JOIN ops.seasons s USING (season_id)
                WHERE m.status IN ('scheduled', 'active') AND r.status <> 'cancelled' AND m.scheduled_at >= %(now)s
            )
            SELECT coalesce(max(teams), 0) AS teams FROM (
                SELECT a.scheduled_at, count(DISTINCT t.team_id) AS teams
                FROM slots a
                JOIN slots b ON b.scheduled_at BETWEEN
                    a.scheduled_at - make_interval(mins => 2 * a.slot_window_min) - %(after)s AND a.scheduled_at
                JOIN ops.teams t ON t.division_id = b.division_id AND (b.group_id IS NULL OR t.group_id = b.group_id)
                GROUP BY a.scheduled_at
            ) at_once
            """,
            {"now": now or datetime.now(UTC), "after": MATCH_LENGTH + LISTED_AFTER},  # pyright: ignore[reportArgumentType]
        )
    return int(found[0]["teams"])
