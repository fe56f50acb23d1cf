"""Names that other modules still look for here; they stand in `graph`."""

from gamestats_assets.demo_data.analysis.graph import EventOrder, anchor, waits_for

__all__ = ["EventOrder", "anchor", "waits_for"]
