"""Tests that mirror the package of the same name."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

_MEMORY, _ENOUGH_BYTES = Path("/dev/shm"), 4 * 1024**3

# Several workers share the cores: threads of each would only be in the way. Libraries read this when they are loaded.
# A benchmark has the cores to itself.
if "pytest" in sys.modules:
    for _threads in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(_threads, "1")
    # Compiled modules are kept, whatever the environment says: compiling them again takes half a minute of every run.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Hundreds of databases and thousands of small files are made and removed again: in memory, where there is enough.
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)
