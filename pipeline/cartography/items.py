"""Features on their way onto a chip: in pixels, sorted, cut to its surroundings."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from pipeline.cartography.features import Feature

Item = tuple[Feature, BaseGeometry]
"""A feature and its shape in pixels of the chip."""


def in_pixels(
    features: Sequence[Feature], shapes: Sequence[BaseGeometry], size_px: int, gsd_m: float
) -> tuple[list[Feature], list[BaseGeometry]]:
    """Features in the order of their ids, and their shapes in pixels.

    Args:
        features: in any order.
        shapes: theirs, in metres east and north of the chip's centre.
        size_px: side of the chip.
        gsd_m: metres a pixel.
    """
    order = sorted(range(len(features)), key=lambda i: features[i].feature_id)
    pixels = shapely.transform(
        np.array([shapes[i] for i in order], dtype=object), lambda m: size_px / 2 + m * [1 / gsd_m, -1 / gsd_m]
    )
    return [features[i] for i in order], list(pixels)


def cut(features: Sequence[Feature], pixels: Sequence[BaseGeometry], size_px: int, margin_px: float) -> list[Item]:
    """The items that lie on the chip or at most a margin beyond it, cut to that."""
    low, high = -margin_px, size_px + margin_px
    shapes = shapely.clip_by_rect(np.array(pixels, dtype=object), low, low, high, high)
    return [(feature, shape) for feature, shape in zip(features, shapes, strict=True) if not shape.is_empty]


def where(items: Iterable[Item], wanted: Callable[[Feature], bool]) -> list[Item]:
    """The items whose features are wanted."""
    return [item for item in items if wanted(item[0])]


def areas(items: Iterable[Item]) -> list[Item]:
    """The areas, the larger first: what is drawn later lies above."""
    found = (item for item in items if item[0].shape == "area")
    return sorted(found, key=lambda item: (-item[1].area, item[0].feature_id))
