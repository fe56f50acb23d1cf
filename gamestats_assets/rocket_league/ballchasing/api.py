"""The API of ballchasing.com: lists players' replays, fetches them into the landing zone, and uploads replays.

Every request needs a token, and counts against the limits of its verb: listing, getting a replay's statistics, getting
its file, uploading. The limits depend on the account's patron tier. Answers land byte for byte as sent. The rules are
documented at https://ballchasing.com/doc/api, those on uploads at https://ballchasing.com/doc/faq.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar, Unpack
from urllib.parse import parse_qsl, urlsplit

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
from gamestats_assets.apis.limits import Window
from gamestats_assets.lakehouse.landing.arrivals import FileOutcome, MatchFetch, SourcePathError
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.rocket_league.players.identities import written_id
from gamestats_assets.rocket_league.source import (
    BALLCHASING,
    GAME,
    REPLAY,
    date_of,
    ingest_payload,
    is_whole,
    match_id_of,
    recognise,
)
from gamestats_assets.settings import shipped_rows

BASE_URL = "https://ballchasing.com/api"
IDS_A_PAGE = 200
"""Largest number of replays per list request."""
PATIENCE_S = 600.0
"""Longest wait of a request, in seconds, for its turn or as requested by the server."""

Verb = Literal["list", "get", "file", "upload"]
Visibility = Literal["public", "unlisted", "private"]
_T = TypeVar("_T")
# A request that takes longer to arrive than its predecessors could fall into a window that is already full.
_MARGIN_S = 0.1
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@functools.cache
def limits_of(tier: str) -> Mapping[str, tuple[Window, ...]]:
    """Returns the limits of a patron tier, by verb; empty for tiers without documentation.

    For the tier legend only the uploads are documented, and no tier documents its uploads per second.
    """
    limits: dict[str, tuple[Window, ...]] = {}
    for row in shipped_rows("data", "reference", "rocket_league", "ballchasing_limits.csv"):
        if row["tier"] == tier:
            window = Window(int(row["requests"]), float(row["seconds"]) + _MARGIN_S)
            limits[row["verb"]] = (*limits.get(row["verb"], ()), window)
    return limits


class PendingReplayError(ApiError):
    """Ballchasing has not processed the replay yet."""

    is_passing = True


class RefusedUploadError(UnexpectedAnswerError):
    """Ballchasing rejects an uploaded file, or the request for it (400)."""


class Account(msgspec.Struct, frozen=True):
    """The account that a token belongs to.

    Attributes:
        steam_id: number of the Steam account.
        name: name of the account.
        tier: patron tier.
    """

    steam_id: str
    name: str = ""
    tier: str = msgspec.field(name="type", default="")


@dataclass(frozen=True, slots=True)
class Listed:
    """A replay in a list.

    Attributes:
        id: ballchasing's id of the replay.
        rocket_league_id: the game's id of the replay, 32 hexadecimal digits in upper case; None if unknown.
        date: when it was saved, or else uploaded, UTC; None if both are unknown.
        is_pending: whether ballchasing still has to process it.
    """

    id: str
    rocket_league_id: str | None
    date: datetime | None
    is_pending: bool


@dataclass(frozen=True, slots=True)
class Uploaded:
    """Result of an upload.

    Attributes:
        id: ballchasing's id of the replay.
        is_new: whether this upload added the replay. False if ballchasing had it already, which it also says when an
            earlier attempt arrived and only its answer was lost.
    """

    id: str
    is_new: bool


class _Replay(msgspec.Struct):
    id: str
    status: str | None = None
    rocket_league_id: str | None = None
    date: str | None = None
    created: str | None = None


class _Page(msgspec.Struct):
    count: int
    replays: list[_Replay] | None = msgspec.field(name="list", default=None)
    next: str | None = None


class _Error(msgspec.Struct):
    error: str = ""


class BallchasingApi(ApiClient):
    """A client of ballchasing.com that lands what it fetches; use it as a context manager.

    Args:
        token: the API token (setting BALLCHASING_API_KEY).
        landing: where replays land.
        base_url: address of the API.
        tier: the account's patron tier, until `ping` finds it out.
        options: see `ClientOptions`.

    Raises:
        UnauthorisedError: when the token contains characters that no token has.
    """

    def __init__(
        self,
        token: SecretStr | None,
        landing: Landing,
        *,
        base_url: str = BASE_URL,
        tier: str = "regular",
        **options: Unpack[ClientOptions],
    ) -> None:
        options.setdefault("body_deadline", 120.0)
        super().__init__(token, "BALLCHASING_API_KEY", base_url, patience=PATIENCE_S, **options)
        self._landing = landing
        self._tier = tier

    # -- the account, and players' lists

    def ping(self) -> Account:
        """Returns the account of the token. From then on its tier's limits apply, to all who share them.

        Raises:
            UnauthorisedError: without a token, or with one that is not accepted.
        """
        account = self._decoded(_Ask("get", "/", "the account"), Account)
        if known := limits_of(account.tier):
            self._limits.learn({_limiter(verb): windows for verb, windows in known.items()})
        return account

    def list_replays(
        self,
        player_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        uploaded_since: datetime | None = None,
        playlist: str | None = None,
    ) -> list[Listed]:
        """Returns a player's replays, oldest first; replays without a date come last.

        The next page's cursor is sent to the API's own address with the original filters, whatever address the answer
        names. A page without new replays is the last.

        Args:
            player_id: such as steam_76561190000000001.
            since: leaves out replays of matches played before.
            until: leaves out replays of matches played after.
            uploaded_since: leaves out replays uploaded before; a match can be uploaded long after it was played.
            playlist: as ballchasing calls it, such as ranked-doubles; every playlist by default.

        Raises:
            UnauthorisedError: without a token, or with one that is not accepted.
        """
        filters = {
            "player-id": written_id(player_id),
            "count": str(IDS_A_PAGE),
            "sort-by": "replay-date",
            "sort-dir": "asc",
        }
        for name, moment in (
            ("replay-date-after", since),
            ("replay-date-before", until),
            ("created-after", uploaded_since),
        ):
            if moment is not None:
                filters[name] = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if playlist is not None:
            filters["playlist"] = playlist
        replays: dict[str, Listed] = {}
        cursor: dict[str, str] = {}
        while True:
            # Our filters win: the next address in some answers had lost one.
            ask = _Ask("list", "/replays", f"the replays of {player_id}", {**cursor, **filters})
            page = self._decoded(ask, _Page)
            new = {replay.id: _listed(replay) for replay in page.replays or () if replay.id not in replays}
            replays |= new
            cursor = dict(parse_qsl(urlsplit(page.next or "").query))
            if not new or not cursor:
                return sorted(replays.values(), key=_by_date)

    # -- replays

    def fetch_replays(
        self, ids: Iterable[str], *, files: bool = False, known: Mapping[str, str] | None = None, downloads: int = 4
    ) -> tuple[MatchFetch, ...]:
        """Fetch the missing statistics and files of replays; one failure does not stop the others.

        Replays that ballchasing still has to process are delayed; unreadable or deleted ones are expired; if only the
        file is gone, the replay is fetched without it. If several players recorded a match, the statistics of all their
        replays are fetched, but no further file once one has landed. The file lands first: it has the match's start,
        while the statistics only say when the replay was saved.

        Args:
            ids: ballchasing's ids, such as 2075de8d-3bc8-40c0-ac04-30dd28ba92a8.
            files: whether to fetch the replays' files as well.
            known: match ids by ballchasing's ids of replays fetched before; files of these matches that have landed are
                not fetched again.
            downloads: number of replays fetched at the same time.

        Returns:
            The outcome for each replay, under ballchasing's id; the files have the id of the match.

        Raises:
            UnauthorisedError: without a token, or with one that is not accepted. Replays fetched until then have
                landed.
        """
        wanted = list(dict.fromkeys(replay_id.strip().lower() for replay_id in ids))
        matches = {replay_id: (known or {})[replay_id] for replay_id in wanted if replay_id in (known or {})}
        held = self._landing.held(GAME, matches.values())

        def fetch(replay_id: str) -> MatchFetch:
            match_id = matches.get(replay_id)
            return self._fetch_missing(replay_id, match_id, held[match_id] if match_id else {}, files)

        with ThreadPoolExecutor(max_workers=downloads, thread_name_prefix="rl-fetch") as pool:
            return tuple(pool.map(fetch, wanted))

    def upload(self, replay: Path | bytes, *, visibility: Visibility = "private", group: str | None = None) -> Uploaded:
        """Upload a replay, as a file or its bytes, plain or gzipped; a replay that ballchasing already has is no error.

        Args:
            replay: the file or its bytes.
            visibility: who can see it at ballchasing.
            group: id of the group of replays that it joins.

        Raises:
            SourcePathError: when the file cannot be read.
            UnreadableContentError: when it is gzipped and damaged.
            RefusedUploadError: when ballchasing does not accept it as a replay.
            UnauthorisedError: without a token, or with one that is not accepted.
            RateLimitedError: when the account's uploads of the day or the week are used up.
        """
        try:
            payload = replay if isinstance(replay, bytes) else replay.read_bytes()
        except OSError as error:
            raise SourcePathError(f"Nothing to upload: {replay} cannot be read: {error.strerror}.") from None
        name = "match.replay" if isinstance(replay, bytes) else replay.name.removesuffix(".gz")
        params = {"visibility": visibility, **({"group": group} if group else {})}
        ask = _Ask("upload", "/v2/upload", f"the upload of {name}", params, {"file": (name, decompressed(payload))})

        def check(payload: bytes, status: int) -> Uploaded:
            if status == 400:
                reason = self._reason_in(payload)
                raise RefusedUploadError(f"{host_of(self._base_url)} answered 400 for {ask.what}: {reason}")
            answer = read_body(payload, ask.what, msgspec.json.Decoder(_Replay).decode)
            return Uploaded(answer.id, is_new=status != 409)

        return self._fetch(ask, check, accepted=(200, 201, 400, 409))

    def _fetch_missing(
        self, replay_id: str, match_id: str | None, held: Mapping[str, Sequence[LandedFile]], files: bool
    ) -> MatchFetch:
        outcomes: list[FileOutcome] = []
        statistics: bytes | None = None
        trouble: ApiError | None = None
        missing = ""
        try:
            if match_id is None or BALLCHASING not in held:
                statistics, match_id = self._statistics(replay_id)
                held = self._landing.held(GAME, [match_id])[match_id] if files else held
            if files and not any(is_whole(file, self._landing) for file in held.get(REPLAY, ())):
                ask = _Ask("file", f"/replays/{replay_id}/file", f"the file of replay {replay_id}")
                try:
                    payload = self._fetch(ask, lambda payload, status: payload)
                except NotFoundError as error:
                    missing = str(error)
                else:
                    outcomes.append(ingest_payload(payload, f"{replay_id}.replay", self._landing, match_id=match_id))
        except ApiError as error:
            trouble = error
        if statistics is not None:
            outcomes.append(ingest_payload(statistics, f"{replay_id}.json", self._landing, match_id=match_id))
        landed = tuple(outcomes)
        if isinstance(trouble, UnauthorisedError):
            raise trouble
        if isinstance(trouble, NotFoundError):
            return MatchFetch(replay_id, "expired", landed, str(trouble))
        if trouble is not None:
            return MatchFetch(replay_id, "failed", landed, str(trouble), trouble.is_passing)
        refused = [outcome.reason for outcome in landed if outcome.status == "quarantined"]
        if refused:
            return MatchFetch(replay_id, "failed", landed, refused[0])
        return MatchFetch(replay_id, "fetched" if landed else "known", landed, missing)

    def _statistics(self, replay_id: str) -> tuple[bytes, str]:
        """Returns the checked JSON of a replay, as sent, and the id of its match; unreadable JSON is quarantined."""
        if not _ID.fullmatch(replay_id):
            raise UnexpectedAnswerError(
                f"{replay_id[:80]!r} is no id of ballchasing; write it as 2075de8d-3bc8-40c0-ac04-30dd28ba92a8."
            )
        ask = _Ask("get", f"/replays/{replay_id}", f"replay {replay_id}")

        def check(payload: bytes, status: int) -> tuple[bytes, str]:
            parsed = read_body(payload, ask.what, msgspec.json.Decoder(_Replay).decode)
            if parsed.id.lower() != replay_id:
                raise UnreadableAnswerError(f"The answer to {ask.what} is another replay.", payload)
            if parsed.status == "pending":
                raise PendingReplayError(
                    f"{host_of(self._base_url)} has not processed {ask.what} yet; it is requested again later."
                )
            if parsed.status == "failed":
                raise NotFoundError(f"{host_of(self._base_url)} could not read {ask.what} and has no statistics of it.")
            return payload, read_body(payload, ask.what, recognise).match_id or ""

        try:
            return self._fetch(ask, check)
        except UnreadableAnswerError as error:
            # No match has this id, so the content is quarantined whatever it is.
            ingest_payload(error.payload, f"{replay_id}.json", self._landing, match_id=replay_id)
            raise

    # -- one request

    def _decoded(self, ask: _Ask, kind: type[_T]) -> _T:
        return self._fetch(ask, lambda payload, _: read_body(payload, ask.what, msgspec.json.Decoder(kind).decode))

    def _fetch(self, ask: _Ask, check: Callable[[bytes, int], _T], *, accepted: Collection[int] = (200,)) -> _T:
        secret = self._secret(
            "Listing, fetching and uploading replays at ballchasing needs its API token: get one at "
            "https://ballchasing.com/upload and set BALLCHASING_API_KEY. Ingesting replays, and JSON saved from "
            "ballchasing, works without it."
        )
        answered = 0

        def judge(status: int, headers: Mapping[str, str]) -> None:
            nonlocal answered
            answered = status
            if status not in accepted:
                raise self._bad_answer(ask, status, headers)
            self._refusals.end(_limiter(ask.verb))

        return self._fetcher.fetch(
            self._base_url + ask.path,
            ask.what,
            judge=judge,
            check=lambda payload: check(payload, answered),
            acquire=lambda: self._limits.acquire({_limiter(ask.verb): limits_of(self._tier)[ask.verb]}),
            params=ask.params,
            files=ask.files,
            secret_headers={"Authorization": secret},
        )

    def _bad_answer(self, ask: _Ask, status: int, headers: Mapping[str, str]) -> ApiError:
        message = f"{host_of(self._base_url)} answered {status} for {ask.what}"
        if status == 429:
            return self._refusals.add(_limiter(ask.verb), f"{message}: too many requests", headers)
        if status == 401:
            return self._refuse_key(
                f"{message}: the token in BALLCHASING_API_KEY is not accepted. Copy it again from "
                "https://ballchasing.com/upload, or make a new one there. Ingesting replays, and JSON saved from "
                "ballchasing, works without it."
            )
        wait, private = retry_after_s(headers, self._clock()), ", or it is another account's and private"
        return bad_answer(message, status, wait, missing=private, expected=201 if ask.files else 200)

    def _reason_in(self, payload: bytes) -> str:
        """Returns the reason in an error's body, without the token if it contains it."""
        try:
            reason = msgspec.json.decode(decompressed(payload), type=_Error).error
        except (UnreadableContentError, msgspec.DecodeError, RecursionError):
            reason = ""
        secret = self._key.get_secret_value() if self._key else ""
        return repr(reason.replace(secret, "***")[:200]) if reason else "it finds the request wrong."


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request to the API: its verb, and its description for people; requests with files are posted."""

    verb: Verb
    path: str
    what: str
    params: Mapping[str, str] | None = None
    files: Mapping[str, tuple[str, bytes]] | None = None


def _limiter(verb: str) -> str:
    return f"ballchasing {verb}"


def _listed(replay: _Replay) -> Listed:
    date = date_of(replay.date) or date_of(replay.created)
    return Listed(replay.id, match_id_of(None, replay.rocket_league_id), date, replay.status == "pending")


def _by_date(listed: Listed) -> tuple[bool, float, str]:
    return listed.date is None, listed.date.timestamp() if listed.date else 0.0, listed.id
