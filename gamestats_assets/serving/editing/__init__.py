"""Editing what people enter: one editor, with routes, pages and forms made of each declaration."""
