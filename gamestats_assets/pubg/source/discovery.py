"""Discovery: which players to ask the API about, and the register of the matches that it lists for them.

Two sensors poll the API: one for every tracked player, every ten minutes, the other, while matches are scheduled, for
one or two members of each playing team, every minute. Both register matches in `ops.matches_discovered`, where each
match is once, with both of its finders; runs fetch them (`archive`). What a match counts for never depends on who found
it. The API allows few requests a minute for all of this: `plan` divides them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import SecretStr

from gamestats_assets.apis.register import PollResult, Register, due_before, poll_players
from gamestats_assets.lakehouse.entries.ops import Row, rows
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.pubg.source.api import PLAYERS_A_CALL, MatchFetch, Player, PubgApi, can_be_asked_for

Finder = Literal["tracked_players", "tournament"]
PRIORITY: Mapping[Finder, Literal["high", "normal"]] = {"tracked_players": "normal", "tournament": "high"}
RUN_PRIORITY: Mapping[str, int] = {"high": 10, "normal": 0, "low": -10}
"""`dagster/priority` of the runs that archive matches, and of backfills (low)."""

TOURNAMENT_TYPES = frozenset({"custom", "competitive"})
"""Match types that tournaments are played in; matches of other types that only the tournament found are passed over."""

TOURNAMENT_EVERY_S = 60
TRACKED_EVERY_S = 600
MEMBERS_A_TEAM = 2
MATCH_LENGTH = timedelta(minutes=40)
"""Time after a slot within which its match may still be played; the API lists it some minutes after its end."""
LISTED_AFTER = timedelta(minutes=20)

MATCHES = Register("matches_discovered", "match_id", longest_delay=timedelta(minutes=10))
_DOWNLOADS = 4


# --------------------------------------------------------------------------- the plan


@dataclass(frozen=True, slots=True)
class Plan:
    """The division of the allowed requests.

    Attributes:
        limit: requests allowed a minute.
        teams: teams playing in the open window (or in the largest future one).
        members: members per team to ask about.
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
        lines = [f"{self.limit} requests a minute, {PLAYERS_A_CALL} players each"]
        if self.teams:
            lines.append(
                f"tournament: {self.members} of each of {self.teams} teams every {self.tournament_every_s} s, "
                f"{_requests(self.tournament_calls)}, only while matches are scheduled"
            )
        lines.append(
            f"tracked players: {self.tracked} every {math.ceil(self.tracked_every_s / 60)} min, "
            f"{_requests(self.tracked_calls)}"
        )
        return lines


def _requests(number: int) -> str:
    return f"{number} request{'' if number == 1 else 's'}"


def plan(
    *,
    limit: int,
    teams: int,
    tracked: int,
    tournament_calls: Callable[[int], int] | None = None,
    tracked_calls: int | None = None,
) -> Plan:
    """Divides the limit: two members per team every minute, else one, else one at longer intervals.

    With a limit of two or more, one request per minute is always reserved for tracked players: the tournament pipeline
    is limited to one less than the limit, and tracked players to the limit minus the reserved requests.

    Args:
        limit: requests allowed a minute.
        teams: teams that play at the same time.
        tracked: tracked players.
        tournament_calls: requests per round for the members of each team; by default the minimum with ten players per
            request.
        tracked_calls: requests per round for the tracked players; likewise.

    >>> plan(limit=10, teams=16, tracked=128).members
    2
    >>> plan(limit=10, teams=128, tracked=500).tournament_every_s
    120
    """

    def fewest(members: int) -> int:
        return math.ceil(teams * members / PLAYERS_A_CALL)

    calls_of = tournament_calls or fewest
    most = max(limit - 1, 1)
    members = next((m for m in range(MEMBERS_A_TEAM, 1, -1) if calls_of(m) <= most), 1)
    calls = calls_of(members)
    rounds = max(math.ceil(calls / most), 1)
    reserved = math.ceil(calls / rounds)
    if tracked_calls is None:
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


