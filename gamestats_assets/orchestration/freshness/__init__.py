"""The rule of freshness: stale partitions, the reasons, and partitions that must not be read."""
