"""What is done for the jobs that people ask for: each kind of them, and where that is.

What the work needs is loaded when there is some.
"""

from __future__ import annotations

from gamestats_assets.lakehouse.jobs import Kind

KINDS: tuple[Kind, ...] = ()
"""Every kind of jobs of the game."""
