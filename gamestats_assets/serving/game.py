"""What a game serves: its routes, its pages, its templates and texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg
from fastapi import APIRouter

from gamestats_assets.lakehouse.table import Table


@dataclass(frozen=True, slots=True)
class PlayerAccounts:
    """The accounts by which people play a game.

    Attributes:
        platforms: those that people sign in by, too, as `SignInProvider.platform` has them.
        player_id: the id of an account as people write it, `steam:76561190000000001`; refuses one that is none
            (`EntryError`).
        written: an id as people write it; the opposite.
        linked: does what follows of an account being a user's, given by number; in the same transaction.
        unlinked: does what follows of its being nobody's any more.
    """

    platforms: Sequence[str]
    player_id: Callable[[str], str]
    written: Callable[[str], str]
    linked: Callable[[psycopg.Connection, int, str], None]
    unlinked: Callable[[psycopg.Connection, str], None]


@dataclass(frozen=True, slots=True)
class Game:
    """A game, as the application knows it.

    Attributes:
        name: of its schema in PostgreSQL.
        title: as people know it.
        folder: with its `templates` and `texts`; a text `<name>.about` says what there is, and `<name>.begin` by which
            command more comes. `examples.json` has an answer of each of its API's routes, by the path; `acts.json` what
            is asked and answered at those of admins, by method and path.
        api: routes below `/api/v1`.
        pages: routes of pages.
        start: where its pages begin; None while it has none.
        admin: pages for its admins, by address and title.
        words: by which templates say things of the game, as filters.
        uploads: addresses at which large files are sent.
        synthetic: a published table, and the condition that its rows meet where they stand on simulated data; None
            where nothing published tells.
        forms_for_anybody: paths to which anybody may write without being signed in, some times an hour.
        matches: a published table whose partitions are players, with a row for each match of a player, and the
            condition that rows of simulated matches meet; None where nothing is published of single players.
        accounts: by which people play it; None where nothing is anybody's own.
    """

    name: str
    title: str
    folder: Path
    api: Sequence[APIRouter] = ()
    pages: Sequence[APIRouter] = ()
    start: str | None = None
    admin: Sequence[tuple[str, str]] = ()
    words: Mapping[str, Callable[..., str]] = field(default_factory=dict)
    uploads: Sequence[str] = ()
    synthetic: tuple[str, LiteralString] | None = None
    forms_for_anybody: Sequence[str] = ()
    matches: tuple[type[Table], LiteralString] | None = None
    accounts: PlayerAccounts | None = None

    def account(self, player_id: str) -> str:
        """The account of a player, as people write it."""
        return player_id if self.accounts is None else self.accounts.written(player_id)
