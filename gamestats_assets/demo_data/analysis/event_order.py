"""The events of a product, for modules that look for them here; they stand in `graph`."""

from gamestats_assets.demo_data.analysis.graph import EventOrder, anchor
from gamestats_assets.demo_data.analysis.projections import ALWAYS_ALLOWED
from gamestats_assets.demo_data.analysis.projections import _waits as waits_for

__all__ = ["ALWAYS_ALLOWED", "EventOrder", "anchor", "waits_for"]
