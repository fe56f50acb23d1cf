"""Tests of: Simulators of the games."""
