"""Tests of L2M."""
