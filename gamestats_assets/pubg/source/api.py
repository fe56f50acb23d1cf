"""The PUBG API: players, their matches and telemetry, fetched into the landing zone.

Only the players endpoint needs a key and counts against its limit; match objects and telemetry files are open. Every
file is checked (complete, decompressible, of the requested kind) before it lands, byte for byte as the server sent it.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Unpack

import msgspec
from pydantic import SecretStr

from gamestats_assets.apis.clients import ApiClient, ClientOptions
from gamestats_assets.apis.http import ApiError as PubgApiError
from gamestats_assets.apis.http import (
    NotFoundError,
    RateLimitedError,
    UnauthorisedError,
    UnexpectedAnswerError,
    UnreadableAnswerError,
    bad_answer,
    host_of,
    retry_after_s,
    server_time,
)
from gamestats_assets.apis.http import UnavailableError as UnavailableError
from gamestats_assets.apis.limits import Limits, Window, windows_in_force
from gamestats_assets.lakehouse.landing.arrivals import FetchReport, FileOutcome, MatchFetch, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.pubg.source.files import GAME, Kind, ingest_payload, is_whole, mark_expired, recognise

BASE_URL = "https://api.pubg.com"
PLAYERS_A_CALL = 10
"""Most players per request."""
REQUESTS_A_WINDOW = 10
"""Requests per window for a new key."""
WINDOW_SECONDS = 60.0
"""Length of the limit's window; also the wait after a refusal without a time."""
LONGEST_WAIT_SECONDS = 120.0
"""Longest wait that a server may demand."""

LIMITER = "pubg"
"""Name of the limit of our API key."""

_MATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_GZIP = b"\x1f\x8b"


class ExpiredTelemetryError(NotFoundError):
    """The telemetry file is permanently gone.

    Attributes:
        status: the HTTP status of the answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class InvalidNameError(PubgApiError):
    """A name or account id that cannot be part of a request for players."""


# ---------------------------------------------------------------- the limit


def server_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Returns the seconds that the server demands to wait: from X-RateLimit-Reset (unix seconds) or Retry-After, else
    None.

    Uses the server's clock (Date) if available, so a wrong local clock does not matter.
    """
    reset = _number(headers.get("X-RateLimit-Reset"))
    if reset is not None:
        return min(max(reset - server_time(headers, now), 0.0), LONGEST_WAIT_SECONDS)
    after = retry_after_s(headers, now)
    return None if after is None else min(after, LONGEST_WAIT_SECONDS)


def _number(value: str | None) -> float | None:
    """Returns a non-negative whole number in a header, or None."""
    text = (value or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def learn_limit(limits: Limits, headers: Mapping[str, str], now: float, *, refused: bool = False) -> None:
    """Adopts the limit in an answer; blocks requests until its reset if none is left or one was refused.

    A refusal without a time blocks for a whole window; one with a reset just passed still blocks briefly.
    """
    if requests := _number(headers.get("X-RateLimit-Limit")):
        limits.learn({LIMITER: [Window(int(requests), WINDOW_SECONDS)]})
    wait = server_wait(headers, now)
    if refused:
        wait = WINDOW_SECONDS if wait is None else max(wait, 1.0)
    if wait is not None and (refused or _number(headers.get("X-RateLimit-Remaining")) == 0):
        limits.block(LIMITER, wait)


def limit_in_force(url: SecretStr, requests: int) -> int:
    """Returns the requests allowed per window: the server's latest number, else the given one."""
    windows = windows_in_force(url, LIMITER)
    return windows[0].requests if windows else requests


# ---------------------------------------------------------------- answers


@dataclass(frozen=True, slots=True)
class Player:
    """A player with their current name in the API.

    Attributes:
        account_id: the identity, `account.` and 32 hexadecimal digits.
        name: the in-game name; may change.
        shard: platform, such as `steam`.
        match_ids: matches of the last 14 days, newest first as the API lists them.
    """

    account_id: str
    name: str
    shard: str
    match_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchedMatch:
    """A fetched or landed match object.

    Attributes:
        match_id: id of the match.
        day: UTC day of the estimated start.
        telemetry_url: address of its telemetry; None if the object has none.
        payload: the object's bytes, as received.
        match_type: `official`, `custom`, ...; None if the object has none.
    """

    match_id: str
    day: date
    telemetry_url: str | None
    payload: bytes
    match_type: str | None = None


# ---------------------------------------------------------------- JSON:API


class _Reference(msgspec.Struct):
    id: str


class _References(msgspec.Struct):
    data: list[_Reference] = []


class _PlayerRelationships(msgspec.Struct):
    matches: _References = msgspec.field(default_factory=_References)


class _PlayerAttributes(msgspec.Struct):
    name: str
    shard: str = msgspec.field(default="", name="shardId")


class _PlayerResource(msgspec.Struct):
    id: str
    attributes: _PlayerAttributes
    relationships: _PlayerRelationships = msgspec.field(default_factory=_PlayerRelationships)


class _PlayerDocument(msgspec.Struct):
    data: list[_PlayerResource] | _PlayerResource


class _Included(msgspec.Struct):
    type: str
    attributes: msgspec.Raw = msgspec.Raw(b"{}")


class _Asset(msgspec.Struct):
    url: str | None = msgspec.field(default=None, name="URL")
    name: str | None = None


class _MatchAttributes(msgspec.Struct):
    match_type: str | None = msgspec.field(default=None, name="matchType")


class _MatchResource(msgspec.Struct):
    attributes: _MatchAttributes = msgspec.field(default_factory=_MatchAttributes)


class _MatchDocument(msgspec.Struct):
    data: _MatchResource = msgspec.field(default_factory=_MatchResource)
    included: list[_Included] = []

    @property
    def telemetry_url(self) -> str | None:
        """Address of the telemetry; None if the object has none."""
        for included in self.included:
            if included.type == "asset":
                asset = msgspec.json.decode(included.attributes, type=_Asset)
                if asset.url and asset.name in (None, "telemetry"):
                    return asset.url
        return None


def _players_of(content: bytes) -> list[Player]:
    data = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_PlayerDocument).data
    return [
        Player(
            resource.id,
            resource.attributes.name,
            resource.attributes.shard,
            tuple(match.id.lower() for match in resource.relationships.matches.data),
        )
        for resource in (data if isinstance(data, list) else [data])
    ]


