"""Exports all data about a user as one archive, which is kept for some days."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import LiteralString

import polars as pl
import psycopg
from psycopg.rows import dict_row

from gamestats_assets.lakehouse.entries.declared import UnknownNameError
from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.lakehouse.entries.jobs import JobContext, Task
from gamestats_assets.lakehouse.entries.ops import Row, rows
from gamestats_assets.lakehouse.files.local import without_formulas
from gamestats_assets.lakehouse.files.objects import MissingObjectError
from gamestats_assets.lakehouse.postgres.server import connect
from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.rocket_league.privacy.consents import consent_texts
from gamestats_assets.rocket_league.privacy.export import json_text, write_player
from gamestats_assets.rocket_league.privacy.people_objects import EXPORTS, archive_object, upload_object
from gamestats_assets.rocket_league.source import GAME, REPLAY
from gamestats_assets.serving.accounts.users import identities_of
from gamestats_assets.serving.accounts.views import VIEW_DAYS

EXPORT = "export"
"""Kind of the jobs, and folder of the objects."""

_README = """\
What gamestats holds on {name}
{line}

account/          your account here, one table per file, as JSON and as CSV: the account, your sign-in identities and
                  sessions, your roles, your players, people who see your pages and whose pages you see, visits,
                  replays that you share, uploads and requests, and entries of the audit log about you
consent_texts.json   all versions of the texts that you were asked to agree to
players/          the data about each of your players; each folder explains its contents
replays/          the replays that you uploaded, as you sent them{missing}
"""
_MISSING = """.
                  {count} of them are missing: they could not be read, or a player in them was forgotten since"""
_ACCOUNT: Mapping[str, LiteralString] = {
    "user": "SELECT user_id, name, created_at FROM accounts.users WHERE user_id = %(user_id)s",
    "sessions": "SELECT session_id, parent_id, device, created_at, last_seen_at, expires_at FROM accounts.sessions "
    "WHERE user_id = %(user_id)s ORDER BY 1",
    "roles": "SELECT role, season_id, division_id, given_at FROM accounts.roles WHERE user_id = %(user_id)s",
    "players": "SELECT game, player_id, state, told_by, created_at, decided_at FROM accounts.players "
    "WHERE user_id = %(user_id)s ORDER BY created_at",
    "invitations": "SELECT i.game, u.name AS guest, i.created_at, i.accepted_at, i.expires_at "
    "FROM accounts.invitations i LEFT JOIN accounts.users u ON u.user_id = i.guest_id "
    "WHERE i.user_id = %(user_id)s ORDER BY i.created_at",
    "guest_of": "SELECT i.game, u.name AS by, i.accepted_at FROM accounts.invitations i "
    "JOIN accounts.users u USING (user_id) WHERE i.guest_id = %(user_id)s ORDER BY i.accepted_at",
    "shares": "SELECT game, match_id, token, created_at FROM accounts.shares WHERE user_id = %(user_id)s "
    "ORDER BY created_at",
    "views": "SELECT v.day, u.name AS guest, v.game, v.match_id FROM accounts.views v "
    "LEFT JOIN accounts.users u ON u.user_id = v.guest_id WHERE v.user_id = %(user_id)s ORDER BY v.day",
    "uploads": "SELECT upload_id, file_name, bytes, content_hash, match_id, created_at FROM ops.rl_uploads "
    "WHERE user_id = %(user_id)s ORDER BY created_at",
    "jobs": "SELECT job_id, kind, game, state, said, payload, result, error, created_at, finished_at FROM ops.jobs "
    "WHERE user_id = %(user_id)s ORDER BY job_number",
    "audit_log": "SELECT at, act, what, before, after, user_id IS NOT DISTINCT FROM %(user_id)s AS by_you "
    "FROM accounts.audit_log WHERE user_id = %(user_id)s OR what = 'user ' || %(user_id)s::text ORDER BY audit_id",
}
"""Tables of the archive's folder `account`, except the sign-in identities."""


def export_users(context: JobContext, tasks: Sequence[Task]) -> None:
    """Make the requested archives."""
    stores = context.stores
    for task in tasks:
        user_id = task.job.user_id
        if user_id is None:
            continue
        name = archive_object(user_id, task.job.job_id)
        with tempfile.TemporaryDirectory(prefix="gamestats-export-") as folder:
            archive = Path(folder, "export.zip")
            counts = export_user(stores, user_id, archive, tell=task)
            stores.objects.put_file(name, archive)
            size = archive.stat().st_size
        task.done({"bytes": size, **counts}, "Your archive is ready.")
    forget_old_exports(stores)


