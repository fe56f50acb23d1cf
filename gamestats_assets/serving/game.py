"""The declaration of what a game serves: routes, pages, templates and texts."""

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
    """The player accounts of a game.

    Attributes:
        platforms: platforms that are also sign-in providers, see `SignInProvider.platform`.
        player_id: returns the id of an account as people write it, such as `steam:76561190000000001`; raises
            `EntryError` if it is invalid.
        written: returns an id as people write it; the inverse.
        linked: called in the transaction that links an account to a user, given by number.
        unlinked: called in the transaction that unlinks it.
    """

    platforms: Sequence[str]
    player_id: Callable[[str], str]
    written: Callable[[str], str]
    linked: Callable[[psycopg.Connection, int, str], None]
    unlinked: Callable[[psycopg.Connection, str], None]


@dataclass(frozen=True, slots=True)
class Game:
    """A game in the application.

    Attributes:
        name: name of its schema in PostgreSQL.
        title: its name for people.
        folder: folder with its `templates` and `texts`; the text `<name>.about` describes its tables, `<name>.begin`
            names the command that brings more. `examples.json` has an example answer of each route of its API, by path;
            `acts.json` example requests and answers of admin routes, by method and path.
        api: routes below `/api/v1`.
        pages: routes of pages.
        start: address of its first page; None if it has none.
        admin: pages for its admins, by address and title.
        words: filters for its templates.
        uploads: addresses for large files.
        synthetic: a published table, and the condition that marks its rows as simulated; None if no table says so.
        forms_for_anybody: paths to which visitors may write without signing in, a few times an hour.
        matches: a published table with players as partitions and a row for each of their matches, and the condition
            that marks rows of simulated matches; None if no single players are published.
        accounts: its player accounts; None if it has no personal pages.
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
        """Returns the account of a player as people write it."""
        return player_id if self.accounts is None else self.accounts.written(player_id)
