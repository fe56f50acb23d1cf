"""Pages of League of Legends."""
