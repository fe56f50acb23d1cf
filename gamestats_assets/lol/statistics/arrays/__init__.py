"""Statistics of arrays: intervals, regressions, correlations, power and the false discovery rate."""
