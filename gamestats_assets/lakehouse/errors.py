"""The root of every error gamestats raises on purpose.

Each subclass lives in the module that raises it. A message says what was
expected, what was found, where, and what to do.
"""


class GamestatsError(Exception):
    """An expected failure with a message meant for the person who meets it."""
