"""Finds what a place could be confused with: aerial views near it or like it, and similar short texts."""

import random
from collections.abc import Iterable

import numpy as np
from rapidfuzz import fuzz, process

from pipeline.geo.frame import LocalFrame
from schemas.records import Split
from tools.audit.library import Facts

OPTIONS = 4
"""Aerial views to choose from."""
_NEAREST = 2
_ALIKE = 3


class Gallery:
    """The samples of one split."""

    def __init__(self, samples: Iterable[Facts], split: Split) -> None:
        """Arranges what is compared in arrays."""
        mine = [facts for facts in samples if facts.split == split]
        self._short = {facts.sample_id: facts.short for facts in mine}
        seen = [facts for facts in mine if facts.width_m is not None and facts.looks]
        self._ids = [facts.sample_id for facts in seen]
        self._lon = np.array([facts.lon for facts in seen])
        self._lat = np.array([facts.lat for facts in seen])
        self._width = np.array([facts.width_m for facts in seen], float)
        looks = np.array([facts.looks for facts in seen], float).reshape(len(seen), len(seen[0].looks) if seen else 0)
        self._looks = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-9)

    def distractors(self, target: Facts) -> list[str]:
        """The nearest two aerial views, then those that look most like the target's (cosine of the signatures): three.

        Chips that overlap the target's are no distractors: both would be right. Fewer where the split has no more.
        """
        if target.sample_id not in self._ids or target.width_m is None:
            return []
        own = self._ids.index(target.sample_id)
        east, north = LocalFrame(target.lat, target.lon).to_metres(self._lon, self._lat)
        apart = np.maximum(np.abs(east), np.abs(north)) >= (self._width + target.width_m) / 2
        there = np.flatnonzero(apart)
        by_distance = there[np.argsort(np.hypot(east, north)[there], kind="stable")]
        rest = by_distance[_NEAREST:]
        by_looks = rest[np.argsort(-(self._looks[rest] @ self._looks[own]), kind="stable")]
        chosen = [*by_distance[:_NEAREST], *by_looks][: OPTIONS - 1]
        return [self._ids[i] for i in chosen]

    def options(self, target: Facts, draw: random.Random) -> list[str]:
        """The ids of four samples in an order that is drawn, the target among them; empty where there are too few."""
        found = [target.sample_id, *self.distractors(target)]
        if len(found) < OPTIONS:
            return []
        draw.shuffle(found)
        return found

    def alike(self, target: Facts) -> list[str]:
        """The ids of the three samples whose short texts are most like the target's."""
        others = {sample_id: text for sample_id, text in self._short.items() if sample_id != target.sample_id}
        found = process.extract(target.short, others, scorer=fuzz.token_set_ratio, limit=_ALIKE)
        return [sample_id for _, _, sample_id in found]
