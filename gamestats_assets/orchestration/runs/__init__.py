"""Dagster's instance and storage, and the sensors and schedules that start runs."""
