"""Rocket League's pages and API."""
