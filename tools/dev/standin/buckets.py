"""How much each client may ask: a token bucket for each provider and key, or address where there is no key."""

import time
from collections import Counter
from collections.abc import Mapping

from tools.dev.standin.fault_rules import Limit
from tools.dev.standin.faults import Provider

Client = tuple[Provider, str]


class Buckets:
    """Counts what clients ask. For one event loop."""

    def __init__(self, limits: Mapping[Provider, Limit]) -> None:
        self._limits = limits
        self._levels: dict[Client, tuple[float, float]] = {}
        self._under_way: Counter[Client] = Counter()

    def enter(self, client: Client) -> bool:
        """Take up a request; False where it is too much. Each one that is taken up must `leave`."""
        limit = self._limits.get(client[0])
        if limit is None:
            return True
        now = time.monotonic()
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
