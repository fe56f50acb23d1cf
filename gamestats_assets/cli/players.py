"""`gamestats players`: what it is for; its commands are in `players_commands`, for some come of a declaration."""

from gamestats_assets.cli.terminal import deferred

players_app = deferred(
    "gamestats_assets.cli.players_commands",
    """Tracked players: whose positions, damage and kills are published in detail.

    A player may be given by in-game name, with its capitals, or by account id. The account of a name is
    taken from the newest match that knows it; names change, accounts do not. Whoever was a mistake is removed;
    once matches were taken up, players are only made inactive, and what they have is kept.

        gamestats players add Shroud
        gamestats players import players.csv
        gamestats players list
        gamestats players status Shroud
        gamestats players backfill Shroud --days 365
        gamestats players change Shroud --inactive
        gamestats players matches
    """,
)
