"""Pages and routes of a player's own figures."""
