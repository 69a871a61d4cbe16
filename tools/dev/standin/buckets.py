"""Token buckets: how much each client may ask, for each provider and key, or address where there is no key."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from tools.dev.standin.fault_rules import Limit
from tools.dev.standin.faults import Provider

Client = tuple[Provider, str]


class Buckets:
    """Counts what clients ask. For one event loop.

    Args:
        limits: What each provider allows a client; anything, if it is not among them.
        clock: Seconds that never go back.
    """

    def __init__(self, limits: Mapping[Provider, Limit], clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._levels: dict[Client, tuple[float, float]] = {}
        self._under_way: Counter[Client] = Counter()

    def enter(self, client: Client) -> bool:
        """Take up a request; False where it is too much. Each one that is taken up must `leave`."""
        limit = self._limits.get(client[0])
        if limit is None:
            return True
        now = self._clock()
        level, since = self._levels.get(client, (limit.burst, now))
        level = min(limit.burst, level + (now - since) * limit.per_s)
        if level < 1 or (limit.at_once is not None and self._under_way[client] >= limit.at_once):
            self._levels[client] = level, now
            return False
        self._levels[client] = level - 1, now
        self._under_way[client] += 1
        return True

    def leave(self, client: Client) -> None:
        """A request that was taken up is answered."""
        if client[0] in self._limits:
            self._under_way[client] -= 1
