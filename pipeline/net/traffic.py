"""Counts what this process sent to providers and model servers since a build began: requests, bytes, tokens."""

import threading
from collections import Counter

_lock = threading.Lock()
_counts: dict[str, Counter[str]] = {}


def note(provider: str, **amounts: int) -> None:
    """Add to a provider's counts, such as `requests=1, bytes=18_000`."""
    with _lock:
        _counts.setdefault(provider, Counter()).update(amounts)


def counted() -> dict[str, dict[str, int]]:
    """Counts by provider."""
    with _lock:
        return {provider: dict(counts) for provider, counts in sorted(_counts.items())}


def clear() -> None:
    """Begin anew."""
    with _lock:
        _counts.clear()
