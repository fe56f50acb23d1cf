"""Tests of League of Legends."""
