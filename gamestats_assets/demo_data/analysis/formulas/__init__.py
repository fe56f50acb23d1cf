"""Equations between properties, ranges that follow from them, and times."""
