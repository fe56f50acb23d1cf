"""Tests of what is served of Rocket League."""
