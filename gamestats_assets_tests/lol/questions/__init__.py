"""Tests of: Questions with several conditions."""