def current_plan(url: SecretStr, now: datetime, *, limit: int, teams: int = 0) -> Plan:
    """Returns the plan for the currently playing teams and tracked players, with the requests they actually need.

    Args:
        url: PostgreSQL with a migrated schema `ops`.
        now: time that determines the playing teams.
        limit: requests allowed a minute.
        teams: teams to plan for, if more than currently play.
    """
    roster, tracked = playing(url, now), tracked_players(url)
    now_playing = len({player.team_id for player in roster})
    more = max(teams - now_playing, 0)

    def tournament_calls(members: int) -> int:
        # Rosters of teams that do not play yet are unknown; they are assumed to fill requests.
        return _most_calls(roster, members) + math.ceil(more * members / PLAYERS_A_CALL)

    return plan(
        limit=limit,
        teams=now_playing + more,
        tracked=len(tracked),
        tournament_calls=tournament_calls,
        tracked_calls=len(batches(tracked)),
    )


def _most_calls(roster: Sequence[Asked], members: int) -> int:
    """Returns the most requests that any turn of some members per team needs.

    Members with unknown accounts are requested by name, so a turn can need both kinds of requests.
    """
    in_team: dict[tuple[str, bool, int | None], int] = {}
    for player in roster:
        kind = (player.shard, player.account_id is not None, player.team_id)
        in_team[kind] = min(in_team.get(kind, 0) + 1, members)
    together: dict[tuple[str, bool], int] = {}
    for (shard, by_account, _), number in in_team.items():
        together[shard, by_account] = together.get((shard, by_account), 0) + number
    return sum(math.ceil(number / PLAYERS_A_CALL) for number in together.values())


# --------------------------------------------------------------------------- players to poll


@dataclass(frozen=True, slots=True)
class Asked:
    """A player to request from the API: by account if known, else by name.

    Attributes:
        asked_at: time at which the finder last requested the player, if ever.
    """

    shard: str
    account_id: str | None
    player_name: str
    team_id: int | None = None
    asked_at: datetime | None = None

    @property
    def player(self) -> str:
        """Account id, or else in-game name."""
        return self.account_id or self.player_name


def tracked_players(url: SecretStr) -> list[Asked]:
    """Returns active tracked players, those polled longest ago first."""
    query = """
        SELECT t.shard, t.account_id, t.player_name, p.asked_at
        FROM ops.tracked_players t
        LEFT JOIN ops.pubg_polls p ON p.finder = 'tracked_players' AND p.shard = t.shard
            AND p.player = coalesce(t.account_id, t.player_name)
        WHERE t.is_active ORDER BY p.asked_at NULLS FIRST, t.tracked_player_id
    """
    with connect(url) as conn:
        return [Asked(**row) for row in rows(conn, query)]


def playing(url: SecretStr, now: datetime) -> list[Asked]:
    """Returns all roster members of teams whose division and group has a match scheduled about now.

    Those polled longest ago come first.

    A window opens by the slot's tolerance before its time, and closes when the latest possible match is over and listed
    by the API.
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
            SELECT DISTINCT o.shard, e.account_id, e.player_name, t.team_id, p.asked_at, e.roster_entry_id
            FROM open o
            JOIN ops.teams t ON t.division_id = o.division_id AND (o.group_id IS NULL OR t.group_id = o.group_id)
            JOIN ops.roster_entries e ON e.team_id = t.team_id
                -- An evening after midnight still belongs to the day before.
                AND daterange(e.valid_from, e.valid_until, '[]') && daterange(o.today - 1, o.today, '[]')
            LEFT JOIN ops.pubg_polls p ON p.finder = 'tournament' AND p.shard = o.shard
                AND p.player = coalesce(e.account_id, e.player_name)
            ORDER BY p.asked_at NULLS FIRST, e.roster_entry_id
            """,
            {"now": now, "after": MATCH_LENGTH + LISTED_AFTER},  # pyright: ignore[reportArgumentType]
        )
    return [Asked(**{name: value for name, value in row.items() if name != "roster_entry_id"}) for row in found]


def members_due(roster: Sequence[Asked], members: int, before: datetime) -> list[Asked]:
    """Returns the members of each team who were polled longest ago, so that a member who sits out hides no match for
    long.

    Args:
        roster: players of all teams, polled longest ago first.
        members: members of each team.
        before: teams polled later are left out.
    """
    teams: dict[int | None, list[Asked]] = {}
    for player in roster:
        teams.setdefault(player.team_id, []).append(player)
    return [
        player
        for team in teams.values()
        if all(player.asked_at is None or player.asked_at <= before for player in team)
        for player in team[:members]
    ]


