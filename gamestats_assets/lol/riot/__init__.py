"""The Riot API: finds and fetches matches of seeded players."""
