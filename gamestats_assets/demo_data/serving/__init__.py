"""What is served of demo data."""
