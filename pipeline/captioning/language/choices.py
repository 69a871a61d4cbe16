"""Choices among ways to say a thing, each keyed, so that no other choice changes it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Choices:
    """Choices keyed by values: the same key, the same choices, whatever else is written before or after."""

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(str(part) for part in key)
        self._picks: Counter[str] = Counter()
        self._used: Counter[str] = Counter()

    def share(self, slot: str) -> float:
        """A number in [0, 1), the next one of its slot."""
        self._picks[slot] += 1
        return self._number(slot, self._picks[slot]) / 2**64

    def pick(self, slot: str, options: Sequence[_T]) -> _T:
        """One of the options; each is taken once before one is taken again."""
        turn, place = divmod(self._picks[slot], len(options))
        self._picks[slot] += 1
        order = sorted(range(len(options)), key=lambda i: self._number(slot, turn, i))
        return options[order[place]]

    def freshest(self, slot: str, options: Sequence[str], unlike: str) -> str:
        """The option least used so far, those that begin like the text `unlike` last."""
        order = sorted(set(options), key=lambda text: self._number(slot, text))
        opening = unlike.partition(" ")[0]
        best = min(order, key=lambda text: self._used[text] + (text.partition(" ")[0] == opening))
        self._used[best] += 1
        return best

    def _number(self, *parts: object) -> int:
        text = "\x1f".join((self._key, *map(str, parts)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
