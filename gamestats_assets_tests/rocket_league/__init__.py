"""Tests of Rocket League."""
