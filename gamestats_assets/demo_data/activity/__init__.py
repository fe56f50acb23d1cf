"""What users did: sessions, payments, days, funnels, and who they are in the end."""
