"""Explain why a text matched a chip.

`relevance` says which words and which parts of the picture carried the similarity, `deletion` judges that against
random orders, `samples` does both for rows of a dataset, `page` shows it. `rerank` asks a vision-language model for
reasons and confidence on the first few chips, and orders them by these.
"""
