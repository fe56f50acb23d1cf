"""How Rocket League's files reach the landing zone: their content decides what they are.

Accepted are replays (`.replay`) as the game saves them, ballchasing's JSON of a replay, and frames of simulated
matches. A match is filed under its own id if the file contains it (`MatchGUID`, since 2020), so that the replays of
several players become one match; else under the id of the replay. The day is that of the match's start in UTC; older
replays lack the start and have only the date of the computer that saved them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from gamestats_assets.lakehouse.landing.arrivals import Recognised, Source, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing
from gamestats_assets.rocket_league.players.identities import player_id_in_replay
from gamestats_assets.rocket_league.privacy.naming import accounts_in_ballchasing, accounts_in_replay
from gamestats_assets.rocket_league.privacy.tombstones import are_any, buried

GAME = "rocket_league"
"""The game's folder in the landing zone."""
REPLAY, SIMULATED, BALLCHASING, MASKED = "replay", "simulated", "ballchasing", "masked"
"""Kinds of files. Simulated: frames made by a simulator. Masked: data of a match's other players, after one of its
players was forgotten."""

_TAKEN = "Replays (.replay) and ballchasing's JSON of a replay are taken."
_GAME_CLASS = re.compile(rb"TAGame\.Replay_")
_ID = re.compile(r"[0-9A-F]{32}")
_SENT_GUID = "ProjectX.GRI_X:MatchGUID"
# The game came out on 7 July 2015; earlier times come from a wrong clock.
_RELEASE = datetime(2015, 7, 7, tzinfo=UTC)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})[ :T](\d{2})-(\d{2})(?:-(\d{2}))?")


class _Ballchasing(msgspec.Struct):
    status: str | None = None
    rocket_league_id: str | None = None
    match_guid: str | None = None
    date: str | None = None
    date_has_timezone: bool = False
    blue: msgspec.Raw = msgspec.Raw()
    orange: msgspec.Raw = msgspec.Raw()
    gamestats_simulated: bool = False
    frames: msgspec.Raw = msgspec.Raw()


_JSON = msgspec.json.Decoder(_Ballchasing)


def recognise(content: bytes, name: str = "") -> Recognised:
    """Returns the kind, match and start of a decompressed content.

    Raises:
        UnrecognisedContentError: when it is none of these files, is cut or damaged, or lacks the match or time.
    """
    if _GAME_CLASS.search(content[:64]):
        return _of_replay(content)
    stripped = content.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
    if not stripped:
        raise UnrecognisedContentError("The file is empty.")
    return _of_json(stripped)


def _of_replay(content: bytes) -> Recognised:
    header = read_header(content)
    match_id = match_id_of(header.get("MatchGUID") or _guid_of_server(content), header.get("Id"))
    if match_id is None:
        raise UnrecognisedContentError("The replay's header has no Id of 32 hexadecimal digits.")
    start = started_at_of(header)
    if start is None:
        raise UnrecognisedContentError(
            f"The replay's header has no usable time: MatchStartEpoch is {header.get('MatchStartEpoch')!r}, "
            f"Date is {header.get('Date')!r}."
        )
    return Recognised(REPLAY, match_id, *start, suffix="replay")


def read_header(content: bytes) -> dict[str, Any]:
    """Returns the properties of a replay's header, by name.

    Raises:
        UnrecognisedContentError: when the replay is damaged, or of a season with an unknown format.
    """
    return dict(_meta(content)["all_headers"])


def accounts_in_header(content: bytes) -> set[str]:
    """Returns the ids of the accounts in a replay's header, which lists the players at the end of the match.

    Raises:
        UnrecognisedContentError: as `read_header` does.
    """
    meta = _meta(content)
    players = (player_id_in_replay(player["remote_id"]) for side in ("team_zero", "team_one") for player in meta[side])
    return {player_id for player_id in players if player_id is not None}


def _meta(content: bytes) -> dict[str, Any]:
    import subtr_actor

    with on_disk(content) as path:
        try:
            return subtr_actor.get_replay_meta(path)["replay_meta"]
        except Exception as error:  # noqa: BLE001 (the library raises nothing more precise)
            raise UnrecognisedContentError(why_unreadable(error)) from None


@contextmanager
def on_disk(content: bytes) -> Iterator[Path]:
    """Yields a temporary file with the content: the replay library reads most things from files alone."""
    with tempfile.NamedTemporaryFile(suffix=".replay") as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def _guid_of_server(content: bytes) -> str | None:
    """Returns the match's id as sent by the server: older headers lack it, but ballchasing reads it there, too.

    Raises:
        UnrecognisedContentError: when the updates cannot be read: the header alone does not identify the match.
    """
    import subtr_actor

    try:
        replay = subtr_actor.parse_replay(content)
    except Exception as error:  # noqa: BLE001 (the library raises nothing more precise)
        raise UnrecognisedContentError(why_unreadable(error)) from None
    objects = replay["objects"]
    number = objects.index(_SENT_GUID) if _SENT_GUID in objects else None
    frames = (replay["network_frames"] or {}).get("frames", ())
    updates = (update for frame in frames for update in frame["updated_actors"])
    return next((update["attribute"].get("String") for update in updates if update["object_id"] == number), None)


