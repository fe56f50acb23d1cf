"""What is served of L2M."""
