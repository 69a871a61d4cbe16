"""Aerial tiles by number (XYZ, TMS and quadkey), with ETags and lifetimes.

Layers: `world` and its TMS and quadkey forms show the made-up towns from above. `kampala` has real tiles of the corpus,
if there is one. `blank` is one grey picture wherever one asks, as Esri's service shows where it has no imagery
(documented).
"""

from collections.abc import Sequence

import cv2
import mercantile
import numpy as np

from pipeline.geo.point import Point
from pipeline.world.above import paint_above
from pipeline.world.ground import Window
from pipeline.world.regions import Home
from pipeline.world.town import locate
from tools.dev.standin import vector
from tools.dev.standin.faults import Fault, Part, Provider
from tools.dev.standin.web import Ask, Refused, Reply, Route

TILE_PX = 256
ZOOMS = range(15, 21)
"""Coarser tiles would show more of a town than can be drawn while somebody waits."""
MARGIN_M = 400.0
"""Tiles reach so far beyond the towns' photos, so that chips at their edge are whole."""
_QUALITY = 92
_DAY_S = 86_400
_FINER = 1.5
"""Drawn pixels a tile's pixel, before it is brought to the tile's own grid."""


def xyz(ask: Ask) -> Reply:
    """A tile by zoom, column and row."""
    layer = ask.names["layer"]
    tile = vector.tile_number(ask)
    if tile is None:
        raise _missing()
    if layer == "world-tms":
        tile = mercantile.Tile(tile.x, 2**tile.z - 1 - tile.y, tile.z)
    return layer_tile(ask, layer.removesuffix("-tms"), tile)


def quadkey(ask: Ask) -> Reply:
    """A tile by quadkey."""
    key = ask.names["quadkey"]
    if not key or len(key) > 24 or set(key) - set("0123"):
        raise _missing()
    return layer_tile(ask, "world", mercantile.quadkey_to_tile(key))


def world_tile(homes: Sequence[Home], tile: mercantile.Tile) -> bytes | None:
    """A tile of the made-up towns as JPEG; None where there is none.

    The town is painted around the tile's middle in its own metres, and brought to Web Mercator by the places of the
    tile's four corners: within a tile that is true to a hundredth of a pixel.
    """
    home = _home(homes, tile) if tile.z in ZOOMS else None
    if home is None:
        return None
    box = mercantile.bounds(tile)
    lon, lat = (box.west + box.east) / 2, (box.south + box.north) / 2
    here = locate(home.town, Point(lat, lon))
    corners = np.column_stack(
        home.town.frame.to_metres(
            [box.west, box.east, box.east, box.west], [box.north, box.north, box.south, box.south]
        )
    )
    side_m = float(np.hypot(*(corners[1] - corners[0])))
    scale = TILE_PX * _FINER / side_m
    window = Window(here.x, here.y, here.north_deg, int(np.ceil(side_m * scale * 1.05)) + 8, scale)
    matrix = window.matrix()
    drawn = corners @ matrix[:, :2].T + matrix[:, 2]
    wanted = np.array([[0, 0], [TILE_PX, 0], [TILE_PX, TILE_PX], [0, TILE_PX]], float)
    # cv2 counts from the middle of the first pixel.
    warp = cv2.getPerspectiveTransform((drawn - 0.5).astype(np.float32), (wanted - 0.5).astype(np.float32))
    painted = cv2.GaussianBlur(paint_above(home.town, window), (0, 0), 0.3 * _FINER)
    pixels = cv2.warpPerspective(painted, warp, (TILE_PX, TILE_PX), flags=cv2.INTER_LINEAR)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return data.tobytes()


def blank_tile(words: str) -> bytes:
    """A picture that means `no imagery here`: one colour, and words that say so."""
    pixels = np.full((TILE_PX, TILE_PX, 3), 204, np.uint8)
    cv2.putText(pixels, words, (24, 132), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (150, 150, 150), 1)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return data.tobytes()


def layer_tile(ask: Ask, layer: str, tile: mercantile.Tile) -> Reply:
    """A tile of a layer as an answer."""
    data: bytes | None = None
    if ask.fault is Fault.BLANK:
        data = blank_tile("")
    elif layer == "blank":
        data = blank_tile("Map data not yet available")
    elif layer == "world":
        data = world_tile(ask.scene.homes, tile)
    elif layer == "kampala" and ask.scene.corpus is not None:
        file = ask.scene.corpus / "aerial" / "kampala_xyz" / f"{tile.z}" / f"{tile.x}" / f"{tile.y}.jpg"
        data = file.read_bytes() if file.is_file() else None
    if data is None:
        raise _missing()
    return Reply(data, "image/jpeg", max_age_s=_DAY_S)


def _home(homes: Sequence[Home], tile: mercantile.Tile) -> Home | None:
    """The town that a tile shows a part of."""
    box = mercantile.bounds(tile)
    for home in homes:
        lon, lat = home.town.frame.lon, home.town.frame.lat
        # Around the town's middle there is no antimeridian.
        west, east = ((side - lon + 180.0) % 360.0 - 180.0 for side in (box.west, box.east))
        region = home.region.bounds()
        half = ((region[2] - region[0]) % 360.0) / 2
        more = MARGIN_M / 111_195.0
        reach = half + more / np.cos(np.radians(lat))
        if max(west, -reach) <= min(east, reach) and box.south <= region[3] + more and box.north >= region[1] - more:
            return home
    return None


def _missing() -> Refused:
    return Refused(Reply(b"Not Found", "text/plain", 404))


ROUTES = [
    Route("GET", "/tiles/{layer}/{z}/{x}/{y}.jpg", Provider.TILES, Part.TILE, xyz),
    Route("GET", "/tiles/world-quadkey/{quadkey}.jpg", Provider.TILES, Part.TILE, quadkey),
]
