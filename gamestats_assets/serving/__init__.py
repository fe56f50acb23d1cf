"""The serving floor: HTTP over what is published. Knows tables and PostgreSQL; no game, no Dagster, no lake."""
