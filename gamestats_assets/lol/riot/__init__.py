"""The Riot API: matches of seeded players, found and fetched."""
