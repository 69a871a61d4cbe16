"""Evaluate retrieval from embeddings. Every figure has the gallery size, the value at chance and an interval.

`ranking` ranks a gallery for each query, `protocol` says which galleries and how overlapping chips count, `figures`
makes numbers of ranks, `chance` says what a random order would give, `nearest` is CVG-Text's own protocol, `selftest`
tries all of it on embeddings whose figures are known, `table` prints.
"""
