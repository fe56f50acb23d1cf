"""Work that only one process does at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from pydantic import SecretStr

from gamestats_assets.lakehouse.stores import Stores
from gamestats_assets.settings import Settings

_HOLDER = """
import sys, time
from gamestats_assets.lakehouse.stores import Stores
with Stores().alone("goals", print):
    print("begun", flush=True)
    time.sleep(600)
"""


def test_a_name_is_waited_for_until_who_has_it_is_gone_and_another_is_free(tmp_path: Path, fresh_database: str) -> None:
    stores = Stores(Settings(data=str(tmp_path), postgres_url=SecretStr(fresh_database)))
    environment = {"GAMESTATS_POSTGRES_URL": fresh_database, "GAMESTATS_DATA": str(tmp_path)}
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER], env=environment, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "begun\n"
    messages: list[str] = []
    got = threading.Event()

    def wait() -> None:
        with stores.alone("goals", messages.append):
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 30
    while not messages and time.monotonic() < deadline:
        time.sleep(0.01)
    with stores.alone("points", messages.append):
        assert not got.wait(0.3)
    assert messages == ["Another run works on goals; this one waits for it."]
    holder.kill()
    holder.wait()
    waiting.join(30)
    assert got.is_set()
