"""The schema `accounts` of PostgreSQL: users, how they sign in, their roles, and what they let others see."""
