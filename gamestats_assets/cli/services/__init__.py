"""Commands that run services: `up`, `serve`, `work`, `doctor`."""
