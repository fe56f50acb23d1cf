"""What a program looks up a few times, and tests thousands of times, is looked up once."""

from __future__ import annotations

import functools
import ssl

from typer import testing
from typer.main import get_command


def keep_certificates() -> None:
    """Load the certificates that a client of HTTP trusts once, not for each client; the servers of tests have none."""
    setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))  # noqa: B010


def keep_commands() -> None:
    """Build the commands of the program once: there are a hundred, which takes longer than most of them do."""
    setattr(testing, "_get_command", functools.cache(get_command))  # noqa: B010
