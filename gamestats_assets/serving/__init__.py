"""Serving: HTTP over the published tables. It knows tables and PostgreSQL, but no game, no Dagster and no lake."""
