"""Consents, export and removal of personal data."""
