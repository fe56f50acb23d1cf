"""What the files of a match say: match objects and telemetry, decoded to bronze."""
