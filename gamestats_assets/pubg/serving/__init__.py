"""What is served of PUBG: routes, and later pages."""
