"""The others' part of `tools.dev.bench.tiles`, run in their own environment: imports nothing of ours.

Each is used as its documentation shows for the purpose: rio-tiler's `Reader.part` on GDAL's TMS driver, contextily's
`bounds2img` and `warp_tiles`.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TMS = """<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service><DataWindow>
<UpperLeftX>-20037508.342789244</UpperLeftX><UpperLeftY>20037508.342789244</UpperLeftY>
<LowerRightX>20037508.342789244</LowerRightX><LowerRightY>-20037508.342789244</LowerRightY>
<TileLevel>{zoom}</TileLevel><TileCountX>1</TileCountX><TileCountY>1</TileCountY><YOrigin>top</YOrigin></DataWindow>
<Projection>EPSG:3857</Projection><BlockSizeX>256</BlockSizeX><BlockSizeY>256</BlockSizeY><BandsCount>3</BandsCount>
<MaxConnections>32</MaxConnections></GDAL_WMS>"""


def frame(lat: float, lon: float) -> str:
    return f"+proj=aeqd +lat_0={lat:.8f} +lon_0={lon:.8f} +datum=WGS84 +units=m +no_defs"


def rio_tiler(told: dict[str, Any]) -> Callable[[float, float, int], Any]:
    from rasterio.crs import CRS
    from rio_tiler.io import Reader  # type: ignore[import-not-found]  # only in its own environment

    url = told["template"].replace("{", "${")
    side = told["size_px"]
    half = side * told["gsd_m"] / 2
    readers: dict[int, Any] = {}

    def chip(lat: float, lon: float, zoom: int) -> Any:
        if zoom not in readers:  # kept open, so that GDAL's cache of tiles serves the neighbours
            readers[zoom] = Reader(TMS.format(url=url, zoom=zoom))
        crs = CRS.from_string(frame(lat, lon))
        image = readers[zoom].part(
            (-half, -half, half, half), bounds_crs=crs, dst_crs=crs, width=side, height=side, max_size=None,
            resampling_method="cubic", reproject_method="cubic",
        )  # fmt: skip
        return image.data.transpose(1, 2, 0)

    return chip


def contextily(told: dict[str, Any]) -> Callable[[float, float, int], Any]:
    import contextily as ctx  # type: ignore[import-not-found]  # only in its own environment
    from PIL import Image
    from rasterio.enums import Resampling
    from rasterio.warp import transform_bounds

    side = told["size_px"]
    half = side * told["gsd_m"] / 2

    def chip(lat: float, lon: float, zoom: int) -> Any:
        crs = frame(lat, lon)
        wide = half + 3  # or where a tile ends at the chip's edge the warped mosaic is a pixel too small
        bounds = transform_bounds(crs, "EPSG:3857", -wide, -wide, wide, wide, densify_pts=21)
        image, extent = ctx.bounds2img(*bounds, zoom=zoom, source=told["template"])
        image, extent = ctx.warp_tiles(image, extent, t_crs=crs, resampling=Resampling.cubic)
        left, right, bottom, top = extent
        across, down = image.shape[1] / (right - left), image.shape[0] / (top - bottom)
        box = ((-half - left) * across, (top - half) * down, (half - left) * across, (top + half) * down)
        return np.asarray(Image.fromarray(image[:, :, :3]).resize((side, side), Image.Resampling.BICUBIC, box=box))

    return chip


def used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(name: str, order: Path) -> None:
    told = json.loads(order.read_text())
    make = {"rio-tiler": rio_tiler, "contextily": contextily}[name](told)
    start, cpu = time.perf_counter(), used()
    chips = [make(*place) for place in told["places"]]
    wall, cpu = time.perf_counter() - start, used() - cpu
    where = Path(told["folder"]) / f"{name}.npy"
    np.save(where, np.stack(chips))
    print(json.dumps({"wall": wall / len(chips), "cpu": cpu / len(chips), "chips": str(where)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
