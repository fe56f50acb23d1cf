"""Pages and API of L2M."""
