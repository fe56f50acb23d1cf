"""Checks that every request passes: host, session or token, limits; problems, logs and metrics."""
