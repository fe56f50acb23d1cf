"""`python -m gamestats_assets.cli` is `gamestats`."""

from __future__ import annotations

import atexit
import os
import sys

from gamestats_assets.cli import app

_STATUS = [1]


def main() -> None:
    """Run a command, and leave its memory to the system: to free it piece by piece takes a sixth of a short one."""
    # What is registered first is done last.
    atexit.register(_leave)
    try:
        app()
    except SystemExit as ended:
        _STATUS[:] = [ended.code if isinstance(ended.code, int) else int(ended.code is not None)]
        raise


def _leave() -> None:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(_STATUS[0])


if __name__ == "__main__":
    main()
