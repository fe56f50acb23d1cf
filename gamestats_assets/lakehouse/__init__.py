"""Storage: tables, Delta lake, SQL models, PostgreSQL, landing zone and quality.

Nothing in this package knows Dagster or any game.
"""
