"""Statistics of a patch: builds, skill orders, objectives, and relations between variables."""
