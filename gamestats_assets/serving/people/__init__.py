"""What belongs to the person who is signed in: answers about themselves, game accounts, invitations, jobs."""
