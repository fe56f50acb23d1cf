"""Maps, playlists and ranks."""
