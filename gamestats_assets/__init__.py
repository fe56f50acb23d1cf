"""gamestats: a lakehouse for game analytics, built from partitioned Dagster assets."""

import gc
import os

# Nearly all objects created by loading and by a step stay in use. By default Python searches for garbage after every
# 700 objects, which takes a tenth of the time until a command begins.
gc.set_threshold(50_000, 20, 20)

# Freed memory is kept for a minute before it returns to the system: tables are built in pieces, and allocating memory
# again for each costs a seventh of the time from files to silver tables. The allocators of Polars and deltalake read
# this when they are loaded.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:60000")
