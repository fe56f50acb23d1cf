"""People who leave: the requests of pages, and the work that they hand to jobs.

A request takes effect at once: name, sign-in identities, sessions, links to players, shares, uploads and jobs are
deleted with it. A job does the rest. Only an encrypted text in the job identifies the person, because the search for
remaining traces must not find the job itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import psycopg

from gamestats_assets.lakehouse.entries.encryption import Keys
from gamestats_assets.lakehouse.entries.jobs import enqueue
from gamestats_assets.lakehouse.entries.ops import rows
from gamestats_assets.rocket_league.privacy.people_objects import archive_object, upload_object
from gamestats_assets.rocket_league.source import GAME
from gamestats_assets.serving.accounts import users
from gamestats_assets.serving.accounts.audit import audit
from gamestats_assets.serving.middleware.principal import Person

ERASURE, OBJECTION = "erasure", "objection"
"""Kinds of jobs."""
SEALED = "sealed"
"""Key in a job's payload of the people to be forgotten; it stays until no traces of them are found."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A person who leaves.

    Attributes:
        players: accounts of the game to be forgotten.
        objects: names of the person's objects in the object store.
        called: names of the players, collected by the first attempt: it deletes them everywhere else.
    """

    players: tuple[str, ...]
    objects: tuple[str, ...] = ()
    called: tuple[str, ...] = ()

    def sealed(self, keys: Keys) -> dict[str, Any]:
        """Returns the encrypted form for a job's payload."""
        return {SEALED: keys.encrypt(json.dumps(asdict(self)))}

    @classmethod
    def opened(cls, payload: Mapping[str, Any], keys: Keys) -> Leaving:
        """Returns the person that `sealed` encrypted."""
        fields = json.loads(keys.decrypt(payload[SEALED]))
        return cls(**{name: tuple(values) for name, values in fields.items()})


def leave(conn: psycopg.Connection, keys: Keys, person: Person) -> UUID:
    """Remove a user at their own request, and enqueue the removal of all their data; returns the id of the job.

    Raises:
        LastAdminError: when no user would be left who can give roles; nothing was done.
    """
    user_id = person.user_id
    uploads = rows(conn, "SELECT upload_id FROM ops.rl_uploads WHERE user_id = %s", [user_id])
    exports = rows(conn, "SELECT job_id FROM ops.jobs WHERE user_id = %s AND kind = 'export'", [user_id])
    leaving = Leaving(
        person.players.get(GAME, ()),
        (
            *(upload_object(row["upload_id"]) for row in uploads),
            *(archive_object(user_id, row["job_id"]) for row in exports),
        ),
    )
    users.remove_user(conn, person, users.find_user(conn, person.name))
    # Uploads go with their jobs.
    conn.execute("DELETE FROM ops.jobs WHERE user_id = %s", [user_id])
    return enqueue(conn, ERASURE, GAME, user_id, leaving.sealed(keys))


def grant_objection(conn: psycopg.Connection, keys: Keys, person: Person, objection_id: int, note: str | None) -> UUID:
    """Grant an objection: enqueue forgetting the player, and delete the player's id at once; returns the id of the job.

    Args:
        person: the deciding admin.
        note: remark on the decision that is kept; it must not identify the player.

    Raises:
        LookupError: when no such objection is open.
    """
    [row] = _open(conn, objection_id)
    conn.execute(
        "UPDATE ops.rl_objections SET state = 'granted', player_id = NULL, reason = NULL, note = %s, "
        "decided_at = now(), decided_by = %s WHERE objection_id = %s",
        [note, person.name, objection_id],
    )
    audit(conn, person, "objection.grant", f"objection {objection_id}")
    payload = {"objection_id": objection_id, **Leaving((row["player_id"],)).sealed(keys)}
    return enqueue(conn, OBJECTION, GAME, None, payload)


def refuse_objection(conn: psycopg.Connection, person: Person, objection_id: int, note: str | None) -> None:
    """Refuse an objection; see `grant_objection`."""
    _open(conn, objection_id)
    conn.execute(
        "UPDATE ops.rl_objections SET state = 'refused', note = %s, decided_at = now(), decided_by = %s "
        "WHERE objection_id = %s",
        [note, person.name, objection_id],
    )
    audit(conn, person, "objection.refuse", f"objection {objection_id}")


def _open(conn: psycopg.Connection, objection_id: int) -> list[dict[str, Any]]:
    query = "SELECT player_id FROM ops.rl_objections WHERE objection_id = %s AND state = 'open' FOR UPDATE"
    objections = rows(conn, query, [objection_id])
    if not objections:
        raise LookupError(objection_id)
    return objections
