"""Tournaments: plans, matches, results, standings, and their pages and API."""
