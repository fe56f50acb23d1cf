"""How files of PUBG reach the landing zone: brought by people, or found and fetched at the API."""
