"""What events, properties and their descriptions mean."""
