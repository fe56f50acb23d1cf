"""Pages and routes for decisions about personal data."""
