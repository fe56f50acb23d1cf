"""What no log tells: VIP tiers, countries, key items, kinds of money, and the whitelist of addresses."""
