"""Measures a run's files: truths, deviations from the rules, a report. Nothing here knows how the files were made."""
