"""What every request passes: the host it names, who sends it, limits, problems, logs and metrics."""
