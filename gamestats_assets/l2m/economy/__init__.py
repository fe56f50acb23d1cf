"""What is paid, gained and spent: money, items and balances."""
