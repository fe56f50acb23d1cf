"""Facts that no log has: VIP tiers, countries, key items, kinds of money, and the whitelist of addresses."""
