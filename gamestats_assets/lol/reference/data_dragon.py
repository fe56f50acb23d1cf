"""Data Dragon, Riot's lists of items and champions by version and language: reads landed ones and fetches missing ones.

A version is a patch with a revision number: 13.14.1 belongs to patch 13.14. Some patches are missing in some languages;
the nearest available one replaces them.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import polars as pl

from gamestats_assets.apis.http import (
    ApiError,
    Fetcher,
    UnreadableAnswerError,
    bad_answer,
    host_of,
    read_body,
    retry_after_s,
)
from gamestats_assets.lakehouse.files.documents import Int32, without_nul
from gamestats_assets.lakehouse.landing.arrivals import FileOutcome
from gamestats_assets.lakehouse.landing.decoding import Rejections
from gamestats_assets.lakehouse.landing.zone import LandedFile, Landing, UnreadableContentError
from gamestats_assets.lakehouse.quality import Rejection
from gamestats_assets.lakehouse.table import Table
from gamestats_assets.lol.reference.tables import DataDragonChampions, DataDragonItems
from gamestats_assets.lol.reference.versions import standing_versions
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
"""Languages to fetch."""

_PATCH = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_LANGUAGE = re.compile(r"[a-z]{2}_[A-Z]{2}")
_FILES: Mapping[Document, str] = {"items": "item.json", "champions": "championFull.json"}
_TABLES: Mapping[Document, type[Table]] = {"items": DataDragonItems, "champions": DataDragonChampions}


# ---------------------------------------------------------------- versions


class VersionChoice(NamedTuple):
    """The version used for a patch, and whether it is `exact`, `earlier` or `later`; see `standing_versions`."""

    version: str
    version_is: str


def patch_of(version: str) -> str:
    """Returns the patch of a version of Data Dragon or of the game: its first two numbers.

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
    """Returns a sort key of versions and patches: 13.9 comes before 13.10.

    >>> version_number("13.9.1") < version_number("13.10.1")
    True
    """
    return tuple(int(part) for part in version.split("."))


def versions_for(patches: Iterable[str], versions: Iterable[str]) -> dict[str, VersionChoice]:
    """Returns the versions to use for patches; empty without versions.

    >>> versions_for(["13.14"], ["13.9.1", "13.10.1", "13.15.1"])
    {'13.14': VersionChoice(version='13.10.1', version_is='earlier')}
    """
    asked, listed = (
        pl.LazyFrame({name: [*values]}, schema={name: pl.String})
        for name, values in (("patch", patches), ("version", versions))
    )
    standing = standing_versions(asked, listed).drop_nulls("data_dragon_version").collect()
    return {patch: VersionChoice(version, version_is) for patch, version, version_is in standing.iter_rows()}


# ---------------------------------------------------------------- documents


@dataclass(frozen=True, slots=True)
class Documents:
    """Contents of the landed documents.

    Attributes:
        items: rows of `DataDragonItems`, ordered by version, language and item.
        champions: rows of `DataDragonChampions`, ordered likewise.
        rejections: unreadable entries and documents, by their intended table.
    """

    items: pl.DataFrame
    champions: pl.DataFrame
    rejections: Rejections


class _Head(msgspec.Struct):
    """The header of a document."""

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


class _MatchInfo(msgspec.Struct, rename="camel"):
    game_version: str


class _Match(msgspec.Struct):
    info: _MatchInfo


_MARK = b"\xef\xbb\xbf"
"""Byte order mark."""
_UNREADABLE = (UnreadableContentError, msgspec.DecodeError, RecursionError)
_GAME_VERSION = msgspec.json.Decoder(_Match)
_HEAD = msgspec.json.Decoder(_Head)
_CONTENT = msgspec.json.Decoder(_Content)
# Some documents write ids as text, others as numbers.
_ITEM = msgspec.json.Decoder(_Item, strict=False)
_CHAMPION = msgspec.json.Decoder(_Champion, strict=False)


