"""What Python has compiled is kept beside its source, also where the environment says otherwise.

Each worker compiles four hundred modules of tests, which pytest rewrites, and each of the processes that tests start
those of the package: half a minute of every run, if it is done again each time.
"""

import os
import sys

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
