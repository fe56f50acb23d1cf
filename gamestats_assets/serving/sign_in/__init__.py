"""Signing in and out: providers, one-time links, sessions, tokens; `/sign-in`, `/account` and `/api/v1/auth`."""
