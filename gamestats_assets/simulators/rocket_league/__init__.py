"""Rocket League: simulated seasons as the files of ballchasing, and frames of some of their matches.

    season = simulate_season(
        seed=7, players=300, matches=20_000, first_day=date(2026, 1, 5), days=60,
        planted=[Planted("Nobody", tier=13, matches=400), Planted("Sieve", tier=13, skills={"saves": -2}, matches=400)],
    )
    season.players, season.sessions     # the truth
    write_season(folder, season)        # one file per match, and one with frames for some

`players` decides who there is, `seasons` who meets whom and when, `statistics` what happens then, and `documents` fills
ballchasing's documents with it. Some matches are played out in `play`; `frames` counts and writes these. Every file
says of itself that it is simulated, in a key that ballchasing does not have.
"""
