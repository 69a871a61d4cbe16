"""Output of `geoscribe verify --leakage`."""

from dataclasses import asdict
from typing import Any

from tools.dataset import open_dataset
from tools.verify.leakage import Leakage, find_leaks


def leakage_of(dataset: str) -> Leakage:
    """The leaks of a dataset."""
    opened = open_dataset(dataset)
    return find_leaks(opened.store, opened.manifest)


def is_clean(found: Leakage) -> bool:
    """Whether there are no leaks and everything could be read."""
    return not found.leaks and not found.unread


def print_leakage(found: Leakage) -> None:
    """Print leaks, what could not be read, and counts."""
    for leak in found.leaks:
        print(leak)
    for what in found.unread:
        print(f"not checked for leakage: {what}")
    print("splits: " + ", ".join(f"{split} {count:,}" for split, count in sorted(found.samples.items())))
    print("leakage: " + ", ".join(f"{kind} {count}" for kind, count in found.counts().items()))


def leakage_record(found: Leakage) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "splits": dict(sorted(found.samples.items())),
        "counts": found.counts(),
        "leaks": [asdict(leak) for leak in found.leaks],
        "unread": found.unread,
    }
