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
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import SecretStr

from gamestats_assets.lakehouse.entries.ops import rows
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.pubg.source.api import PLAYERS_A_CALL, MatchFetch, Player, PubgApi, can_be_asked_for

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
# A claim is looked after so long before it runs out: no tick comes between that and its end.
_RENEWED_BEFORE = timedelta(minutes=5)
_MOST_ATTEMPTS = 5
_LONGEST_WAIT = timedelta(hours=1)
# An API that was down is asked sooner for a tournament that goes on.
_LONGEST_WAIT_HIGH = timedelta(minutes=10)
_API_KEEPS = timedelta(days=14)
# One more attempt for a match that was given up and is still listed.
_REOPENED_AFTER = timedelta(hours=6)
# Ticks in a row that an API in trouble may hold a round up at one group: it may be the group's fault.
_MOST_HELD_UP = 5
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


def plan(
    *,
    limit: int,
    teams: int,
    tracked: int,
    tournament_calls: Callable[[int], int] | None = None,
    tracked_calls: int | None = None,
) -> Plan:
    """Divide the limit: two members a team every minute, else one, else as often as fits.

    One request a minute is always left to tracked players, of a limit of two or more: the limiter
    holds the tournament pipeline to one less than the limit, and tracked players to the limit less
    what is reserved.

    Args:
        limit: requests allowed a minute.
        teams: teams that play at one time.
        tracked: tracked players.
        tournament_calls: requests of a round by the members asked for of each team; by default as few as ten
            players a request need.
        tracked_calls: requests of a round over the tracked players; likewise.

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
    """The plan for the teams that play now and the players that are tracked now, by the requests they really need.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        now: the time that decides who plays.
        limit: requests allowed a minute.
        teams: teams to plan for, where those are more than play now.
    """
    roster, tracked = playing(url, now), tracked_players(url)
    now_playing = len({player.team_id for player in roster})
    more = max(teams - now_playing, 0)

    def tournament_calls(members: int) -> int:
        # Of teams that do not play yet, nobody is known: they are taken to fill requests.
        return _most_calls(roster, members) + math.ceil(more * members / PLAYERS_A_CALL)

    return plan(
        limit=limit,
        teams=now_playing + more,
        tracked=len(tracked),
        tournament_calls=tournament_calls,
        tracked_calls=len(batches(tracked)),
    )


def _most_calls(roster: Sequence[Asked], members: int) -> int:
    """Requests for some members of each team in whatever turn needs the most.

    Members of unknown account are asked for by name, so a turn can need requests of both kinds.
    """
    in_team: dict[tuple[str, bool, int | None], int] = {}
    for player in roster:
        kind = (player.shard, player.account_id is not None, player.team_id)
        in_team[kind] = min(in_team.get(kind, 0) + 1, members)
    together: dict[tuple[str, bool], int] = {}
    for (shard, by_account, _), number in in_team.items():
        together[shard, by_account] = together.get((shard, by_account), 0) + number
    return sum(math.ceil(number / PLAYERS_A_CALL) for number in together.values())


@dataclass(frozen=True, slots=True)
class Round:
    """How far one round over all groups of players has come; what a sensor's cursor keeps.

    Attributes:
        turn: number of the round.
        begun_at: when it began, in unix seconds.
        asked: groups asked for in it.
        held_up: ticks in a row in which the API did not answer for the group that is next.
    """

    turn: int = 0
    begun_at: float = 0.0
    asked: int = 0
    held_up: int = 0

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

    def delayed(self) -> Round:
        """The round after a tick in which the API did not answer; past the group if that happened too often."""
        return replace(self, held_up=self.held_up + 1) if self.held_up + 1 < _MOST_HELD_UP else self.advanced()

    def as_cursor(self) -> dict[str, float]:
        """The round as a cursor keeps it."""
        return {"turn": self.turn, "begun_at": self.begun_at, "asked": self.asked, "held_up": self.held_up}


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
    """Players in groups that one request can ask for: one shard, all by account or all by name.

    A name that no request can ask for is a group by itself: it must not keep nine others from being asked for.
    """
    kinds: dict[tuple[str, bool, str], dict[str, Asked]] = {}
    for player in players:
        asked = player.account_id or player.player_name
        alone = "" if can_be_asked_for(asked) else asked
        kinds.setdefault((player.shard, player.account_id is not None, alone), {}).setdefault(asked, player)
    return [
        list(kind.values())[start : start + PLAYERS_A_CALL]
        for _, kind in sorted(kinds.items())
        for start in range(0, len(kind), PLAYERS_A_CALL)
    ]


def ask(api: PubgApi, batch: Sequence[Asked]) -> list[Player]:
    """One batch of players as the API knows them now, with their recent matches.

    Raises:
        PubgApiError: when the API does not answer, or its limit is used up.
        ValueError: when a name is empty or has a comma.
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


