"""Replays: reading their files, and preparing them for the viewer."""
