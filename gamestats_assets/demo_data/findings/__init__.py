"""What a run's files show: truths, deviations from the rules, a report. Nothing here knows how they were made."""
