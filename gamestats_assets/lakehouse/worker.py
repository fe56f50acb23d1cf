"""What a process that works for another does before its first task.

This module imports nothing but the standard library: Polars reads its environment when it is
imported, so what `start` sets must be set before.
"""

from __future__ import annotations

import multiprocessing
import os
import threading


def start() -> None:
    """Prepare a worker: one thread for Polars, and an end when its parent has gone, however it went."""
    # The processes are the parallelism already.
    os.environ["POLARS_MAX_THREADS"] = "1"
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        # An idle worker would wait for ever: it holds the writing end of its own queue open too.
        threading.Thread(target=watch, name="die-with-parent", daemon=True).start()
