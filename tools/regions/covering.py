"""Finds the listed aerial sources that cover a place."""

import numpy as np

from pipeline.geo.shape import in_box
from pipeline.sources.listing import listing


def aerial_sources_at(lat: float, lon: float) -> list[str]:
    """Names of the aerial sources whose boxes hold a position; `(key)` after those that need one.

    Sources whose terms refuse a dataset are left out.
    """
    x, y = np.array([lon]), np.array([lat])
    return [
        source.name + (" (key)" if source.key_env else "")
        for source in listing().values()
        if source.kind == "aerial"
        and source.refused is None
        and (not source.boxes or any(bool(in_box(box, x, y)[0]) for box in source.boxes))
    ]
