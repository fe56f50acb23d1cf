"""Who is active, who stays, who farms, and what a day's players are worth."""
