"""The Dagster vocabulary shared by every game. It knows tables; it knows no game."""
