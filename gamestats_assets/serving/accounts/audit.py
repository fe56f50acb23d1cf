"""The audit log of what admins did; rows are only added."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import Jsonb

from gamestats_assets.lakehouse.entries import ops
from gamestats_assets.lakehouse.entries.ops import Row

if TYPE_CHECKING:
    from gamestats_assets.serving.middleware.principal import Person


def audit(
    conn: psycopg.Connection,
    person: Person | str,
    act: str,
    what: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Logs an act in its own transaction: both happen, or neither.

    Args:
        person: who acts; on the command line, the login of the operating system.
        act: the right that was used, such as `override.change`.
        what: the changed thing, in words or by its key; users by number, never by name: `user 12`.
        before: its former values: JSON types, dates and times.
        after: its new values.
    """
    user_id, login = (None, person) if isinstance(person, str) else (person.user_id, None)
    conn.execute(
        "INSERT INTO accounts.audit_log (user_id, login, act, what, before, after) VALUES (%s, %s, %s, %s, %s, %s)",
        [user_id, login, act, what, *(None if side is None else Jsonb(_plain(side)) for side in (before, after))],
    )


def audited(
    conn: psycopg.Connection, *, before_id: int | None = None, most: int = 100, about: str | None = None
) -> list[Row]:
    """Returns the newest acts: `audit_id`, `at`, `who`, `act`, `what`, `before`, `after`.

    Args:
        before_id: only acts before this `audit_id`, for paging.
        about: only acts with this text in the act or thing, ignoring case.
    """
    return ops.rows(
        conn,
        """
        SELECT audit_id, at, coalesce(u.name, login, 'removed user ' || a.user_id) AS who, act, what, before, after
        FROM accounts.audit_log a LEFT JOIN accounts.users u USING (user_id)
        WHERE (%(before)s::bigint IS NULL OR audit_id < %(before)s)
            AND (%(about)s::text IS NULL OR strpos(lower(act || ' ' || what), lower(%(about)s)) > 0)
        ORDER BY audit_id DESC LIMIT %(most)s
        """,
        {"before": before_id, "about": about, "most": most},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
