"""What every client of a game's API needs: requests, the limits of keys, the register of what was found to be fetched.

Knows no game and no Dagster.
"""
