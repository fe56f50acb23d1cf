"""The Riot API: players' matches and their timelines, fetched into the landing zone.

Every request needs a key, and counts against two limits: the key's own in its region, and that of the endpoint (method)
in that region. Whatever is fetched is checked before it lands, byte for byte as the server sent it. Source of the rules
on limits and regions: https://developer.riotgames.com/docs/lol and /docs/portal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, TypeVar, Unpack
from urllib.parse import quote

import msgspec
from pydantic import SecretStr

from gamestats_assets.apis.clients import ApiClient, ClientOptions
from gamestats_assets.apis.http import (
    ApiError,
    NotFoundError,
    UnauthorisedError,
    UnexpectedAnswerError,
    UnreadableAnswerError,
    bad_answer,
    host_of,
    read_body,
    retry_after_s,
)
from gamestats_assets.apis.limits import Window, parse_windows
from gamestats_assets.lakehouse.errors import GamestatsError
from gamestats_assets.lakehouse.landing.arrivals import FetchReport, FileOutcome, MatchFetch
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.lol.source import GAME, TIMELINE_GONE, ingest_payload, is_whole, mark_timeline_gone, recognise

BASE_URL = "https://{region}.api.riotgames.com"
Region = Literal["americas", "asia", "europe", "sea"]
REGIONS: Mapping[str, Region] = {
    **dict.fromkeys(("br1", "la1", "la2", "na1"), "americas"),
    **dict.fromkeys(("jp1", "kr"), "asia"),
    **dict.fromkeys(("eun1", "euw1", "me1", "ru", "tr1"), "europe"),
    **dict.fromkeys(("oc1", "ph2", "sg2", "th2", "tw2", "vn2"), "sea"),
}
"""Region that answers for the matches of a platform."""
# A request that is longer on its way than the ones before it would come too late for its own window.
_MARGIN_S = 0.1
NEW_KEY_LIMIT = (Window(20, 1.0 + _MARGIN_S), Window(100, 120.0 + _MARGIN_S))
"""What a new key is allowed in a region; holds until an answer tells other windows."""
IDS_A_PAGE = 100
"""Most match ids that one request lists."""

Method = Literal["account", "match_ids", "match", "timeline"]
_T = TypeVar("_T")
# Longer than the longest window of a key, that all who share it may have their turn.
PATIENCE_S = 600.0
"""Seconds that a request waits for its turn, or for as long as the server asks, before it is given up."""
# A timeline can come some time after its match.
_TIMELINE_COMES_WITHIN = timedelta(days=1)
_MATCH_ID = re.compile(r"([A-Z0-9]{2,6})_[0-9]{1,20}")


class UnknownPlatformError(GamestatsError):
    """A platform is given that Riot does not have, or none at all."""


class RiotIdError(GamestatsError):
    """A player is given in a way that is no Riot id."""


class RefusedRequestError(UnexpectedAnswerError):
    """The API says that the request is wrong (400), as it does of a puuid that another key was told."""


def region_of(platform: str) -> Region:
    """The region that answers for a platform, or for a match by its id.

    Args:
        platform: such as kr or NA1, or a match id such as NA1_4736000000.

    Raises:
        UnknownPlatformError: when Riot has no such platform.

    >>> region_of("EUW1_6500000000"), region_of("kr")
    ('europe', 'asia')
    """
    name = platform.partition("_")[0].lower()
    if name not in REGIONS:
        raise UnknownPlatformError(f"There is no platform {name[:20]!r}. Platforms: {', '.join(sorted(REGIONS))}.")
    return REGIONS[name]


def split_riot_id(riot_id: str) -> tuple[str, str]:
    """Name and tag line of a Riot id.

    Raises:
        RiotIdError: when it is not written as name, # and tag line.

    >>> split_riot_id("Hide on bush#KR1")
    ('Hide on bush', 'KR1')
    """
    name, mark, tag = (part.strip() for part in riot_id.partition("#"))
    if not (name and mark and tag) or "#" in tag or not (name + tag).isprintable():
        raise RiotIdError(f"Expected a name, # and a tag line, such as Hide on bush#KR1; found {riot_id[:80]!r}.")
    return name, tag


@dataclass(frozen=True, slots=True)
class Account:
    """A player as the API knows them now.

    Attributes:
        riot_id: name and tag line, as the player writes them.
        puuid: the identity, as this API key is told it: another key knows another one.
        platform: where they play, such as kr.
    """

    riot_id: str
    puuid: str
    platform: str


class _Account(msgspec.Struct, rename="camel"):
    puuid: str
    game_name: str | None = None
    tag_line: str | None = None


class RiotApi(ApiClient):
    """A client of the Riot API that lands what it fetches; use it as a context manager.

    Args:
        key: the API key (setting RIOT_API_KEY).
        landing: where matches land.
        base_url: address of the API, with {region} where the region stands in it.
        options: see `ClientOptions`.

    Raises:
        UnauthorisedError: when the key has characters no key has.
    """

    def __init__(
        self,
        key: SecretStr | None,
        landing: Landing,
        *,
        base_url: str = BASE_URL,
        **options: Unpack[ClientOptions],
    ) -> None:
        options.setdefault("body_deadline", 120.0)
        headers = {"Accept": "application/json"}
        super().__init__(key, "RIOT_API_KEY", base_url, headers=headers, patience=PATIENCE_S, **options)
        self._landing = landing

    # -- players

    def account(self, riot_id: str, platform: str) -> Account:
        """A player by Riot id; capitals do not matter.

        Raises:
            NotFoundError: when nobody has it.
            UnauthorisedError: without a key, or with one that is not accepted.
            RiotIdError: when it is none.
            UnknownPlatformError: when there is no such platform.
        """
        name, tag = split_riot_id(riot_id)
        region = region_of(platform)
        # Accounts are everywhere the same, and sea has no endpoint for them.
        region = "asia" if region == "sea" else region
        path = f"/riot/account/v1/accounts/by-riot-id/{quote(name, safe='')}/{quote(tag, safe='')}"
        found = self._decoded(_Ask(region, "account", path, f"player {name}#{tag}"), _Account)
        return Account(f"{found.game_name or name}#{found.tag_line or tag}", found.puuid, platform.lower())

    def match_ids(
        self,
        account: Account,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        queue: int | None = None,
        most: int | None = None,
    ) -> list[str]:
        """Ids of a player's matches, the newest first.

        Args:
            account: the player.
            since: matches that began before are left out.
            until: so are matches that began after.
            queue: queue, such as 420 for ranked solo; every queue by default.
            most: ids in all; by default as many as the API lists, which keeps matches for two years.

        Raises:
            RefusedRequestError: when the puuid is not known to this key.
            UnauthorisedError: without a key, or with one that is not accepted.
        """
        path = f"/lol/match/v5/matches/by-puuid/{quote(account.puuid, safe='')}/ids"
        params: dict[str, int] = {}
        if since is not None:
            params["startTime"] = int(since.timestamp())
        if until is not None:
            params["endTime"] = int(until.timestamp())
        if queue is not None:
            params["queue"] = queue
        ask = _Ask(region_of(account.platform), "match_ids", path, f"the matches of {account.riot_id}")
        # A match that ends meanwhile moves the others on, so that one can be listed twice.
        found: dict[str, None] = {}
        start = 0
        while most is None or len(found) < most:
            count = IDS_A_PAGE if most is None else min(IDS_A_PAGE, most - len(found))
            page = self._decoded(ask.with_params({**params, "start": start, "count": count}), list[str])
            found.update(dict.fromkeys(match_id.upper() for match_id in page))
            start += len(page)
            if len(page) < count:
                break
        return list(found)

    # -- matches

    def fetch_matches(self, match_ids: Iterable[str], *, downloads: int = 4) -> tuple[MatchFetch, ...]:
        """Fetch what is missing of matches, object and timeline; one's failure does not stop the others.

        The object lands first: it tells the day of the match. A timeline that the API does not have any more is marked
        as gone, and not asked for again.

        Args:
            match_ids: such as NA1_4736000000.
            downloads: matches fetched at the same time.

        Raises:
            UnauthorisedError: without a key, or with one that is not accepted. What was fetched until then has landed.
        """
        ids = list(dict.fromkeys(match_id.upper() for match_id in match_ids))
        held = self._landing.held(GAME, ids)
        with ThreadPoolExecutor(max_workers=downloads, thread_name_prefix="lol-fetch") as pool:
            return tuple(pool.map(lambda match_id: self._fetch_missing(match_id, held[match_id]), ids))

    def fetch_player_matches(
        self,
        riot_ids: Iterable[str],
        platform: str,
        *,
        since: datetime | None = None,
        count: int | None = 20,
        queue: int | None = None,
        downloads: int = 4,
    ) -> FetchReport[Account]:
        """Fetch everything that is missing of players' newest matches.

        One match's failure, or one player's, does not stop the others.

        Args:
            riot_ids: such as Hide on bush#KR1.
            platform: where they play, such as kr.
            since: matches that began before are left out.
            count: matches of each player; all that the API has with None.
            queue: queue, such as 420 for ranked solo; every queue by default.
            downloads: matches fetched at the same time.

        Raises:
            UnauthorisedError: without a key, or with one that is not accepted.
            RiotIdError: when one of them is no Riot id.
            UnknownPlatformError: when there is no such platform.
        """
        region_of(platform)
        wanted = ["#".join(split_riot_id(riot_id)) for riot_id in dict.fromkeys(riot_ids)]
        accounts: list[Account] = []
        unknown: list[str] = []
        failures: list[str] = []
        match_ids: dict[str, None] = {}
        for riot_id in wanted:
            try:
                account = self.account(riot_id, platform)
                accounts.append(account)
                match_ids.update(dict.fromkeys(self.match_ids(account, since=since, queue=queue, most=count)))
            except UnauthorisedError:
                raise
            except NotFoundError:
                unknown.append(riot_id)
            except ApiError as error:
                failures.append(str(error))
        return FetchReport(
            tuple(accounts), tuple(unknown), self.fetch_matches(match_ids, downloads=downloads), tuple(failures)
        )

    def _fetch_missing(self, match_id: str, held: Mapping[str, Sequence[LandedFile]]) -> MatchFetch:
        has_timeline = any(is_whole(file, self._landing) for file in held.get("timeline", ()))
        wants_timeline = TIMELINE_GONE not in held and not has_timeline
        if "match" in held and not wants_timeline:
            return MatchFetch(match_id, "known")
        files: list[FileOutcome] = []

        def land(kind: Literal["match", "timeline"]) -> None:
            payload = self._file(match_id, kind)
            files.append(ingest_payload(payload, f"{match_id}.{kind}.json", self._landing, match_id=match_id))

        try:
            if "match" not in held:
                land("match")
        except NotFoundError as error:
            return MatchFetch(match_id, "expired", reason=str(error))
        except (ApiError, UnknownPlatformError) as error:
            return _failed(match_id, files, error)
        try:
            if wants_timeline:
                land("timeline")
        except NotFoundError as error:
            day = date.fromisoformat(self._landing.day_of(GAME, match_id) or "")
            if datetime.fromtimestamp(self._clock(), UTC).date() - day <= _TIMELINE_COMES_WITHIN:
                reason = f"{error} It may still come: the match was played not long ago."
                return MatchFetch(match_id, "failed", tuple(files), reason, is_delayed=True)
            mark_timeline_gone(self._landing, match_id, day)
            return MatchFetch(match_id, "expired", tuple(files), str(error))
        except ApiError as error:
            return _failed(match_id, files, error)
        return MatchFetch(match_id, "fetched", tuple(files))

    def _file(self, match_id: str, kind: Literal["match", "timeline"]) -> bytes:
        """The checked body of a match object or a timeline, as sent; one that nobody could read is kept."""
        if not _MATCH_ID.fullmatch(match_id):
            raise UnexpectedAnswerError(f"{match_id[:80]!r} is no match id: one is such as NA1_4736000000.")
        path = f"/lol/match/v5/matches/{match_id}" + ("/timeline" if kind == "timeline" else "")
        what = f"match {match_id}" if kind == "match" else f"the timeline of match {match_id}"
        ask = _Ask(region_of(match_id), kind, path, what)

        def check(payload: bytes) -> bytes:
            found = read_body(payload, what, recognise)
            if (found.kind, found.match_id) != (kind, match_id):
                sent = f"{found.kind} {found.match_id or ''}".rstrip()
                raise UnreadableAnswerError(f"{sent} was sent where {what} was asked for.", payload)
            return payload

        try:
            return self._fetch(ask, check)
        except UnreadableAnswerError as error:
            ingest_payload(error.payload, f"{match_id}.{kind}.json", self._landing, match_id=match_id)
            raise

    # -- one request

    def _decoded(self, ask: _Ask, kind: type[_T]) -> _T:
        return self._fetch(ask, lambda payload: read_body(payload, ask.what, msgspec.json.Decoder(kind).decode))

    def _fetch(self, ask: _Ask, check: Callable[[bytes], _T]) -> _T:
        secret = self._secret(
            "Asking for matches needs a key of the Riot API: get one at https://developer.riotgames.com and set "
            "RIOT_API_KEY. Ingesting files, and fetching Data Dragon, work without it."
        )
        url = self._base_url.replace("{region}", ask.region) + ask.path
        counted_at = 0.0

        def acquire() -> None:
            nonlocal counted_at
            counted_at = self._limits.acquire({ask.limiter: NEW_KEY_LIMIT, ask.method_limiter: ()})

        def judge(status: int, headers: Mapping[str, str]) -> None:
            self._observe(ask, headers, counted_at)
            self._raise_for_status(ask, url, status, headers)

        return self._fetcher.fetch(
            url,
            ask.what,
            judge=judge,
            check=check,
            acquire=acquire,
            params=ask.params,
            secret_headers={"X-Riot-Token": secret},
        )

    def _observe(self, ask: _Ask, headers: Mapping[str, str], counted_at: float) -> None:
        learnt = {
            ask.limiter: _windows(headers, "X-App-Rate-Limit"),
            ask.method_limiter: _windows(headers, "X-Method-Rate-Limit"),
        }
        if any(learnt.values()):
            self._limits.learn(learnt, counted_at)

    def _raise_for_status(self, ask: _Ask, url: str, status: int, headers: Mapping[str, str]) -> None:
        if status == 200:
            self._refusals.end(ask.method_limiter, ask.limiter)
            return
        found = f"{host_of(url)} answered {status} for {ask.what}"
        if status == 429:
            kind = headers.get("X-Rate-Limit-Type", "unnamed")
            limiter = ask.limiter if kind == "application" else ask.method_limiter
            raise self._refusals.add(limiter, f"{found}: too many requests ({kind} limit)", headers)
        if status in (401, 403):
            raise self._refuse_key(
                f"{found}: the key in RIOT_API_KEY is not accepted. A development key lasts a day: make a new one at "
                "https://developer.riotgames.com. Ingesting files, and fetching Data Dragon, work without it."
            )
        if status == 400:
            raise RefusedRequestError(f"{found}: it finds the request wrong.")
        kept = {
            "match": ", or it is older than the two years the API keeps",
            "timeline": ", or it is older than the year the API keeps",
        }
        wait = retry_after_s(headers, self._clock())
        raise bad_answer(found, status, wait, missing=kept.get(ask.method, ""))


@dataclass(frozen=True, slots=True)
class _Ask:
    """One thing asked of the API: of which region, by which method, and what for a person."""

    region: Region
    method: Method
    path: str
    what: str
    params: Mapping[str, Any] | None = None

    @property
    def limiter(self) -> str:
        """Name of the key's limit in the region."""
        return f"riot {self.region}"

    @property
    def method_limiter(self) -> str:
        """Name of the method's limit in the region."""
        return f"riot {self.region} {self.method}"

    def with_params(self, params: Mapping[str, Any]) -> _Ask:
        """The same, with parameters."""
        return _Ask(self.region, self.method, self.path, self.what, params)


def _windows(headers: Mapping[str, str], name: str) -> list[Window]:
    """Windows of a limit that an answer tells, a little longer, with the requests used up of each."""
    used = {window.seconds: window.requests for window in parse_windows(headers.get(f"{name}-Count", ""))}
    windows = parse_windows(headers.get(name, ""))
    return [Window(window.requests, window.seconds + _MARGIN_S, used.get(window.seconds)) for window in windows]


def _failed(match_id: str, files: Iterable[FileOutcome], error: GamestatsError) -> MatchFetch:
    """What became of a match that could not be had; a key that is not accepted befalls all, and is raised."""
    if isinstance(error, UnauthorisedError):
        raise error
    return MatchFetch(match_id, "failed", tuple(files), str(error), isinstance(error, ApiError) and error.is_passing)
