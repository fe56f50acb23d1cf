"""Tests of: Statistics of a patch: builds, skill orders, objectives, and how variables go with one another."""