def listed(players: Iterable[Player]) -> dict[str, int]:
    """The matches of players by their best place in a player's list; 0 is the newest."""
    places: dict[str, int] = {}
    for player in players:
        for place, match_id in enumerate(player.match_ids):
            places[match_id] = min(place, places.get(match_id, place))
    return places


def register(url: SecretStr, shard: str, match_ids: Sequence[str] | Mapping[str, int], finder: Finder) -> list[str]:
    """Enter found matches; the ids that are new in the register, in order.

    Of two finders the first has the row. The second is noted in it, raises its priority if its
    own is higher, and takes up again what the first passed over. What was given up is taken up
    again by a new finder, and for one more attempt by a find some hours later.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        shard: platform of the matches.
        match_ids: the matches, newest first; or the place of each in its player's list, as `listed` tells it.
        finder: the pipeline that found them.
    """
    if not match_ids:
        return []
    if not isinstance(match_ids, Mapping):
        match_ids = {match_id: place for place, match_id in reversed([*enumerate(match_ids)])}
    ids = sorted(match_ids)
    values: dict[str, Any] = {
        "ids": ids,
        "listed": [match_ids[match_id] for match_id in ids],
        "shard": shard,
        "finder": finder,
        "priority": PRIORITY[finder],
        "reopened": _REOPENED_AFTER,
        "attempts": _MOST_ATTEMPTS - 1,
    }
    with connect(url) as conn, conn.transaction():
        new = conn.execute(
            "INSERT INTO ops.matches_discovered (match_id, shard, discovered_by, priority, listed, last_seen_at)"
            " SELECT id, %(shard)s, %(finder)s, %(priority)s, place, clock_timestamp()"
            " FROM unnest(%(ids)s::text[], %(listed)s::integer[]) AS found (id, place)"
            " ORDER BY id ON CONFLICT (match_id) DO NOTHING RETURNING match_id",
            values,
        ).fetchall()
        values["known"] = sorted({*ids} - {match_id for (match_id,) in new})
        conn.execute(
            # In order of ids, so that two pipelines never wait for each other.
            "WITH seen AS (SELECT match_id,"
            " discovered_by <> %(finder)s AND NOT also_seen_by @> ARRAY[%(finder)s] AS is_new"
            " FROM ops.matches_discovered WHERE match_id = ANY(%(known)s)"
            " AND ((discovered_by <> %(finder)s AND NOT also_seen_by @> ARRAY[%(finder)s])"
            " OR (state = 'failed' AND coalesce(settled_at <= clock_timestamp() - %(reopened)s, true)))"
            " ORDER BY match_id FOR UPDATE)"
            " UPDATE ops.matches_discovered d SET"
            " also_seen_by = CASE WHEN seen.is_new THEN also_seen_by || %(finder)s::text ELSE also_seen_by END,"
            " last_seen_at = clock_timestamp(),"
            " priority = CASE WHEN %(priority)s = 'high' THEN 'high' ELSE d.priority END,"
            " attempts = CASE WHEN d.state = 'failed' THEN least(d.attempts, %(attempts)s) ELSE d.attempts END,"
            " settled_at = CASE WHEN d.state IN ('passed_over', 'failed') THEN NULL ELSE d.settled_at END,"
            " state = CASE WHEN d.state IN ('passed_over', 'failed') THEN 'registered' ELSE d.state END"
            " FROM seen WHERE d.match_id = seen.match_id",
            values,
        )
    return sorted(match_id for (match_id,) in new)


