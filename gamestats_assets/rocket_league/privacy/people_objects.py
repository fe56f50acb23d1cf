"""Names of people's objects: uploaded replays that have not been read yet, and archives of personal data."""

from __future__ import annotations

from uuid import UUID

UPLOADS, EXPORTS = "uploads", "exports"
"""Prefixes of the names."""


def upload_object(upload_id: UUID | str) -> str:
    """Returns the name of an uploaded replay's object, which exists until the replay lands."""
    return f"{UPLOADS}/{upload_id}"


def archive_object(user_id: int, job_id: UUID | str) -> str:
    """Returns the name of the archive that a job made for a user."""
    return f"{EXPORTS}/{user_id}/{job_id}.zip"
