"""League of Legends: simulated matches as the files that Riot's API and Data Dragon give.

story = simulate(Plan(matches=5_000, effects=(Effect(kind="objective", objective="dragon", points=0.05),)))
write(story, folder)      # match objects, timelines and lists of Data Dragon
truth(story)              # what has to come out
"""
