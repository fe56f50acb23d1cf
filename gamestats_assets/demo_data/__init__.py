"""Demo data: from an event taxonomy to believable ThinkingData logs, and the tables of any such logs.

`taxonomies` are read, `analysis` or a language model makes `rules` of one, `generator` makes logs by them, `findings`
tells what is in those, and `production` is all of it in a row. `logs` lands and reads the logs of any product; the
modules beside it make tables of them.
"""
