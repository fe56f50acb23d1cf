"""The rule of freshness: what is behind, why, and what must not be read."""