def first_line(error: BaseException) -> str:
    """Returns the first line of an error of the replay library; the rest is the state of its decoder."""
    lines = [line.strip(" -=") for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__).rstrip(".:")


def why_unreadable(error: BaseException) -> str:
    """Returns why a replay cannot be read, in the user's words, with the library's own words for developers."""
    detail = first_line(error)
    for mark, reason in _WRONG.items():
        if mark in detail:
            return f"The replay cannot be read: {reason} ({detail}.)"
    return f"The replay cannot be read: {_DAMAGED} ({detail}.)"


_DAMAGED = "it is damaged. Copy the file again, or save the replay in the game once more."
_WRONG = {
    "Insufficient data": "it is cut short. Copy the whole file again.",
    "crc check failed": _DAMAGED,
    "Error decoding frame": "it is damaged, or from an unknown version of the game.",
}
"""What is wrong with a replay, by a part of the library's message."""


def match_id_of(match_guid: object, replay_id: object) -> str | None:
    """Returns the match's own id if it has one, else the replay's, in upper case; an id of zeros counts as none."""
    for value in (match_guid, replay_id):
        text = str(value or "").upper()
        if _ID.fullmatch(text) and text.strip("0"):
            return text
    return None


def started_at_of(header: dict[str, Any]) -> tuple[datetime, bool] | None:
    """Returns when the match began, and whether the server's clock says so; else it is the date of the computer.

    None if the header has neither.
    """
    try:
        by_server = datetime.fromtimestamp(int(header.get("MatchStartEpoch") or 0), UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        by_server = _RELEASE
    if by_server > _RELEASE:
        return by_server, True
    date_parts = _DATE.match(str(header.get("Date") or ""))
    if date_parts is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in date_parts.groups())
    try:
        by_computer = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return (by_computer, False) if by_computer > _RELEASE else None


def _of_json(content: bytes) -> Recognised:
    try:
        parsed = _JSON.decode(content)
    except msgspec.ValidationError as error:
        raise UnrecognisedContentError(f"Expected ballchasing's JSON of a replay: {error}. {_TAKEN}") from None
    except (ValueError, RecursionError) as error:
        raise UnrecognisedContentError(f"Neither a replay nor whole JSON: {error}. {_TAKEN}") from None
    if parsed.status is not None and parsed.status != "ok":
        raise UnrecognisedContentError(
            f"The replay is {parsed.status} at ballchasing, so its JSON has no statistics yet. Fetch it again."
        )
    is_simulated = parsed.gamestats_simulated and bool(parsed.frames)
    if not is_simulated and not (parsed.blue and parsed.orange):
        raise UnrecognisedContentError(f"Expected teams blue and orange. {_TAKEN}")
    match_id = match_id_of(parsed.match_guid, parsed.rocket_league_id)
    if match_id is None:
        raise UnrecognisedContentError("Expected rocket_league_id or match_guid with 32 hexadecimal digits.")
    started_at = date_of(parsed.date)
    if started_at is None:
        raise UnrecognisedContentError(f"Expected a date such as 2026-03-10T18:55:49Z, found {parsed.date!r}.")
    if is_simulated:
        return Recognised(SIMULATED, match_id, started_at, True)
    # The date is when the replay was saved, at the end of the match.
    return Recognised(BALLCHASING, match_id, started_at, False)


def date_of(text: str | None) -> datetime | None:
    """Returns a time in ballchasing's format, with or without an offset; None if it is invalid."""
    try:
        time = datetime.fromisoformat(text or "")
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return time if time > _RELEASE else None


def forgotten(content: bytes, recognised: Recognised, landing: Landing) -> set[str]:
    """Returns the players named in a file that were forgotten on request.

    Without tombstones this costs one listing; otherwise a second or more per replay, because only the network updates
    name all players.
    """
    if not are_any(landing, GAME):
        return set()
    if recognised.kind != REPLAY:
        return buried(landing, GAME, accounts_in_ballchasing(content))
    named = accounts_in_header(content)
    # The header of a damaged replay still names its players.
    with suppress(Exception):
        named |= accounts_in_replay(content)
    return buried(landing, GAME, named)


def _mask(
    content: bytes, recognised: Recognised, day: date, players: Collection[str], landing: Landing
) -> tuple[LandedFile, bool] | None:
    # Imported here, because the masking reads files with their decoders, which need this module.
    from gamestats_assets.rocket_league.privacy.masked_matches import land_without

    return land_without(content, recognised, day, players, landing)


SOURCE = Source(GAME, recognise, first=(REPLAY, SIMULATED), forgotten=forgotten, mask=_mask)
"""The game's own files land before ballchasing's: they have the exact start of a match."""
ingest, ingest_payload, is_whole = SOURCE.ingest, SOURCE.ingest_payload, SOURCE.is_whole
refused = SOURCE.refused
