"""Pages and API of demo data."""
