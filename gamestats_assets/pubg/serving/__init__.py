"""Pages and API of PUBG, and the admins' entries; those of tournaments are in `tournament.serving`."""