def batches(players: Sequence[Asked]) -> list[list[Asked]]:
    """Groups players into requests: one shard, all by account or all by name.

    An invalid name is a group of its own, so it does not block nine others.
    """
    kinds: dict[tuple[str, bool, str], dict[str, Asked]] = {}
    for player in players:
        alone = "" if can_be_asked_for(player.player) else player.player
        kind = (player.shard, player.account_id is not None, alone)
        kinds.setdefault(kind, {}).setdefault(player.player, player)
    return [
        list(kind.values())[start : start + PLAYERS_A_CALL]
        for kind in kinds.values()
        for start in range(0, len(kind), PLAYERS_A_CALL)
    ]


def find(
    url: SecretStr,
    finder: Finder,
    client: Callable[[str], PubgApi],
    *,
    plan: Plan,
    now: datetime,
    deadline: float = float("inf"),
) -> PollResult[Player]:
    """Polls the API for players who are due, and registers the matches that it lists.

    Args:
        url: PostgreSQL with a migrated schema `ops`.
        finder: selects the players: tracked ones, or members of the playing teams.
        client: creates the client of a shard.
        plan: how the requests are divided.
        now: current time.
        deadline: time of `time.monotonic` after which no player is polled.

    Raises:
        UnauthorisedError: if the key is missing or not accepted.
    """
    if finder == "tournament":
        before = due_before(now, timedelta(seconds=plan.tournament_every_s))
        due = members_due(playing(url, now), plan.members, before)
    else:
        before = due_before(now, timedelta(seconds=plan.tracked_every_s))
        due = [player for player in tracked_players(url) if player.asked_at is None or player.asked_at <= before]
    found: PollResult[Player] = PollResult(due=len(due))
    for shard in sorted({player.shard for player in due}):
        groups = batches([player for player in due if player.shard == shard])
        with client(shard) as api:
            polled = _poll(url, finder, api, shard, groups, now, deadline)
        found.asked += [player for group in polled.asked for player in group]
        found.new += polled.new
        found.listed += polled.listed
        found.errors += polled.errors
    return found


def _poll(
    url: SecretStr,
    finder: Finder,
    api: PubgApi,
    shard: str,
    groups: Sequence[list[Asked]],
    now: datetime,
    deadline: float,
) -> PollResult[list[Player]]:
    def fetch(row: Row) -> tuple[list[Player], list[str]]:
        players = ask(api, row["group"])
        return players, list(dict.fromkeys(match_id for player in players for match_id in player.match_ids))

    def record(row: Row, players: list[Player] | None, _error: str | None) -> None:
        learn_accounts(url, {(shard, player.name): player.account_id for player in players or ()})
        # Also by account, for players whose account was just learnt.
        polled = {player.player for player in row["group"]} | {player.account_id for player in players or ()}
        with connect(url) as conn:
            conn.execute(
                "INSERT INTO ops.pubg_polls (finder, shard, player, asked_at) SELECT %s, %s, unnest(%s::text[]), %s"
                " ON CONFLICT (finder, shard, player) DO UPDATE SET asked_at = excluded.asked_at",
                [finder, shard, sorted(polled), now],
            )

    due: list[Row] = [{"players": ", ".join(p.player_name for p in group), "group": group} for group in groups]
    return poll_players(due, "players", fetch, lambda ids: register(url, shard, ids, finder), record, deadline)


def ask(api: PubgApi, batch: Sequence[Asked]) -> list[Player]:
    """Returns one batch of players with their recent matches.

    Raises:
        PubgApiError: if the API does not answer, its limit is used up, or a name is empty or contains a comma.
    """
    if batch[0].account_id is not None:
        return api.players_by_id([player.player for player in batch])
    return api.players_by_name([player.player for player in batch])


