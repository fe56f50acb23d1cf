"""A run from beginning to end: rules, logs, what is measured of them, and the report."""
