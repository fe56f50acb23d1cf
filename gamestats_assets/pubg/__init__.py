"""PUBG: Battlegrounds, from match objects and telemetry to published tables."""
