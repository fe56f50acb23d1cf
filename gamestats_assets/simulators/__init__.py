"""Simulated games with a planted truth: raw files for trying the pipeline, and for testing it.

Simulators know the format of a game's files and nothing of the pipeline, so that agreement proves something.
"""
