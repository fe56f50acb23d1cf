"""`gamestats demo`."""
