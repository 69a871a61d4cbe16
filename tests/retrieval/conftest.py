"""Galleries and datasets that the tests of retrieval share."""

import numpy as np
import pytest

from tools.retrieval.evaluate.protocol import Gallery
from tools.retrieval.overlaps import Chips


def make_gallery(n: int, *, queries: int | None = None, seed: int = 0, spread: float = 0.01) -> Gallery:
    """A gallery of n chips, the first of which are looked for; blocks are 4 x 4 squares."""
    random = np.random.default_rng(seed)
    u, v = random.uniform(0, 1, (2, n))
    ids = [f"s{i:05d}" for i in range(n)]
    count = n if queries is None else queries
    blocks = np.array([f"{int(4 * a)}{int(4 * b)}" for a, b in zip(u, v, strict=True)])
    return Gallery(
        ids=ids,
        chips=Chips(52 + spread * u, 13 + spread * v, np.full(n, 100.0)),
        queries=ids[:count],
        blocks=blocks[:count],
        strata={"western": (v < 0.5)[:count]},
    )


@pytest.fixture
def gallery() -> Gallery:
    """200 chips of which 150 are looked for."""
    return make_gallery(200, queries=150)