@dataclass(frozen=True, slots=True)
class Claim:
    """Matches that one run is to archive.

    Attributes:
        claim: what the run bears as its tag `gamestats/claim`.
        shard: platform of the matches.
        priority: `high` or `normal`.
        match_ids: the matches, newest first.
        attempt: which attempt it is for them, from 1.
    """

    claim: str
    shard: str
    priority: str
    match_ids: tuple[str, ...]
    attempt: int


def claim(url: SecretStr, finder: Finder, *, size: int = 20, most: int = 10) -> list[Claim]:
    """Registered matches of a finder that nobody has, the newest first, as work for runs; every claim is an attempt.

    A claim ends by itself after a while, unless `renew` finds that its run goes on. Matches whose
    runs end without a word come in smaller and smaller claims, at last alone, and are then given
    up: one that kills its run takes no other with it.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        finder: the pipeline whose finds are claimed.
        size: most matches of a claim.
        most: most claims.
    """
    with connect(url) as conn, conn.transaction():
        values: dict[str, Any] = {"finder": finder, "most": size * most, "attempts": _MOST_ATTEMPTS, "claim": _CLAIM}
        conn.execute(
            "WITH lost AS (SELECT match_id FROM ops.matches_discovered WHERE state = 'registered'"
            " AND claim IS NOT NULL AND attempts >= %(attempts)s AND claimed_until <= clock_timestamp()"
            " FOR UPDATE SKIP LOCKED)"
            " UPDATE ops.matches_discovered d SET state = 'failed', settled_at = clock_timestamp(),"
            " claim = NULL, claimed_until = NULL,"
            " last_error = 'Its runs ended without telling what became of it.'"
            " FROM lost WHERE d.match_id = lost.match_id",
            values,
        )
        free = rows(
            conn,
            "SELECT match_id, shard, priority, attempts FROM ops.matches_discovered WHERE state = 'registered'"
            " AND (discovered_by = %(finder)s OR also_seen_by @> ARRAY[%(finder)s])"
            " AND coalesce(claimed_until <= clock_timestamp(), true)"
            " ORDER BY listed, discovered_at DESC, match_id LIMIT %(most)s FOR UPDATE SKIP LOCKED",
            values,
        )
        claims = _claims(free, size)[:most]
        for made in claims:
            conn.execute(
                "UPDATE ops.matches_discovered SET attempts = %(attempt)s, claim = %(name)s,"
                " claimed_until = clock_timestamp() + %(claim)s WHERE match_id = ANY(%(ids)s)",
                {**values, "attempt": made.attempt, "name": made.claim, "ids": list(made.match_ids)},
            )
    return claims


