"""What a match was, what happened in it, and what each participant did."""
