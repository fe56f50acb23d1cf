"""Names that other modules still look for here; they stand in `lexicon` and `reading`."""

from gamestats_assets.demo_data.analysis.lexicon import (
    ACTIONS,
    FAILURES,
    FILLERS,
    LOOKS,
    PHASES,
    PLAYABLE,
    SUCCESSES,
    THINGS,
    Lexicon,
    concepts,
    own_name,
    pieces,
    word_set,
)
from gamestats_assets.demo_data.analysis.reading import Reading, read_event, read_events, spelt_out

__all__ = [
    "ACTIONS", "FAILURES", "FILLERS", "LOOKS", "PHASES", "PLAYABLE", "SUCCESSES", "THINGS", "Lexicon", "Reading",
    "concepts", "own_name", "pieces", "read_event", "read_events", "spelt_out", "word_set",
]  # fmt: skip
