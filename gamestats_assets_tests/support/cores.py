"""How many threads a test's process computes with; to be imported before NumPy, which looks once."""

import os

# Workers share the cores. The products in tests are small, and threads of BLAS that wait for each other burn a core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
