"""Pages and routes of replays: list, one replay, viewer, uploads, shares."""
