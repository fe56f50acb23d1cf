"""Simulated games with a known truth planted in them: raw files to try the pipeline with, and to test it against.

A simulator knows the form of a game's files and nothing of what is made of them, so that agreement proves something.
"""
