"""What happened in matches, and how everybody played in them."""
