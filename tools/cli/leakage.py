"""What `geoscribe verify --leakage` prints."""

from tools.dataset import open_dataset
from tools.verify.leakage import find_leaks


def print_leakage(dataset: str) -> bool:
    """Print the leaks of a dataset. True if there are none and everything could be read."""
    opened = open_dataset(dataset)
    found = find_leaks(opened.store, opened.manifest)
    for leak in found.leaks:
        print(leak)
    for what in found.unread:
        print(f"not checked for leakage: {what}")
    print("splits: " + ", ".join(f"{split} {count:,}" for split, count in sorted(found.samples.items())))
    print("leakage: " + ", ".join(f"{kind} {count}" for kind, count in found.counts().items()))
    return not found.leaks and not found.unread