# ---------------------------------------------------------------- the client


class PubgApi(ApiClient):
    """A client of the PUBG API that lands what it fetches; use it as a context manager.

    Args:
        key: the API key (setting PUBG_API_KEY); only requests for players need it.
        landing: landing zone for all files.
        base_url: address of the API.
        shard: platform, such as `steam` or `kakao`.
        requests: requests for players per minute, until the server reports its own number.
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
        shard: str = "steam",
        requests: int = REQUESTS_A_WINDOW,
        **options: Unpack[ClientOptions],
    ) -> None:
        headers = {"Accept": "application/vnd.api+json"}
        super().__init__(key, "PUBG_API_KEY", base_url, headers=headers, **options)
        self._landing, self._shard = landing, shard
        self._windows = {LIMITER: [Window(requests, WINDOW_SECONDS)]}

    def __repr__(self) -> str:
        return f"PubgApi(base_url={self._base_url!r}, shard={self._shard!r})"

    # -- players

    def players_by_name(self, names: Iterable[str]) -> list[Player]:
        """Returns players by exact in-game name; names unknown to the API are left out.

        Raises:
            UnauthorisedError: if the key is missing or not accepted.
            InvalidNameError: if a name is empty or contains a comma.
        """
        return [player for batch in _batches(names) for player in self._players("playerNames", batch)]

    def players_by_id(self, account_ids: Iterable[str]) -> list[Player]:
        """Returns players by account id; ids unknown to the API are left out. Raises the errors of
        `players_by_name`."""
        return [player for batch in _batches(account_ids) for player in self._players("playerIds", batch)]

    def _players(self, key: str, batch: Sequence[str]) -> list[Player]:
        url = f"{self._base_url}/shards/{self._shard}/players"
        params = {f"filter[{key}]": ",".join(batch)}
        ask = _Ask(url, f"players {', '.join(batch)}", "players", keyed=True, params=params)
        try:
            payload = self._fetch(ask)
        except NotFoundError:  # the API's answer if it knows none of them
            return []
        ingest_payload(payload, ask.name, self._landing)
        try:
            return _players_of(decompressed(payload))
        except msgspec.DecodeError as error:
            raise UnexpectedAnswerError(f"The answer for {ask.what} is not as documented: {error}.") from None

    # -- matches

    def fetch_whole_match(self, match_id: str, *, only_types: Collection[str] | None = None) -> MatchFetch:
        """Fetches missing files of a match, object and telemetry; a failure is in the result, not raised.

        Needs no key, and sends none. The telemetry lands first, because it contains the start of the match, while the
        object only estimates the day. Permanently gone telemetry is marked as expired.

        Args:
            only_types: wanted match types; matches of other types are passed over.
        """
        match_id = match_id.lower()
        held = self._landing.held(GAME, [match_id])[match_id]
        if "telemetry" in held and not any(is_whole(file, self._landing) for file in held["telemetry"]):
            # It came as a file; the API may still have an intact one.
            held = {kind: files for kind, files in held.items() if kind != "telemetry"}
        return self._fetch_missing(match_id, held, only_types)

    def fetch_player_matches(self, names: Iterable[str], *, downloads: int = 4) -> FetchReport[Player]:
        """Fetches all missing files of players' recent matches.

        A failed match or batch of players does not stop the others.

        Args:
            names: exact in-game names.
            downloads: number of matches to fetch at the same time.

        Raises:
            UnauthorisedError: if the key is missing or not accepted.
            InvalidNameError: if a name is empty or contains a comma.
        """
        players: list[Player] = []
        unknown: list[str] = []
        failures: list[str] = []
        for batch in _batches(names):
            try:
                found = self._players("playerNames", batch)
            except UnauthorisedError:
                raise
            except PubgApiError as error:
                failures.append(str(error))
                continue
            players += found
            known = {player.name for player in found}
            unknown += [name for name in batch if name not in known]
        match_ids = list(dict.fromkeys(match_id for player in players for match_id in player.match_ids))
        held = self._landing.held(GAME, match_ids)
        with ThreadPoolExecutor(max_workers=downloads, thread_name_prefix="pubg-fetch") as pool:
            matches = tuple(pool.map(lambda match_id: self._fetch_missing(match_id, held[match_id]), match_ids))
        return FetchReport(tuple(players), tuple(unknown), matches, tuple(failures))

    def _fetch_missing(
        self, match_id: str, held: Mapping[str, Sequence[LandedFile]], only_types: Collection[str] | None = None
    ) -> MatchFetch:
        wants_telemetry = not held.keys() & {"telemetry", "expired"}
        if "match" in held and not wants_telemetry:
            return MatchFetch(match_id, "known")
        try:
            # A landed object stays usable after the API has removed it.
            match = _match_of(self._landing.read(held["match"][-1])) if "match" in held else self._match(match_id)
        except NotFoundError as error:
            return MatchFetch(match_id, "expired", reason=str(error))
        except PubgApiError as error:
            return MatchFetch(match_id, "failed", reason=str(error), is_delayed=error.is_passing)
        if only_types is not None and match.match_type not in only_types:
            return MatchFetch(match_id, "passed_over", reason=f"It is of type {match.match_type}.")
        if not wants_telemetry:
            return MatchFetch(match_id, "fetched", (self._land_match(match),))
        try:
            payload = self._telemetry(match)
        except ExpiredTelemetryError as error:
            landed = self._land_match(match)
            mark_expired(self._landing, match_id, match.day, status=error.status)
            return MatchFetch(match_id, "expired", (landed,))
        except PubgApiError as error:
            return MatchFetch(match_id, "failed", (self._land_match(match),), str(error), error.is_passing)
        # Telemetry first: it contains the start of the match, which the object only estimates.
        return MatchFetch(match_id, "fetched", (self._land_telemetry(match, payload), self._land_match(match)))

    def _match(self, match_id: str) -> FetchedMatch:
        match_id = match_id.lower()
        if not _MATCH_ID.fullmatch(match_id):
            raise UnexpectedAnswerError(f"{match_id[:80]!r} cannot be a match id; letters, digits, _ and - can.")
        url = f"{self._base_url}/shards/{self._shard}/matches/{match_id}"
        return _match_of(self._fetch(_Ask(url, f"match {match_id}", "match", match_id)))

    def _telemetry(self, match: FetchedMatch) -> bytes:
        what = f"the telemetry of match {match.match_id}"
        if match.telemetry_url is None:
            raise UnexpectedAnswerError(f"The match object names no file for {what}.")
        return self._fetch(_Ask(match.telemetry_url, what, "telemetry", match.match_id))

    def _land_match(self, match: FetchedMatch) -> FileOutcome:
        return ingest_payload(match.payload, f"{match.match_id}.match.json", self._landing, match_id=match.match_id)

    def _land_telemetry(self, match: FetchedMatch, payload: bytes) -> FileOutcome:
        return ingest_payload(payload, f"{match.match_id}.telemetry.json", self._landing, match_id=match.match_id)

    # -- one request

    def _fetch(self, ask: _Ask) -> bytes:
        """Returns the checked body of an answer, as sent; unreadable bodies are kept, and the file stays wanted."""
        keyed = ask.keyed
        secret = self._authorisation() if keyed else {}

        def judge(status: int, headers: Mapping[str, str]) -> None:
            if keyed:
                learn_limit(self._limits, headers, self._clock(), refused=status == 429)
            self._raise_for_status(status, headers, ask)

        try:
            return self._fetcher.fetch(
                ask.url,
                ask.what,
                judge=judge,
                check=lambda payload: _checked(payload, ask),
                acquire=lambda: self._limits.acquire(self._windows) if keyed else None,
                params=ask.params,
                secret_headers=secret,
                # A keyed request follows no redirect: the key is for one host.
                follow_redirects=not keyed,
            )
        except UnreadableAnswerError as error:
            ingest_payload(error.payload, ask.name, self._landing, match_id=ask.match_id)
            raise

    def _raise_for_status(self, status: int, headers: Mapping[str, str], ask: _Ask) -> None:
        if status == 200:
            return
        found = f"{ask.where} answered {status} for {ask.what}"
        if ask.kind == "telemetry" and status in (403, 404, 410):
            raise ExpiredTelemetryError(f"{found}: the file is gone; files are kept for 14 days.", status)
        if status == 401 or (status == 403 and ask.keyed):
            raise self._refuse_key(
                f"{found}: the key in PUBG_API_KEY is not accepted. Only requests for players need it; ingesting "
                "files and fetching matches by id work without it."
            )
        wait = server_wait(headers, self._clock())
        if status == 429:
            wait = WINDOW_SECONDS if wait is None else wait
            raise RateLimitedError(f"{found}: too many requests, for the next {wait:.0f} s.", retry_after=wait)
        raise bad_answer(found, status, wait, missing=", or it is older than the 14 days the API keeps")

    def _authorisation(self) -> dict[str, str]:
        secret = self._secret(
            "Requests for players need a key of the PUBG API: set PUBG_API_KEY. Ingesting files and fetching matches "
            "by id work without it."
        )
        return {"Authorization": f"Bearer {secret}"}


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request: its address, its purpose in words, and the check of the answer."""

    url: str
    what: str
    kind: Kind
    match_id: str | None = None
    keyed: bool = False
    params: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        return f"{self.match_id}.{self.kind}.json" if self.match_id else f"{self.kind}.json"

    @property
    def where(self) -> str:
        """Host for messages."""
        return host_of(self.url)


