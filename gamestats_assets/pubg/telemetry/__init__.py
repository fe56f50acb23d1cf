"""Contents of match files: match objects and telemetry, decoded to bronze."""
