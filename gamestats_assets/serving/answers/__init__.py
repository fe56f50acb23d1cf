"""Answers as functions of a question and of published versions: cache, routes and formats."""
