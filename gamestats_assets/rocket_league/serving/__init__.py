"""What is served of Rocket League."""
