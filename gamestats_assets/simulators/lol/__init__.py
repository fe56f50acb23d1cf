"""League of Legends: simulated matches in the files of Riot's API and Data Dragon.

story = simulate(Plan(matches=5_000, effects=(Effect(kind="objective", objective="dragon", points=0.05),)))
write(story, folder)      # match objects, timelines and lists of Data Dragon
truth(story)              # the expected findings
"""
