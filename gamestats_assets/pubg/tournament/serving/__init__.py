"""What is served of tournaments: routes and pages of standings, matches, teams and players."""
