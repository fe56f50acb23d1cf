"""SQL models and queries, on DuckDB and on Spark."""