def _claims(free: Sequence[Mapping[str, Any]], size: int) -> list[Claim]:
    """Matches that nobody has, divided among claims; those with the fewest attempts come first."""
    kinds: dict[tuple[int, str, str], list[str]] = {}
    for row in free:
        kinds.setdefault((row["attempts"], row["priority"], row["shard"]), []).append(row["match_id"])
    return [
        Claim(uuid.uuid4().hex, shard, priority, tuple(ids[start : start + smaller]), attempts + 1)
        for (attempts, priority, shard), ids in sorted(kinds.items(), key=lambda kind: kind[0])
        for smaller in [max(size // 4 ** max(attempts - 1, 0), 1)]
        for start in range(0, len(ids), smaller)
    ]


def renew(url: SecretStr, runs_of: Callable[[Sequence[str]], Mapping[str, bool]]) -> None:
    """Lengthen the claims that run out soon while their run is queued or going; free those that never got a run.

    Args:
        url: PostgreSQL, its schema `ops` migrated.
        runs_of: of some claims, those that have runs, and whether one of these has not ended.
    """
    with connect(url) as conn:
        found = rows(
            conn,
            "SELECT DISTINCT claim FROM ops.matches_discovered WHERE state = 'registered' AND claim IS NOT NULL"
            " AND claimed_until <= clock_timestamp() + %s",
            [_RENEWED_BEFORE],
        )
        ending: list[str] = [row["claim"] for row in found]
        if not ending:
            return
        runs = runs_of(ending)
        conn.execute(
            "UPDATE ops.matches_discovered SET claimed_until = clock_timestamp() + %s"
            " WHERE state = 'registered' AND claim = ANY(%s)",
            [_CLAIM, [name for name in ending if runs.get(name)]],
        )
        # The tick that made the claim died before its run was there: that was no attempt.
        conn.execute(
            "UPDATE ops.matches_discovered SET claim = NULL, claimed_until = NULL, attempts = greatest(attempts - 1, 0)"
            " WHERE state = 'registered' AND claim = ANY(%s)",
            [[name for name in ending if name not in runs]],
        )


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

    A match that the API does not give does not stop the others; `settle` says when it is tried again.
    """
    wanted = types_wanted(url, match_ids)
    with ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="pubg-archive") as pool:
        fetched = list(
            pool.map(lambda match_id: api.fetch_whole_match(match_id, only_types=wanted.get(match_id)), match_ids)
        )
    settle(url, fetched)
    return fetched


def settle(url: SecretStr, fetched: Sequence[MatchFetch]) -> None:
    """Enter in the register what became of matches.

    A failure is tried again some times, later and later, and then given up. An API that is down,
    or whose limit is used up, is no attempt: the match waits, longer and longer, until the API
    has forgotten it. A match that somebody else found meanwhile, who wants every type, is not
    passed over.
    """
    told = {match.match_id: match for match in fetched}
    with connect(url) as conn, conn.transaction():
        # Locked: whoever finds a match now is noted before this, or comes after it.
        found = rows(
            conn,
            "SELECT match_id, state, priority, attempts, delays,"
            " discovered_by = 'tracked_players' OR also_seen_by @> ARRAY['tracked_players'] AS wants_every_type,"
            " discovered_at <= clock_timestamp() - %(kept)s AS is_forgotten"
            " FROM ops.matches_discovered WHERE match_id = ANY(%(ids)s) ORDER BY match_id FOR UPDATE",
            {"ids": list(told), "kept": _API_KEEPS},  # pyright: ignore[reportArgumentType]
        )
        for row in found:
            match = told[row["match_id"]]
            became = _became(row, match)
            if row["state"] == "archived" and became.state != "archived":
                continue  # another run had it
            conn.execute(
                "UPDATE ops.matches_discovered SET state = %(state)s, attempts = %(attempts)s, delays = %(delays)s,"
                " claim = NULL, claimed_until = clock_timestamp() + %(wait)s::interval,"
                " last_error = nullif(%(reason)s, ''),"
                " settled_at = CASE WHEN %(state)s::text <> 'registered' THEN clock_timestamp() END"
                " WHERE match_id = %(match_id)s",
                {
                    "match_id": match.match_id,
                    "reason": match.reason,
                    "state": became.state,
                    "attempts": became.attempts,
                    "delays": became.delays,
                    "wait": became.wait,
                },
            )


@dataclass(frozen=True, slots=True)
class _Became:
    """What a match becomes in the register; `wait` is the time until its next attempt."""

    state: str
    attempts: int
    delays: int = 0
    wait: timedelta | None = None


def _became(row: Mapping[str, Any], match: MatchFetch) -> _Became:
    attempts, delays = row["attempts"], row["delays"]
    if match.status in ("fetched", "known"):
        return _Became("archived", attempts)
    if match.status == "expired":
        return _Became("expired", attempts)
    if match.status == "passed_over":
        return (
            _Became("registered", max(attempts - 1, 0)) if row["wants_every_type"] else _Became(match.status, attempts)
        )
    longest = _LONGEST_WAIT_HIGH if row["priority"] == "high" else _LONGEST_WAIT
    if match.is_delayed:
        if row["is_forgotten"]:
            return _Became("expired", attempts)
        wait = min(timedelta(minutes=2 ** min(delays, 10)), longest)
        return _Became("registered", max(attempts - 1, 0), delays + 1, wait)
    if attempts >= _MOST_ATTEMPTS:
        return _Became("failed", attempts)
    return _Became("registered", attempts, 0, min(timedelta(minutes=4 ** max(attempts - 1, 0)), _LONGEST_WAIT))


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
