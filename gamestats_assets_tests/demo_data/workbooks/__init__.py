"""Taxonomies read from workbooks and CSV files."""
