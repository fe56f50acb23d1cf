"""Data Dragon, Riot's lists of items and champions by version and language: landed ones read, missing ones fetched.

A version is a patch with a number for its revisions: 13.14.1 is of patch 13.14. Not every patch is at hand in every
language, so `version_for` chooses the one that stands for it, and says which it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import polars as pl

from gamestats_assets.apis.http import (
    ApiError,
    Fetcher,
    NotFoundError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreadableAnswerError,
    host_of,
    retry_after_s,
)
from gamestats_assets.lakehouse.files.documents import Int32, without_nul
from gamestats_assets.lakehouse.landing.arrivals import FileOutcome, UnrecognisedContentError
from gamestats_assets.lakehouse.landing.decoding import Rejections
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError, decompressed
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.reference.tables import DataDragonChampions, DataDragonItems
from gamestats_assets.lol.source import (
    GAME,
    Document,
    document_kind,
    document_of,
    ingest_payload,
    is_version,
    recognise,
)

BASE_URL = "https://ddragon.leagueoflegends.com"
LANGUAGES = ("en_US", "ko_KR")
"""Languages whose names are wanted."""

_PATCH = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_LANGUAGE = re.compile(r"[a-z]{2}_[A-Z]{2}")
_FILES: Mapping[Document, str] = {"items": "item.json", "champions": "championFull.json"}
_TABLES: Mapping[Document, type[Table]] = {"items": DataDragonItems, "champions": DataDragonChampions}


# ---------------------------------------------------------------- versions


@dataclass(frozen=True, slots=True)
class VersionChoice:
    """The version that stands for a patch.

    Attributes:
        version: such as 13.14.1.
        version_is: `exact` (of the patch), `earlier` (of the nearest patch before it) or `later` (of the nearest
            after it, where none before it is at hand).
    """

    version: str
    version_is: Literal["exact", "earlier", "later"]


def patch_of(version: str) -> str:
    """The patch of a version of Data Dragon or of the game: its first two numbers.

    >>> patch_of("13.14.522.7601")
    '13.14'
    """
    return ".".join(version.split(".")[:2])


def is_patch(text: str) -> bool:
    """Whether a text is a patch, such as 13.14."""
    return bool(_PATCH.fullmatch(text))


def is_language(text: str) -> bool:
    """Whether a text is a language as Data Dragon writes it, such as en_US."""
    return bool(_LANGUAGE.fullmatch(text))


def version_number(version: str) -> tuple[int, ...]:
    """What orders versions and patches: 13.9 comes before 13.10.

    >>> version_number("13.9.1") < version_number("13.10.1")
    True
    """
    return tuple(int(part) for part in version.split("."))


def version_for(patch: str, versions: Iterable[str]) -> VersionChoice | None:
    """The highest version of a patch, else of the nearest one before it, else of the nearest after; None of none.

    >>> version_for("13.14", ["13.9.1", "13.10.1", "13.15.1"])
    VersionChoice(version='13.10.1', version_is='earlier')
    """
    wanted = version_number(patch)
    numbered = {version: version_number(version) for version in versions}
    at_most = [version for version, number in numbered.items() if number[:2] <= wanted]
    if at_most:
        chosen = max(at_most, key=lambda version: numbered[version])
        return VersionChoice(chosen, "exact" if numbered[chosen][:2] == wanted else "earlier")
    if not numbered:
        return None
    nearest = min(number[:2] for number in numbered.values())
    chosen = max((version for version, number in numbered.items() if number[:2] == nearest), key=lambda v: numbered[v])
    return VersionChoice(chosen, "later")


# ---------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class Documents:
    """What the landed documents list.

    Attributes:
        items: as `DataDragonItems` declares; ordered by version, language and item.
        champions: as `DataDragonChampions` declares; ordered likewise.
        rejections: entries and documents that could not be read, by the table they were meant for.
    """

    items: pl.DataFrame
    champions: pl.DataFrame
    rejections: Rejections


class _Head(msgspec.Struct):
    """What a document tells of itself."""

    version: str
    format: str = ""


class _Content(msgspec.Struct):
    version: str
    data: dict[str, msgspec.Raw]


class _Gold(msgspec.Struct):
    base: Int32
    total: Int32
    sell: Int32
    purchasable: bool


class _Item(msgspec.Struct, rename="camel"):
    name: str
    gold: _Gold
    plaintext: str | None = None
    from_ids: list[Int32] = msgspec.field(default_factory=list, name="from")
    into_ids: list[Int32] = msgspec.field(default_factory=list, name="into")
    tags: list[str] = []
    maps: dict[Int32, bool] = {}
    depth: Int32 | None = None
    special_recipe: Int32 | None = None
    required_champion: str | None = None
    required_ally: str | None = None
    consumed: bool = False
    in_store: bool = True


class _Spell(msgspec.Struct):
    maxrank: Int32


class _Champion(msgspec.Struct):
    id: str
    key: int
    name: str
    tags: list[str] = []
    spells: list[_Spell] = []


_HEAD = msgspec.json.Decoder(_Head)
_CONTENT = msgspec.json.Decoder(_Content)
# Ids are written as text in some places and as numbers in others.
_ITEM = msgspec.json.Decoder(_Item, strict=False)
_CHAMPION = msgspec.json.Decoder(_Champion, strict=False)


def _item(key: str, entry: msgspec.Raw) -> dict[str, Any]:
    item = _ITEM.decode(entry)
    return {
        "item_id": _positive(key),
        "name": item.name,
        "plaintext": item.plaintext,
        "gold_total": item.gold.total,
        "gold_base": item.gold.base,
        "gold_sell": item.gold.sell,
        "purchasable": item.gold.purchasable,
        "in_store": item.in_store,
        "from_ids": item.from_ids,
        "into_ids": item.into_ids,
        "tags": item.tags,
        "depth": item.depth,
        "special_recipe": item.special_recipe or None,
        "required_champion": item.required_champion or None,
        "required_ally": item.required_ally or None,
        "consumed": item.consumed,
        "map_ids": sorted(number for number, is_on in item.maps.items() if is_on),
    }


def _champion(key: str, entry: msgspec.Raw) -> dict[str, Any]:
    champion = _CHAMPION.decode(entry)
    return {
        "champion_id": _positive(champion.key),
        "champion_key": champion.id,
        "name": champion.name,
        "tags": champion.tags,
        "max_ranks": [spell.maxrank for spell in champion.spells] or None,
    }


def _positive(number: str | int) -> int:
    text = str(number)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise ValueError(f"expected a number above 0 as its id, found {text[:40]!r}")
    return int(text)


_ENTRY: Mapping[Document, Callable[[str, msgspec.Raw], dict[str, Any]]] = {"items": _item, "champions": _champion}


@dataclass(slots=True)
class _Read:
    """What one landed document gave."""

    rows: list[dict[str, Any]]
    rejections: list[Rejection]
    preference: tuple[bool, int, str]


def _read(landing: Landing, file: LandedFile, document: Document, language: str) -> _Read:
    def rejected(scope: Literal["row", "file"], reason: str, content: bytes | None = None) -> Rejection:
        told = content.decode("utf-8", "replace") if content is not None else None
        rows = 1 if scope == "row" else 0
        return Rejection(file.content_hash, scope, "readable_entry", f"{file.path}: {reason}", rows, told)

    try:
        content = _CONTENT.decode(without_nul(landing.content(file)).removeprefix(b"\xef\xbb\xbf"))
    except (UnreadableContentError, msgspec.DecodeError, RecursionError) as error:
        return _Read([], [rejected("file", str(error))], (True, 0, file.content_hash))
    shared = {"version": content.version, "patch": patch_of(content.version), "language": language}
    rows: dict[int, dict[str, Any]] = {}
    rejections: list[Rejection] = []
    id_column = _TABLES[document].primary_key()[-1]
    for key, entry in content.data.items():
        try:
            row = {**shared, **_ENTRY[document](key, entry)}
        except (ValueError, RecursionError) as error:
            rejections.append(rejected("row", f"{document[:-1]} {key[:80]!r}: {error}", bytes(entry)))
        else:
            rows.setdefault(row[id_column], row)
    has_no_ranks = all(row.get("max_ranks") is None for row in rows.values())
    return _Read([*rows.values()], rejections, (has_no_ranks, -len(rows), file.content_hash))


def landed_documents(landing: Landing) -> list[LandedFile]:
    """Every landed document of Data Dragon."""
    return [file for kind in landing.undated_kinds(GAME) if document_of(kind) for file in landing.files(GAME, kind)]


def read_documents(landing: Landing) -> Documents:
    """Every landed document of Data Dragon, as rows.

    Of several documents of a version and language, one with maximum ranks comes first, then the one with most
    entries; the others add what that does not list. What cannot be read is a rejection, and stops nothing else.
    """
    frames: dict[Document, pl.DataFrame] = {}
    rejections: Rejections = {}
    for document, table in _TABLES.items():
        read = [
            _read(landing, file, document, language)
            for kind in landing.undated_kinds(GAME)
            for found, language in filter(None, [document_of(kind)])
            if found == document
            for file in landing.files(GAME, kind)
        ]
        read.sort(key=lambda one: one.preference)
        rows = pl.DataFrame([row for one in read for row in one.rows], schema=table.schema(), orient="row")
        key = table.primary_key()
        frames[document] = rows.unique(key, keep="first", maintain_order=True).sort(key)
        if entries := [rejection for one in read for rejection in one.rejections]:
            rejections[table] = sorted(entries, key=lambda entry: (entry.unit_id, entry.reason))
    return Documents(frames["items"], frames["champions"], rejections)


def landed_versions(landing: Landing, document: Document, language: str) -> set[str]:
    """Versions of which a document has landed in a language; of champions only documents that tell maximum ranks."""
    found: set[str] = set()
    for file in landing.files(GAME, document_kind(document, language)):
        try:
            head = _HEAD.decode(landing.content(file).removeprefix(b"\xef\xbb\xbf"))
        except (UnreadableContentError, msgspec.DecodeError, RecursionError):
            continue
        if document == "items" or head.format == "full":
            found.add(head.version)
    return found


def patches_of(landing: Landing, match_ids: Iterable[str]) -> list[str]:
    """Patches that matches were played on, in order, as their landed objects tell."""
    found: set[str] = set()
    for files in landing.held(GAME, match_ids).values():
        for file in files.get("match", [])[:1]:
            try:
                parsed = msgspec.json.decode(
                    landing.content(file).removeprefix(b"\xef\xbb\xbf"), type=_Match
                ).info.game_version
            except (UnreadableContentError, ValueError, RecursionError):
                # The table of matches says what is wrong with it.
                continue
            if is_patch(patch_of(parsed)):
                found.add(patch_of(parsed))
    return sorted(found, key=version_number)


class _MatchInfo(msgspec.Struct, rename="camel"):
    game_version: str


class _Match(msgspec.Struct):
    info: _MatchInfo


# ---------------------------------------------------------------- fetching


@dataclass(slots=True)
class DocumentsFetched:
    """What became of the documents that were wanted.

    Attributes:
        outcomes: those that landed now (`taken`).
        known: documents that had landed before, and were not asked for.
        stands_for: by patch, the version that was wanted for it.
        failures: one message for each document, or list of versions, that could not be had.
    """

    outcomes: list[FileOutcome] = field(default_factory=list)
    known: int = 0
    stands_for: dict[str, VersionChoice] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def fetched(self) -> int:
        """Documents that landed now."""
        return len(self.outcomes)


def fetch_patches(
    landing: Landing,
    patches: Collection[str],
    languages: Sequence[str] = LANGUAGES,
    *,
    base_url: str = BASE_URL,
    sleep: Callable[[float], None] = time.sleep,
    timeout: float = 20.0,
    attempts: int = 4,
) -> DocumentsFetched:
    """Land the items and champions that stand for patches, in every language, where they have not landed yet.

    Needs no key. The network is left alone where everything is at hand. What Data Dragon does not have, or does not
    give, is told and stops nothing else.

    Args:
        landing: where everything lands.
        patches: such as 13.14; of one that Data Dragon does not list, the nearest version as in `version_for`.
        languages: such as en_US.
        base_url: address of Data Dragon.
        sleep: waits for seconds.
        timeout: seconds for connecting, and between two pieces of a body.
        attempts: tries in all for each document.
    """
    report = DocumentsFetched()
    wanted: list[tuple[Document, str]] = [(document, language) for language in languages for document in _FILES]
    held = {each: landed_versions(landing, *each) for each in wanted}
    at_hand = {patch for patch in patches if all(patch in map(patch_of, versions) for versions in held.values())}
    report.known = len(at_hand) * len(wanted)
    lacking = sorted(set(patches) - at_hand, key=version_number)
    if not lacking:
        return report
    base_url = base_url.rstrip("/")
    with Fetcher(sleep=sleep, timeout=timeout, attempts=attempts) as fetcher:
        try:
            versions = _versions(fetcher, base_url)
        except ApiError as error:
            report.failures.append(str(error))
            return report
        choices = {patch: choice for patch in lacking if (choice := version_for(patch, versions)) is not None}
        report.stands_for = choices
        for version in sorted({choice.version for choice in choices.values()}, key=version_number):
            for document, language in wanted:
                # A revision of the same patch will do.
                if patch_of(version) in map(patch_of, held[document, language]):
                    report.known += 1
                    continue
                try:
                    report.outcomes.append(_document(fetcher, landing, base_url, version, document, language))
                except ApiError as error:
                    report.failures.append(str(error))
    return report


def _versions(fetcher: Fetcher, base_url: str) -> list[str]:
    url, what = f"{base_url}/api/versions.json", "the list of versions"

    def check(payload: bytes) -> list[str]:
        try:
            listed = msgspec.json.decode(decompressed(payload), type=list[str])
        except (UnreadableContentError, msgspec.DecodeError, RecursionError) as error:
            raise UnreadableAnswerError(f"{host_of(url)} sent no good {what[4:]}: {error}", payload) from None
        # The oldest are called lolpatch_3.7 and the like.
        return [version for version in listed if is_version(version)]

    return fetcher.fetch(url, what, judge=_judge(url, what), check=check, follow_redirects=True)


def _document(
    fetcher: Fetcher, landing: Landing, base_url: str, version: str, document: Document, language: str
) -> FileOutcome:
    url = f"{base_url}/cdn/{version}/data/{language}/{_FILES[document]}"
    what = f"the {document} of version {version} in {language}"

    def check(payload: bytes) -> bytes:
        try:
            content = decompressed(payload)
            found, told = recognise(content, url), _HEAD.decode(content.removeprefix(b"\xef\xbb\xbf"))
        except (UnreadableContentError, UnrecognisedContentError, msgspec.DecodeError) as error:
            raise UnreadableAnswerError(
                f"{host_of(url)} sent a body for {what} that is no good: {error}", payload
            ) from None
        if found.kind != document_kind(document, language) or told.version != version:
            raise UnreadableAnswerError(
                f"{host_of(url)} sent {found.kind} of version {told.version} where {what} was asked for.", payload
            )
        return payload

    payload = fetcher.fetch(url, what, judge=_judge(url, what), check=check, follow_redirects=True)
    return ingest_payload(payload, f"{version}_{language}_{_FILES[document]}", landing)


def _judge(url: str, what: str) -> Callable[[int, Mapping[str, str]], None]:
    def judge(status: int, headers: Mapping[str, str]) -> None:
        if status == 200:
            return
        found = f"{host_of(url)} answered {status} for {what}"
        if status in (403, 404, 410):
            raise NotFoundError(f"{found}: there is none.")
        if status in (408, 429) or status >= 500:
            raise UnavailableError(
                f"{found}: the server is in trouble.", retry_after=retry_after_s(headers, time.time())
            )
        raise UnexpectedAnswerError(f"{found}: expected 200.")

    return judge
