"""Active players, retention, farmers, and revenue per player."""
