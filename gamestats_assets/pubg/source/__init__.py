"""Files of PUBG for the landing zone: brought by users, or found and fetched from the API."""