def can_be_asked_for(name: str) -> bool:
    """Whether a request for players can contain a name or account id, which must not be empty or contain a comma."""
    return bool(name.strip()) and "," not in name


def _batches(names: Iterable[str]) -> list[list[str]]:
    distinct = list(dict.fromkeys(names))
    for name in distinct:
        if not can_be_asked_for(name):
            raise InvalidNameError(
                f"{name!r} cannot be a player's name or account id: it is empty or contains a comma."
            )
    return [distinct[start : start + PLAYERS_A_CALL] for start in range(0, len(distinct), PLAYERS_A_CALL)]


def _match_of(payload: bytes) -> FetchedMatch:
    content = decompressed(payload)
    found = recognise(content)
    if found.match_id is None or found.started_at is None:
        raise UnexpectedAnswerError(f"Expected a match object, found {found.kind}.")
    try:
        document = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_MatchDocument)
        url = document.telemetry_url
    except msgspec.DecodeError as error:
        raise UnexpectedAnswerError(f"Match object {found.match_id} is not as documented: {error}.") from None
    return FetchedMatch(found.match_id, found.started_at.date(), url, payload, document.data.attributes.match_type)


def _checked(payload: bytes, ask: _Ask) -> bytes:
    """Returns the payload if it is complete and of the requested kind."""
    try:
        content = decompressed(payload)
        if content.startswith(_GZIP):
            # A file gzipped twice and once more for the transfer: the landing zone unpacks two layers.
            payload = gzip.decompress(payload)
            content = decompressed(payload)
        found = recognise(content, name=ask.name)
    except (UnreadableContentError, UnrecognisedContentError, gzip.BadGzipFile) as error:
        raise UnreadableAnswerError(f"{ask.where} sent an unusable body for {ask.what}: {error}", payload) from None
    if found.kind != ask.kind or found.match_id != ask.match_id:
        sent = f"{found.kind} {found.match_id or ''}".rstrip()
        raise UnreadableAnswerError(f"{ask.where} sent {sent} instead of {ask.what}.", payload)
    return payload
