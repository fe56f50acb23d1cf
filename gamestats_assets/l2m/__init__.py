"""L2M, an MMO: so far its raw logs, simulated with a known truth in them."""
