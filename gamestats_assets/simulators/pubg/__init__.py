"""PUBG: matches and tournaments, as raw files of the API, with the truth about them.

`world` has the maps, weapons and people, `circles` the two circles; `story` decides who fells whom, `paths` where
everyone is, `damage` what each hit takes; `telemetry` writes the events, and `matches` the match object, the truth and
the files.
"""