def learn_accounts(url: SecretStr, accounts: Mapping[tuple[str, str], str]) -> int:
    """Enters the accounts of tracked players known only by name; returns their number.

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
    """Returns the highest priority with which one of the matches was found; normal if none was."""
    with connect(url) as conn:
        found = rows(
            conn,
            "SELECT 1 FROM ops.matches_discovered WHERE match_id = ANY(%s) AND priority = 'high' LIMIT 1",
            [list(match_ids)],
        )
    return "high" if found else "normal"


# --------------------------------------------------------------------------- the register


def register(url: SecretStr, shard: str, match_ids: Iterable[str], finder: Finder) -> list[str]:
    """Register matches and return the new ones.

    The first finder owns the row. A second one is added to it, raises the priority if its own is higher, and resumes
    matches that were passed over or given up.
    """
    values: dict[str, Any] = {
        "ids": sorted(set(match_ids)),
        "shard": shard,
        "finder": finder,
        "priority": PRIORITY[finder],
    }
    with connect(url) as conn, conn.transaction():
        new = conn.execute(
            "INSERT INTO ops.matches_discovered (match_id, shard, discovered_by, priority)"
            " SELECT unnest(%(ids)s::text[]), %(shard)s, %(finder)s, %(priority)s"
            " ON CONFLICT (match_id) DO NOTHING RETURNING match_id",
            values,
        ).fetchall()
        conn.execute(
            # In order of ids, so that two finders never wait for each other.
            "WITH seen AS (SELECT match_id FROM ops.matches_discovered WHERE match_id = ANY(%(ids)s)"
            " AND discovered_by <> %(finder)s AND NOT also_seen_by @> ARRAY[%(finder)s] ORDER BY match_id FOR UPDATE)"
            " UPDATE ops.matches_discovered d SET also_seen_by = also_seen_by || %(finder)s::text,"
            " priority = CASE WHEN %(priority)s = 'high' THEN 'high' ELSE priority END,"
            " attempts = CASE WHEN state = 'failed' THEN 0 ELSE attempts END,"
            " state = CASE WHEN state IN ('passed_over', 'failed') THEN 'wanted' ELSE state END"
            " FROM seen WHERE d.match_id = seen.match_id",
            values,
        )
    return sorted(match_id for (match_id,) in new)


def archive(url: SecretStr, client: Callable[[str], PubgApi], match_ids: Collection[str]) -> list[MatchFetch]:
    """Fetches missing files of registered matches into the landing zone, and records the results.

    Args:
        url: PostgreSQL with a migrated schema `ops`.
        client: creates the client of a shard.
        match_ids: the matches.
    """
    query = "SELECT match_id, shard FROM ops.matches_discovered WHERE match_id = ANY(%s) ORDER BY found_at, match_id"
    with connect(url) as conn:
        registered = rows(conn, query, [list(match_ids)])
    wants_all = _wanting(url, match_ids)
    fetched: list[MatchFetch] = []
    for shard in sorted({row["shard"] for row in registered}):
        with client(shard) as api, ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="pubg-archive") as pool:
            fetches = [
                pool.submit(
                    api.fetch_whole_match, match_id, only_types=None if wants_all[match_id] else TOURNAMENT_TYPES
                )
                for match_id in (row["match_id"] for row in registered if row["shard"] == shard)
            ]
            fetched += [fetch.result() for fetch in fetches]
    record_outcomes(url, fetched)
    return fetched


def record_outcomes(url: SecretStr, fetched: Collection[MatchFetch]) -> None:
    """Records the outcomes of fetches; a match is not passed over if a finder of all types has registered it too."""
    wants_all = _wanting(url, [match.match_id for match in fetched])
    MATCHES.record_outcomes(
        url, [match for match in fetched if match.status != "passed_over" or not wants_all.get(match.match_id)]
    )


def _wanting(url: SecretStr, match_ids: Collection[str]) -> dict[str, bool]:
    """Returns whether matches are wanted whatever their type, because a tracked player took part."""
    query = (
        "SELECT match_id, 'tracked_players' = ANY (also_seen_by || discovered_by) AS wants_all"
        " FROM ops.matches_discovered WHERE match_id = ANY(%s)"
    )
    with connect(url) as conn:
        return {row["match_id"]: row["wants_all"] for row in rows(conn, query, [list(match_ids)])}


def teams_at_most(url: SecretStr, now: datetime | None = None) -> int:
    """Returns the most teams that the schedule has playing at the same time from now on."""
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
