"""Products whose logs are read: as people enter them, what their events mean, and what is generated for them."""
