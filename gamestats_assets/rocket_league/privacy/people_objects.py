"""Names of the objects that are held for people: replays that wait to be read, and archives of all that is held."""

from __future__ import annotations

from uuid import UUID

UPLOADS, EXPORTS = "uploads", "exports"
"""What the names begin with."""


def upload_object(upload_id: UUID | str) -> str:
    """Of a replay that was sent, until it is landed."""
    return f"{UPLOADS}/{upload_id}"


def archive_object(user_id: int, job_id: UUID | str) -> str:
    """Of the archive that a job made for a user."""
    return f"{EXPORTS}/{user_id}/{job_id}.zip"
