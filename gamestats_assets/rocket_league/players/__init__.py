"""Identities of players, and what is entered about them."""
