"""Products whose logs are read: their settings, the meaning of their events, and their generated tables."""
