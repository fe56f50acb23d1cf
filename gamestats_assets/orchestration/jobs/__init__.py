"""The worker that does jobs of people, with the tools of Dagster."""
