"""The Riot API: players' matches and their timelines, fetched into the landing zone.

Every request needs a key and counts against two limits: that of the key in a region, and that of the endpoint (method)
in that region. Every file is checked before it lands, byte for byte as the server sent it. Source of the rules on
limits and regions: https://developer.riotgames.com/docs/lol and /docs/portal.
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
"""Region whose endpoints serve a platform's matches."""
# A request with a longer travel time than the previous ones would arrive too late for its own window.
_MARGIN_S = 0.1
NEW_KEY_LIMIT = (Window(20, 1.0 + _MARGIN_S), Window(100, 120.0 + _MARGIN_S))
"""Limits of a new key in a region; used until an answer contains other windows."""
IDS_A_PAGE = 100
"""Most match ids per request."""

Method = Literal["account", "match_ids", "match", "timeline"]
_T = TypeVar("_T")
# Longer than the longest window of a key, so that all users of the key get a turn.
PATIENCE_S = 600.0
"""Seconds that a request waits for its turn, or on the server's demand, before it fails."""
# A timeline may appear some time after its match.
_TIMELINE_COMES_WITHIN = timedelta(days=1)
_MATCH_ID = re.compile(r"([A-Z0-9]{2,6})_[0-9]{1,20}")


class UnknownPlatformError(GamestatsError):
    """The platform is missing or unknown to Riot."""


class RiotIdError(GamestatsError):
    """The player's name is not a Riot id."""


class RefusedRequestError(UnexpectedAnswerError):
    """The API answers 400, for example for a puuid that belongs to another key."""


def region_of(platform: str) -> Region:
    """Returns the region that serves a platform, or a match by its id.

    Args:
        platform: such as kr or NA1, or a match id such as NA1_4736000000.

    Raises:
        UnknownPlatformError: if Riot has no such platform.

    >>> region_of("EUW1_6500000000"), region_of("kr")
    ('europe', 'asia')
    """
    name = platform.partition("_")[0].lower()
    if name not in REGIONS:
        raise UnknownPlatformError(f"There is no platform {name[:20]!r}. Platforms: {', '.join(sorted(REGIONS))}.")
    return REGIONS[name]


def split_riot_id(riot_id: str) -> tuple[str, str]:
    """Returns name and tag line of a Riot id.

    Raises:
        RiotIdError: if it is not written as name, # and tag line.

    >>> split_riot_id("Hide on bush#KR1")
    ('Hide on bush', 'KR1')
    """
    name, mark, tag = (part.strip() for part in riot_id.partition("#"))
    if not (name and mark and tag) or "#" in tag or not (name + tag).isprintable():
        raise RiotIdError(f"Expected a name, # and a tag line, such as Hide on bush#KR1; found {riot_id[:80]!r}.")
    return name, tag


