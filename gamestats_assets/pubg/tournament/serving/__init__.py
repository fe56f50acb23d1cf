"""Routes and pages of tournaments: standings, matches, teams and players."""
