"""League of Legends: match and timeline files to builds, skill orders, objectives, and patterns that hold up."""
