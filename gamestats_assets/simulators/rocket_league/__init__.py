"""Rocket League: simulated seasons in the files of ballchasing, and frames of some of their matches.

    season = simulate_season(
        seed=7, players=300, matches=20_000, first_day=date(2026, 1, 5), days=60,
        planted=[Planted("Mean", tier=13, matches=400), Planted("Sieve", tier=13, skills={"saves": -2}, matches=400)],
    )
    season.players, season.sessions     # the truth
    write_season(folder, season)        # one file per match, and one with frames for some

`players` has the players, `seasons` decides who meets whom and when, `statistics` draws the results, and `documents`
fills ballchasing's documents with them. Some matches are played out in `play`; `frames` computes their figures and
writes their frames. Every file is marked as simulated, in a key that ballchasing does not have.
"""
