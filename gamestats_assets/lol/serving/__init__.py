"""What is served of League of Legends."""
