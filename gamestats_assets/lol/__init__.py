"""League of Legends: match and timeline files to statistics that hold up, and questions with several conditions."""
