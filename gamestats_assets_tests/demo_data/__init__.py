"""Tests of `gamestats_assets.demo_data`."""