def export_user(stores: Stores, user_id: int, to: Path, tell: Task | None = None) -> dict[str, int]:
    """Write all data about a user to a zip archive; returns the number of items by kind."""
    keys = Keys.of(stores.settings)
    with connect(stores.postgres_url) as conn:
        account, columns = _account(conn, keys, user_id)
    counts = Counter[str](players=0, replays=0)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, of_table in account.items():
            archive.writestr(f"account/{name}.json", json_text(of_table))
            archive.writestr(f"account/{name}.csv", _csv(of_table, columns[name]))
        texts = {
            f"version {version}": {purpose: [text.title, text.text] for purpose, text in each.items()}
            for version, each in consent_texts().items()
        }
        archive.writestr("consent_texts.json", json_text(texts))
        for player in account["players"]:
            if player["game"] == GAME and player["state"] == "linked":
                if tell is not None:
                    tell.say(f"Collecting the data about {player['player_id']}")
                with suppress(UnknownNameError):
                    write_player(stores, player["player_id"], archive, f"players/{player['player_id']}/")
                    counts["players"] += 1
        missing = 0
        for upload in account["uploads"]:
            content = _sent(stores, upload)
            if content is None:
                missing += 1
                continue
            name = "".join(each if each.isalnum() or each in " ._-" else "_" for each in upload["file_name"])[-100:]
            archive.writestr(f"replays/{upload['upload_id']}/{name or 'replay'}", content, zipfile.ZIP_STORED)
            counts["replays"] += 1
        called = account["user"][0]["name"]
        line, gaps = "=" * (24 + len(called)), _MISSING.format(count=missing) if missing else ""
        archive.writestr("README.txt", _README.format(name=called, line=line, missing=gaps))
    return dict(counts)


def _account(
    conn: psycopg.Connection, keys: Keys, user_id: int
) -> tuple[dict[str, list[Row]], dict[str, Sequence[str]]]:
    """Returns the rows of each table, and its columns."""
    tables = {"identities": identities_of(conn, keys, user_id)}
    columns: dict[str, Sequence[str]] = {"identities": ("identity_id", "issuer", "created_at", "subject")}
    for name, query in _ACCOUNT.items():
        with conn.cursor(row_factory=dict_row) as cursor:
            tables[name] = cursor.execute(query, {"user_id": user_id}).fetchall()
            columns[name] = [each.name for each in cursor.description or ()]
    return tables, columns


def _sent(stores: Stores, upload: Row) -> bytes | None:
    """Returns a replay as it was sent; None if it is no longer stored."""
    with suppress(MissingObjectError):
        return stores.objects.get(upload_object(upload["upload_id"]))
    day = stores.landing.day_of(GAME, upload["match_id"]) if upload["match_id"] else None
    for file in stores.landing.files(GAME, day) if day else ():
        if file.unit_id == upload["match_id"] and file.kind == REPLAY:
            content = stores.landing.read(file)
            if hashlib.sha256(content).hexdigest() == upload["content_hash"]:
                return content
    return None


def _csv(of_table: Sequence[Row], columns: Sequence[str]) -> str:
    """Returns rows as CSV for people; the JSON has the values as they are."""
    shown = [{name: None if value is None else str(value) for name, value in row.items()} for row in of_table]
    return without_formulas(pl.DataFrame(shown, schema=dict.fromkeys(columns, pl.String))).write_csv()


def forget_old_exports(stores: Stores) -> int:
    """Delete archives past their time, or of users who left; returns how many."""
    with connect(stores.postgres_url) as conn:
        kept = rows(
            conn,
            "SELECT user_id, job_id FROM ops.jobs WHERE kind = %s AND game = %s AND user_id IS NOT NULL "
            "AND (finished_at IS NULL OR finished_at > now() - make_interval(days => %s))",
            [EXPORT, GAME, stores.settings.export_days],
        )
    return len(stores.objects.keep_only(EXPORTS, [archive_object(row["user_id"], row["job_id"]) for row in kept]))


def forget_old_notes(stores: Stores) -> None:
    """Delete reply addresses of objections decided long ago, and old views of pages."""
    with connect(stores.postgres_url) as conn:
        conn.execute(
            "UPDATE ops.rl_objections SET contact_encrypted = NULL "
            "WHERE decided_at < now() - interval '30 days' AND contact_encrypted IS NOT NULL"
        )
        conn.execute("DELETE FROM accounts.views WHERE day <= current_date - %s", [VIEW_DAYS])
