"""Runs a module of Dagster that lasts, as `python -m gamestats_assets.orchestration.lasting MODULE ARGUMENTS`.

What such a process has loaded is never garbage: to look through it takes longer than all that the daemon does with a
code location, which it reads anew every minute.
"""

import gc
import runpy
import sys

if __name__ == "__main__":
    # What the module will ask for, loaded before all that is there is kept out of the search.
    import gamestats_assets.orchestration.storage  # noqa: F401

    gc.freeze()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
