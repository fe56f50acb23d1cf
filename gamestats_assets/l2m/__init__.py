"""L2M, an MMO: its raw logs, players, economy and live operations."""
