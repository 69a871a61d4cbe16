"""Measures how many aerial chips a second one thread makes: `python -m tools.dev.bench.chips CORPUS`."""

import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer

from pipeline.config import sources as config
from pipeline.geo.point import Point
from pipeline.sources.aerial.raster import RasterSource

CHIPS = 100
SIZE_PX, GSD_M = 512, 0.3


def main(corpus: Path) -> None:
    file = corpus / "aerial" / "kampala_z20_east.tif"
    with rasterio.open(file) as raster:
        bounds, crs = raster.bounds, raster.crs.to_wkt()
    generator = np.random.Generator(np.random.Philox(key=1))
    x = generator.uniform(bounds.left, bounds.right, CHIPS)
    y = generator.uniform(bounds.bottom, bounds.top, CHIPS)
    lon, lat = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(x, y)
    points = [Point(*place) for place in zip(lat.tolist(), lon.tolist(), strict=True)]
    report("GeoTIFF, tiled", source(path=file), points)
    report("XYZ folder, z20", source(path=corpus / "aerial" / "kampala_xyz", layout="xyz", zoom=20), points)


def source(**keys: object) -> RasterSource:
    terms = {"author": "-", "licence": "CC0-1.0", "link": "https://example.org"}
    return RasterSource("bench", config.RasterSource.model_validate({"type": "raster", "credits": terms, **keys}), [])


def report(what: str, raster: RasterSource, points: list[Point]) -> None:
    raster.chip(points[0], SIZE_PX, GSD_M)
    start = time.perf_counter()
    for point in points:
        raster.chip(point, SIZE_PX, GSD_M)
    took = time.perf_counter() - start
    print(
        f"{what}: {len(points) / took:.1f} chips/s ({SIZE_PX} px at {GSD_M} m, {took / len(points) * 1e3:.0f} ms each)"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
