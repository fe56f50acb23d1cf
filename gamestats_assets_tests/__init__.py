"""Tests that mirror the package of the same name."""

import os

# Several workers share the cores: threads of each would only be in the way. Libraries read this when they are loaded.
for _threads in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"):
    os.environ.setdefault(_threads, "1")
