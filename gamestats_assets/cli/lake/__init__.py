"""Commands on the lake: ingest, make, show."""
