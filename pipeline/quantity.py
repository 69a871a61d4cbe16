"""Counts with their nouns, for messages and pages: one sample, two samples."""


def quantity(count: int, noun: str) -> str:
    """A count with its noun, which is in the singular: `1 sample`, `2,000 samples`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
