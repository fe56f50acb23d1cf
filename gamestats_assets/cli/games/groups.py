"""Groups of commands that declarations or modules of games define; each is loaded on first use."""

from gamestats_assets.cli.terminal import deferred

tournament_app = deferred(
    "gamestats_assets.cli.games.tournament",
    """Tournaments: what you enter so that matches are found, placed and scored by themselves.

    Set a season up in this order; each step needs the ones before:

        gamestats tournament season add fall-2026 --name "Fall 2026" --time-zone Europe/Berlin
        gamestats tournament division add fall-2026 "Division 1"
        gamestats tournament roster import fall-2026 rosters.csv --valid-from 2026-10-01
        gamestats tournament round add fall-2026 "Division 1" 1 --first 2026-10-03
        gamestats tournament schedule import fall-2026 schedule.csv

    Things are named by their names: a season by its short name, divisions, groups, teams and players by
    name, rounds and matches by number. Everything has `add`, `change`, `remove` and `list`; `remove` is for
    mistakes, and refuses what something else still refers to.
    """,
)
players_app = deferred(
    "gamestats_assets.cli.games.players",
    """Tracked players: whose positions, damage and kills are published in detail.

    A player may be given by in-game name, with its capitals, or by account id. The account of a name is
    taken from the newest match that knows it; names change, accounts do not. Remove a player who was added
    by mistake; once matches were taken up, players can only be made inactive, and their rows are kept.

        gamestats players add Shroud
        gamestats players import players.csv
        gamestats players list
        gamestats players status Shroud
        gamestats players backfill Shroud --days 365
        gamestats players change Shroud --inactive
        gamestats players matches
    """,
)
product_app = deferred(
    "gamestats_assets.cli.games.products",
    """Products whose ThinkingData logs are turned into tables.

    A product with a taxonomy and a run is generated: its logs are made, landed and taken up. Any other product's logs
    come with `gamestats ingest logs`.

        gamestats product add demo-shop ecommerce --users 1000 --days 7
        gamestats product add my-game --payment-event payment --amount pay_amount
        gamestats product list
        gamestats product change my-game --funnel "open_shop,buy" --funnel "start,finish"
        gamestats product remove demo-shop
    """,
)
l2m_app = deferred(
    "gamestats_assets.cli.games.l2m",
    """
    The MMO: addresses that many honest players share, how well farmers are found, and simulated logs.

        gamestats l2m simulate l2m-logs --accounts 2000 --days 7
        gamestats ingest l2m l2m-logs
        gamestats l2m whitelist add 103.7.0. --note "a cafe"
        gamestats l2m farmers
    """,
)
rocket_league_app = deferred(
    "gamestats_assets.cli.games.rocket_league",
    """
    Rocket League: where a player is weak for the rank, what to train, and whether it helps.

        gamestats rocket-league track steam:76561190000000001 --consent
        gamestats rocket-league train steam:76561190000000001 --pack 5CCE-FB29-7B05-A0B1 --minutes 20
        gamestats rocket-league report steam:76561190000000001
        gamestats rocket-league forget steam:76561190000000001
    """,
)
