"""Shared by the clients of all games' APIs: requests, rate limits of keys, and the register of matches to fetch.

It knows neither games nor Dagster.
"""
