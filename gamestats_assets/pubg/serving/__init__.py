"""PUBG as it is served, and what its admins enter; what is served of tournaments is in `tournament.serving`."""
