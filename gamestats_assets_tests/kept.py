"""What a program looks up a few times, and tests thousands of times, is looked up once."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Sequence
from typing import Any

import dagster as dg
from typer import testing
from typer.main import get_command


def keep_certificates() -> None:
    """Load the certificates that a client of HTTP trusts once, not for each client; the servers of tests have none."""
    setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))  # noqa: B010


def keep_commands() -> None:
    """Build the commands of the program once: there are a hundred, which takes longer than most of them do."""
    setattr(testing, "_get_command", functools.cache(get_command))  # noqa: B010


def keep_partition_keys() -> None:
    """List the days of a definition once for each last day.

    Dagster lists a decade of them, one by one, for each input of a step that reads all days.
    """
    listed = dg.TimeWindowPartitionsDefinition.get_partition_keys
    known: dict[tuple[dg.TimeWindowPartitionsDefinition, str | None], Sequence[str]] = {}

    def get_partition_keys(self: dg.TimeWindowPartitionsDefinition, *given: Any, **named: Any) -> Sequence[str]:
        if any(given) or any(named.values()):
            return listed(self, *given, **named)
        key = (self, self.get_last_partition_key())
        if key not in known:
            known[key] = listed(self)
        return [*known[key]]

    setattr(dg.TimeWindowPartitionsDefinition, "get_partition_keys", get_partition_keys)  # noqa: B010
