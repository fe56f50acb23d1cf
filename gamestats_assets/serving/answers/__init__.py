"""Answers as functions of a query and of published versions: their cache, routes, and formats."""
