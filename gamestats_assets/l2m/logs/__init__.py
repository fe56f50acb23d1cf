"""The raw logs: fetched, opened, and decoded to bronze."""
