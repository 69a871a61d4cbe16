"""The world as a map: land outlines from the land mask, in the Equal Earth projection (areas are true)."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import shapes
from rasterio.transform import from_origin

from pipeline.regions.catalogue import Entry
from pipeline.regions.land import land_mask

Floats = NDArray[np.float64]
WIDTH, HEIGHT = 1000.0, 487.0
"""Size of the map in its own units; Equal Earth's globe is 2.05 times as wide as high."""
CELL_DEG = 0.2
SIMPLIFY_DEG = 0.15
LEAST_AREA_DEG2 = 0.1
"""Smaller islands are left out."""
COLOURS = {"city": "#b42318", "town": "#1f5fa8"}
"""By stratum."""


@lru_cache(maxsize=1)
def _projection() -> Transformer:
    return Transformer.from_crs("OGC:CRS84", "+proj=eqearth +lon_0=11 +datum=WGS84", always_xy=True)


def on_map(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Places in the map's units, x to the right and y down, from degrees.

    The map is cut at 169 degrees west, in the Bering Strait, so that no land but Chukotka's tip is torn apart.
    """
    x, y = _projection().transform(lon, lat)
    half = _projection().transform(190.999, 0.0)[0]
    top = _projection().transform(11.0, 90.0)[1]
    return (np.asarray(x) / half + 1) * WIDTH / 2, (1 - np.asarray(y) / top) * HEIGHT / 2


@lru_cache(maxsize=1)
def land() -> list[list[Floats]]:
    """Land in the map's units: for each mass its outline, and those of the waters within it (rows: x, y)."""
    # Columns start at the map's own cut, so that no outline crosses it.
    columns = np.arange(-169.0 + CELL_DEG / 2, 191.0, CELL_DEG)
    rows = np.arange(90.0 - CELL_DEG / 2, -90.0, -CELL_DEG)
    lon, lat = np.meshgrid(columns, rows)
    mask = land_mask().is_land((lon + 180.0) % 360.0 - 180.0, lat).astype(np.uint8)
    grid = from_origin(-169.0, 90.0, CELL_DEG, CELL_DEG)
    outlines = [shapely.geometry.shape(item) for item, value in shapes(mask, mask=mask == 1, transform=grid) if value]
    masses = []
    for outline in outlines:
        if outline.area >= LEAST_AREA_DEG2:
            plain = outline.simplify(SIMPLIFY_DEG)
            parts = [plain.exterior, *(hole for hole in plain.interiors if shapely.Polygon(hole).area > 1.0)]
            masses.append([_ring(np.asarray(part.coords)) for part in parts])
    return masses


def globe() -> Floats:
    """The edge of the map, x and y."""
    lat = np.linspace(-90, 90, 181)
    lon = np.concatenate([np.full(181, -168.999), np.full(181, 190.999)])
    return np.column_stack(on_map(lon, np.concatenate([lat, lat[::-1]])))


def _ring(corners: Floats) -> Floats:
    # Points are added on long lines, which the projection bends.
    dense = np.asarray(shapely.segmentize(shapely.LineString(corners), 2.0).coords)
    lon = np.clip(dense[:, 0], -168.999, 190.999)
    return np.column_stack(on_map(lon, dense[:, 1]))


def summary(entries: Sequence[Entry]) -> str:
    """One line on what is on the map."""
    strata = Counter(entry.stratum for entry in entries)
    countries, scripts = len({entry.country for entry in entries}), len({entry.script for entry in entries})
    return (
        f"{len(entries)} regions in {countries} countries, {scripts} scripts of street signs: "
        f"{strata['city']} cities and {strata['town']} towns"
    )