@dataclass(frozen=True, slots=True)
class Account:
    """A player with their current name in the API.

    Attributes:
        riot_id: name and tag line, in the player's spelling.
        puuid: identity of the player, specific to this API key.
        platform: platform of the player, such as kr.
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
        landing: landing zone for matches.
        base_url: address of the API, with {region} in place of the region.
        options: see `ClientOptions`.

    Raises:
        UnauthorisedError: if the key has invalid characters.
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
        """Returns a player by Riot id, in any case.

        Raises:
            NotFoundError: if no player has it.
            UnauthorisedError: if the key is missing or not accepted.
            RiotIdError: if it is not a Riot id.
            UnknownPlatformError: if there is no such platform.
        """
        name, tag = split_riot_id(riot_id)
        region = region_of(platform)
        # Accounts are the same in every region, and sea has no endpoint for them.
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
        """Returns the ids of a player's matches, newest first.

        Args:
            account: the player.
            since: earliest start of the matches.
            until: latest start of the matches.
            queue: queue, such as 420 for ranked solo; every queue by default.
            most: largest number of ids; by default all that the API lists, which go back two years.

        Raises:
            RefusedRequestError: if the puuid is unknown to this key.
            UnauthorisedError: if the key is missing or not accepted.
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
        # A match that ends between two requests shifts the others, so one can be listed twice.
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
        """Fetches missing match objects and timelines; a failed match does not stop the others.

        The object lands first, because it contains the day of the match. If the API no longer has a timeline, it is
        marked as gone and not requested again.

        Args:
            match_ids: such as NA1_4736000000.
            downloads: number of matches to fetch at the same time.

        Raises:
            UnauthorisedError: if the key is missing or not accepted. Matches fetched before have landed.
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
        """Fetches all missing files of players' newest matches.

        A failed match or player does not stop the others.

        Args:
            riot_ids: such as Hide on bush#KR1.
            platform: platform of the players, such as kr.
            since: earliest start of the matches.
            count: matches per player; None fetches all that the API has.
            queue: queue, such as 420 for ranked solo; every queue by default.
            downloads: number of matches to fetch at the same time.

        Raises:
            UnauthorisedError: if the key is missing or not accepted.
            RiotIdError: if one of them is not a Riot id.
            UnknownPlatformError: if there is no such platform.
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
                reason = f"{error} It may still appear, because the match was played recently."
                return MatchFetch(match_id, "failed", tuple(files), reason, is_delayed=True)
            mark_timeline_gone(self._landing, match_id, day)
            return MatchFetch(match_id, "expired", tuple(files), str(error))
        except ApiError as error:
            return _failed(match_id, files, error)
        return MatchFetch(match_id, "fetched", tuple(files))

    def _file(self, match_id: str, kind: Literal["match", "timeline"]) -> bytes:
        """Returns the checked body of a match object or a timeline, as sent; keeps unreadable bodies for inspection."""
        if not _MATCH_ID.fullmatch(match_id):
            raise UnexpectedAnswerError(f"{match_id[:80]!r} is not a match id such as NA1_4736000000.")
        path = f"/lol/match/v5/matches/{match_id}" + ("/timeline" if kind == "timeline" else "")
        what = f"match {match_id}" if kind == "match" else f"the timeline of match {match_id}"
        ask = _Ask(region_of(match_id), kind, path, what)

        def check(payload: bytes) -> bytes:
            found = read_body(payload, what, recognise)
            if (found.kind, found.match_id) != (kind, match_id):
                sent = f"{found.kind} {found.match_id or ''}".rstrip()
                raise UnreadableAnswerError(f"Received {sent} instead of {what}.", payload)
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
            "Fetching matches needs a key of the Riot API: get one at https://developer.riotgames.com and set "
            "RIOT_API_KEY. Ingesting files and fetching Data Dragon work without it."
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
                f"{found}: the key in RIOT_API_KEY is not accepted. Development keys expire after a day: create a new "
                "one at https://developer.riotgames.com. Ingesting files and fetching Data Dragon work without it."
            )
        if status == 400:
            raise RefusedRequestError(f"{found}: the request is wrong.")
        kept = {
            "match": ", or it is older than the two years the API keeps",
            "timeline": ", or it is older than the year the API keeps",
        }
        wait = retry_after_s(headers, self._clock())
        raise bad_answer(found, status, wait, missing=kept.get(ask.method, ""))


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request to the API: its region, its method, and its purpose in words."""

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
        """Returns the same request with parameters."""
        return _Ask(self.region, self.method, self.path, self.what, params)


def _windows(headers: Mapping[str, str], name: str) -> list[Window]:
    """Returns the windows of a limit in an answer's headers, slightly prolonged, each with its used requests."""
    used = {window.seconds: window.requests for window in parse_windows(headers.get(f"{name}-Count", ""))}
    windows = parse_windows(headers.get(name, ""))
    return [Window(window.requests, window.seconds + _MARGIN_S, used.get(window.seconds)) for window in windows]


def _failed(match_id: str, files: Iterable[FileOutcome], error: GamestatsError) -> MatchFetch:
    """Returns the result of a match that could not be fetched; raises if the key is not accepted, which affects all
    matches."""
    if isinstance(error, UnauthorisedError):
        raise error
    return MatchFetch(match_id, "failed", tuple(files), str(error), isinstance(error, ApiError) and error.is_passing)
