"""The pictures of a published sample, each with its role and what is known of it."""

from collections.abc import Iterator
from typing import Literal

import shapely

from schemas.licences import Part
from schemas.records import ChipInfo, Image, Sample, StreetInfo

Role = Literal["street", "panorama", "other", "aerial", "scale", "drone", "map"]
PART_OF: dict[Role, Part] = {
    "street": "street", "panorama": "street", "other": "street", "aerial": "aerial", "scale": "aerial",
    "drone": "drone", "map": "map",
}  # fmt: skip
"""The part of a sample whose terms hold for a picture."""


def pictures(sample: Sample) -> Iterator[tuple[Role, Image, StreetInfo | ChipInfo]]:
    """Each picture of a sample with its role and what is known of it. A picture without its record is left out."""
    columns: list[tuple[Role, Image | None, StreetInfo | ChipInfo | None]] = [
        ("street", sample.street, sample.street_view),
        ("panorama", sample.panorama, sample.panorama_view),
        ("aerial", sample.aerial, sample.aerial_chip),
        *(("scale", chip.image, chip) for chip in sample.aerial_scales),
        ("drone", sample.drone, sample.drone_chip),
        ("map", sample.map, sample.map_chip),
        *(("other", view.image, view) for view in sample.other_views),
    ]
    for role, image, info in columns:
        if image is not None and info is not None:
            yield role, image, info


def point_wkb(lat: float, lon: float) -> bytes:
    """Well-known binary, little-endian, of a point in OGC:CRS84 (longitude first)."""
    wkb: bytes = shapely.to_wkb(shapely.Point(lon, lat), byte_order=1)
    return wkb
