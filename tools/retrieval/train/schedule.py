"""Learning rate schedule: linear warm-up, then cosine."""

import math


def rate(done: float, warmup: float) -> float:
    """Factor on the configured learning rate.

    Args:
        done: share of all steps that lie behind, 0 to 1.
        warmup: share of all steps in which it rises.
    """
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / max(1e-9, 1 - warmup))))
