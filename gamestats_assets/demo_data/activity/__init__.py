"""What users did: sessions, payments, days and funnels, and the profiles that result."""
