"""League of Legends: match and timeline files, reliable statistics, and questions with several conditions."""
