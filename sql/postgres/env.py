"""Alembic's environment: runs revisions in the transaction that gamestats_assets.lakehouse.entries.ops has begun."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="ops")
context.run_migrations()
