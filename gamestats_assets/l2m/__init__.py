"""L2M, an MMO: from daily raw logs to who played, who paid, where diamonds and items went, and which accounts farm."""
