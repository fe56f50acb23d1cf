"""Demo data: from an event taxonomy to believable ThinkingData logs, and the tables of any such logs.

`taxonomies` reads a taxonomy, `analysis` or a language model makes its `rules`, `generator` makes logs by them, and
`findings` measures the logs; `products.run` does all of it. `logs` lands and reads the logs of any product; `activity`
and `tables` turn them into tables.
"""
