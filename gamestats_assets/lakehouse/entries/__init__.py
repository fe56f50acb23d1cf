"""The schema `ops`: what people enter, and what processes share."""
