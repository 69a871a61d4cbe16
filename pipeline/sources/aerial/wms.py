"""Aerial pictures of a WMS (OGC 01-068r3, 06-042), asked for in tiles on the common grid of Web Mercator.

On a fixed grid neighbouring sites ask for the same pictures, so a cache serves them; and EPSG:3857 has the same order
of axes in all versions of the standard.
"""

from typing import Any

from owslib.wms import WebMapService

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.errors import MachineError, Problem
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Request
from pipeline.sources.aerial import capabilities
from pipeline.sources.aerial.capabilities_source import CapabilitiesSource
from pipeline.sources.aerial.service import LIMITS, MEDIA, TileService
from pipeline.sources.aerial.tiles import Matrix, web_mercator
from pipeline.sources.base import RasterChip
from pipeline.sources.listing import Box

_VERSION = 2
_TILE_PX = 512
"""A chip of 512 px takes four to nine; servers allow 2,048 px and more."""
_MATRICES = tuple(web_mercator(z, _TILE_PX) for z in range(22))
"""Down to 3.7 cm at the equator. A WMS states no resolution: it draws what is asked for, be it finer than its data."""
_SYSTEM = "EPSG:3857"
_VERSIONS = ("1.3.0", "1.1.1")


class WmsSource(CapabilitiesSource[config.WmsSource]):
    """Aerial pictures of a WMS's layers. The document is read with the first chip."""

    def __init__(self, name: str, settings: config.WmsSource, _regions: list[Region], client: Client) -> None:
        """Check the settings; nothing is fetched.

        Raises:
            ConfigError: terms that forbid it, a licence that says nothing, a key that is not used.
        """
        super().__init__(name, settings, client, _VERSION)
        self._read: TileService | None = None

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point.

        Raises:
            SiteError: see `TileService.chip`; BAD_ANSWER or UNSAFE_ADDRESS for the document.
            MachineError: the document has no such layer, or none in Web Mercator.
        """
        return self._service().chip(_MATRICES, point, size_px, gsd_m)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """How many different pictures the sites take, and the document."""
        service = TileService(self.name, self._session, lambda *_: Request(""), self._attribution)
        return 1 + service.requests(_MATRICES, lat, lon, imagery)

    def probe(self, region: Region) -> str:
        """Read the document and ask for one picture within the region."""
        return self._service().probe(_MATRICES, region)

    def _service(self) -> TileService:
        with self._lock:
            if self._read is None:
                body = capabilities.fetch(self._session, self._settings.capabilities, "WMS")
                read = capabilities.parse(
                    body, lambda xml, version: read_layers(xml, version, self._settings, self._where)
                )
                url, params, boxes = read
                self._read = TileService(
                    self.name,
                    self._session,
                    lambda matrix, x, y: _request(url, params, matrix, x, y),
                    self._attribution,
                    boxes=boxes,
                )
            return self._read


def read_layers(
    xml: bytes, version: str, settings: config.WmsSource, where: str
) -> tuple[str, tuple[tuple[str, str], ...], tuple[Box, ...]]:
    """From a document, the address of its pictures, what all requests say, and where the layers have pictures.

    Raises:
        MachineError: it is of another version, has no such layer, or does not draw it in Web Mercator.
        SiteError: UNSAFE_ADDRESS: its pictures lie on another host.
    """
    if version not in _VERSIONS:
        raise MachineError(
            f"{where}.capabilities: WMS version {version or 'unknown'}; usable are {' and '.join(_VERSIONS)}"
        )
    service = WebMapService(settings.capabilities, version=version, xml=xml)
    layers = [capabilities.pick(service.contents, name, f"{where}.layers") for name in settings.layers]
    shared = set.intersection(*(set(layer.crsOptions) for layer in layers))
    systems = sorted(name for name in shared if capabilities.is_web_mercator(str(name)))
    system = _SYSTEM if _SYSTEM in systems else next(iter(systems), None)
    if system is None:
        found = ", ".join(sorted(map(str, shared))[:20]) or "none"
        raise MachineError(f"{Problem(f'{where}.layers', f'systems {found}', _SYSTEM)}; use another layer or source")
    operation = service.getOperationByName("GetMap")
    media = capabilities.pick_format([text.strip() for text in operation.formatOptions], f"{where}.layers")
    method = next(method for method in operation.methods if method["type"] == "Get")
    params = (
        ("SERVICE", "WMS"),
        ("VERSION", version),
        ("REQUEST", "GetMap"),
        ("LAYERS", ",".join(settings.layers)),
        ("STYLES", "," * (len(settings.layers) - 1)),
        ("CRS" if version == "1.3.0" else "SRS", system),
        ("FORMAT", media),
        ("TRANSPARENT", "TRUE" if "png" in media or "webp" in media else "FALSE"),
        ("WIDTH", str(_TILE_PX)),
        ("HEIGHT", str(_TILE_PX)),
    )
    return capabilities.own_address(method["url"], settings.capabilities), params, _boxes(layers)


def _request(url: str, params: tuple[tuple[str, str], ...], matrix: Matrix, x: int, y: int) -> Request:
    side = matrix.tile_px * matrix.pixel_m
    west, north = matrix.left + x * side, matrix.top - y * side
    box = ",".join(f"{edge:.6f}" for edge in (west, north - side, west + side, north))
    params = (*params, ("BBOX", box))
    return Request(url, params=params, accept=MEDIA, max_bytes=LIMITS.max_bytes, cache="validated")


def _boxes(layers: list[Any]) -> tuple[Box, ...]:
    """The layers' own statements of their areas, if all make one that can be."""
    boxes: list[Box] = []
    for layer in layers:
        if layer.boundingBoxWGS84 is None:
            return ()
        west, south, east, north = (float(edge) for edge in layer.boundingBoxWGS84)
        if not (-181 <= west <= 181 and -181 <= east <= 181 and -91 <= south < north <= 91):
            return ()
        boxes.append((west, south, east, north))
    return tuple(boxes)
