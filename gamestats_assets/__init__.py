"""gamestats: a lakehouse for game analytics, built from partitioned Dagster assets."""

import gc
import os

# Nearly all that loading and a step make is no garbage. Python looks for it after every 700 objects left to itself,
# which is a tenth of the time until a command begins.
gc.set_threshold(50_000, 20, 20)

# Freed memory is kept for a minute, before it goes back to the system: tables are made piece by piece, and fetching the
# same memory anew for each costs a seventh of the time from files to silver tables. The allocators of Polars and
# deltalake read this when they are loaded.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:60000")