def _item(key: str, entry: msgspec.Raw) -> dict[str, Any]:
    item = _ITEM.decode(entry)
    return {
        **{name: value for name, value in msgspec.structs.asdict(item).items() if name not in ("gold", "maps")},
        "item_id": _positive(key),
        "gold_total": item.gold.total,
        "gold_base": item.gold.base,
        "gold_sell": item.gold.sell,
        "purchasable": item.gold.purchasable,
        "special_recipe": item.special_recipe or None,
        "required_champion": item.required_champion or None,
        "required_ally": item.required_ally or None,
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


class _Read(NamedTuple):
    """Rows of one landed document."""

    rows: list[dict[str, Any]]
    rejections: list[Rejection]
    preference: tuple[bool, int, str]


def _read(landing: Landing, file: LandedFile, document: Document, language: str) -> _Read:
    def rejected(reason: object, entry: bytes | None = None) -> Rejection:
        content = None if entry is None else entry.decode("utf-8", "replace")
        scope = "file" if entry is None else "row"
        return Rejection(
            file.content_hash, scope, "readable_entry", f"{file.path}: {reason}", int(entry is not None), content
        )

    try:
        content = _CONTENT.decode(without_nul(_plain(landing, file)))
    except _UNREADABLE as error:
        return _Read([], [rejected(error)], (True, 0, file.content_hash))
    shared = {"version": content.version, "patch": patch_of(content.version), "language": language}
    rows: dict[int, dict[str, Any]] = {}
    rejections: list[Rejection] = []
    id_column = _TABLES[document].primary_key()[-1]
    for key, entry in content.data.items():
        try:
            row = {**shared, **_ENTRY[document](key, entry)}
        except (ValueError, RecursionError) as error:
            rejections.append(rejected(f"{document[:-1]} {key[:80]!r}: {error}", bytes(entry)))
        else:
            rows.setdefault(row[id_column], row)
    has_no_ranks = all(row.get("max_ranks") is None for row in rows.values())
    return _Read([*rows.values()], rejections, (has_no_ranks, -len(rows), file.content_hash))


def _plain(landing: Landing, file: LandedFile) -> bytes:
    return landing.content(file).removeprefix(_MARK)


def landed_documents(landing: Landing) -> list[LandedFile]:
    """Returns every landed document of Data Dragon."""
    return [file for kind in landing.undated_kinds(GAME) if document_of(kind) for file in landing.files(GAME, kind)]


def read_documents(landing: Landing) -> Documents:
    """Returns the rows of every landed document of Data Dragon.

    Among several documents of a version and language, one with maximum ranks comes first, then the one with most
    entries; the others add entries that it lacks. Unreadable entries become rejections and do not affect the rest.
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
    """Returns the versions of a landed document in a language; for champions only documents with maximum ranks
    count."""
    found: set[str] = set()
    for file in landing.files(GAME, document_kind(document, language)):
        with contextlib.suppress(*_UNREADABLE):
            head = _HEAD.decode(_plain(landing, file))
            if document == "items" or head.format == "full":
                found.add(head.version)
    return found


def patches_of(landing: Landing, match_ids: Iterable[str]) -> list[str]:
    """Returns the patches that matches were played on, in order, from their landed match objects."""
    found: set[str] = set()
    for files in landing.held(GAME, match_ids).values():
        for file in files.get("match", [])[:1]:
            # Unreadable match objects are reported by the table of matches.
            with contextlib.suppress(*_UNREADABLE):
                found.add(patch_of(_GAME_VERSION.decode(_plain(landing, file)).info.game_version))
    return sorted(filter(is_patch, found), key=version_number)


# ---------------------------------------------------------------- fetching


@dataclass(slots=True)
class DocumentsFetched:
    """Result of fetching documents.

    Attributes:
        outcomes: documents that landed now (`taken`).
        known: documents that had landed before and were not requested.
        stands_for: version used for each patch.
        failures: one message per document, or list of versions, that could not be fetched.
    """

    outcomes: list[FileOutcome] = field(default_factory=list)
    known: int = 0
    stands_for: dict[str, VersionChoice] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def fetched(self) -> int:
        """Number of documents that landed now."""
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
    """Fetches missing items and champions for patches in every language and lands them.

    Needs no key. Makes no request if nothing is missing. Missing or failed documents are reported and do not stop the
    others.

    Args:
        landing: landing zone for all documents.
        patches: such as 13.14; the nearest version replaces one that Data Dragon does not list.
        languages: such as en_US.
        base_url: address of Data Dragon.
        sleep: waits for a number of seconds.
        timeout: seconds for connecting, and between two pieces of a body.
        attempts: number of attempts per document.
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
        report.stands_for = versions_for(lacking, versions)
        for version in sorted({choice.version for choice in report.stands_for.values()}, key=version_number):
            for document, language in wanted:
                # Any revision of the same patch is sufficient.
                if patch_of(version) in map(patch_of, held[document, language]):
                    report.known += 1
                    continue
                try:
                    report.outcomes.append(_document(fetcher, landing, base_url, version, document, language))
                except ApiError as error:
                    report.failures.append(str(error))
    return report


def _versions(fetcher: Fetcher, base_url: str) -> list[str]:
    def check(payload: bytes) -> list[str]:
        listed = read_body(payload, what, msgspec.json.Decoder(list[str]).decode)
        # The oldest versions are named lolpatch_3.7 and the like.
        return [version for version in listed if is_version(version)]

    url, what = f"{base_url}/api/versions.json", "the list of versions"
    return fetcher.fetch(url, what, judge=_judge(url, what), check=check, follow_redirects=True)


def _document(
    fetcher: Fetcher, landing: Landing, base_url: str, version: str, document: Document, language: str
) -> FileOutcome:
    url = f"{base_url}/cdn/{version}/data/{language}/{_FILES[document]}"
    what = f"the {document} of version {version} in {language}"

    def check(payload: bytes) -> bytes:
        kind, head = read_body(
            payload, what, lambda content: (recognise(content, url).kind, _HEAD.decode(content.removeprefix(_MARK)))
        )
        if kind != document_kind(document, language) or head.version != version:
            raise UnreadableAnswerError(f"Received {kind} of version {head.version} instead of {what}.", payload)
        return payload

    payload = fetcher.fetch(url, what, judge=_judge(url, what), check=check, follow_redirects=True)
    return ingest_payload(payload, f"{version}_{language}_{_FILES[document]}", landing)


def _judge(url: str, what: str) -> Callable[[int, Mapping[str, str]], None]:
    def judge(status: int, headers: Mapping[str, str]) -> None:
        if status == 200:
            return
        # Data Dragon answers 403 for missing documents, and reports rate limits like server errors.
        same = {403: 404, 429: 503}.get(status, status)
        wait = retry_after_s(headers, time.time())
        raise bad_answer(f"{host_of(url)} answered {status} for {what}", same, wait)

    return judge
