"""Pages and routes of signed-in users: answers about themselves, game accounts, invitations, jobs."""
