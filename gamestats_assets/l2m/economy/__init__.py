"""Payments, gains and spendings: money, items and balances."""
