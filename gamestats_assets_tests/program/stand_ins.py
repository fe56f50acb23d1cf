"""`gamestats up` with services that load nothing: `python -m gamestats_assets_tests.program.stand_ins up`.

What each does is a line of the shell, in the environment: STAND_IN_DAEMON for the daemon. Others sleep.
"""

from __future__ import annotations

import os
from typing import Any

from gamestats_assets.cli import app
from gamestats_assets.cli.services import up

_start = up.Services._start


def _stand_in(services: up.Services, name: str, command: Any, environment: dict[str, str], **options: Any) -> None:
    line = os.environ.get(f"STAND_IN_{name.upper()}", "sleep 600 & sleep 600")
    _start(services, name, ["sh", "-c", line], environment, **options)


if __name__ == "__main__":
    replaced: dict[str, Any] = {
        "_output_of": lambda *_: "http://127.0.0.1",
        "answers": lambda *_: True,
        "_REVIVED_AFTER_S": 0.0,
    }
    for name, instead in replaced.items():
        setattr(up, name, instead)
    setattr(up.Services, "_start", _stand_in)  # noqa: B010
    setattr(up.Services, "_wait_for", lambda *_: None)  # noqa: B010
    app()
