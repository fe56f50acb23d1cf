"""Tests of what a page about one replay and its viewer show."""
