"""Published tables: copies of lake tables in PostgreSQL."""
