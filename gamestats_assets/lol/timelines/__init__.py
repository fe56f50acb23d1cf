"""Riot's match objects and timelines, decoded to bronze."""
