"""Commands with which people enter things."""
