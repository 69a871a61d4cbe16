"""Rates over the last minutes, from counts that only grow."""

from collections import deque
from collections.abc import Hashable, Mapping

WINDOW_S = 300.0
"""How far back a rate looks, in seconds."""
_STEP_S = 1.0
"""Counts are kept at most this often."""


class Rates:
    """The last minutes of some counts. A count that is not told yet was 0."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window = window_s
        self._kept: deque[tuple[float, dict[Hashable, float]]] = deque()

    def note(self, now: float, counts: Mapping[Hashable, float]) -> None:
        """Keep the counts of a moment (monotonic seconds)."""
        if len(self._kept) > 1 and now - self._kept[-2][0] < _STEP_S:
            self._kept.pop()
        self._kept.append((now, dict(counts)))
        while len(self._kept) > 2 and now - self._kept[1][0] >= self._window:
            self._kept.popleft()

    def per_s(self, key: Hashable) -> float:
        """Growth of a count a second over the window; 0 as long as there is but one moment."""
        if len(self._kept) < 2:
            return 0.0
        (began, first), (ended, last) = self._kept[0], self._kept[-1]
        return (last.get(key, 0.0) - first.get(key, 0.0)) / (ended - began) if ended > began else 0.0
