"""Aerial tiles by a WMTS capabilities document (OGC 07-057r7), by its resource addresses or by key-value requests."""

import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from owslib.wmts import WebMapTileService

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.errors import MachineError, Problem, SiteError
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Request
from pipeline.sources.aerial import capabilities
from pipeline.sources.aerial.capabilities_source import CapabilitiesSource
from pipeline.sources.aerial.service import LIMITS, MEDIA, TileService
from pipeline.sources.aerial.tiles import Matrix, web_mercator
from pipeline.sources.base import RasterChip
from pipeline.sources.listing import Box
from schemas.reasons import Reason

_VERSION = 2
_METRES_A_SCALE = 0.28e-3
"""A pixel of the standard's scale denominators."""
_ASSUMED = tuple(web_mercator(z) for z in range(21))
"""For the estimate of requests, which asks nothing over the network."""


@dataclass(frozen=True)
class Layer:
    """One layer's tiles by a capabilities document."""

    matrices: tuple[Matrix, ...]
    names: dict[int, str]
    """Identifier of each zoom's matrix."""
    template: str
    """Address with {TileMatrix}, {TileRow} and {TileCol}; everything else is filled in."""
    boxes: tuple[Box, ...]

    def request(self, matrix: Matrix, x: int, y: int) -> Request:
        """The request for a tile."""
        values = {"TileMatrix": self.names[matrix.z], "TileRow": str(y), "TileCol": str(x)}
        return Request(_fill(self.template, values), accept=MEDIA, max_bytes=LIMITS.max_bytes, cache="validated")


class WmtsSource(CapabilitiesSource[config.WmtsSource]):
    """Aerial tiles of a WMTS layer. The document is read with the first chip."""

    def __init__(self, name: str, settings: config.WmtsSource, _regions: list[Region], client: Client) -> None:
        """Check the settings; nothing is fetched.

        Raises:
            ConfigError: terms that forbid it, a licence that says nothing, a key that is not used.
        """
        super().__init__(name, settings, client, _VERSION)
        self._read: tuple[Layer, TileService] | None = None

    def chip(self, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        """A chip centred on a point.

        Raises:
            SiteError: see `TileService.chip`; BAD_ANSWER or UNSAFE_ADDRESS for the document.
            MachineError: the document has no such layer, style or matrix set, or none in Web Mercator.
        """
        layer, service = self._layer()
        return service.chip(layer.matrices, point, size_px, gsd_m)

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:
        """How many different tiles the sites take if the layer has the common zooms, and the document."""
        service = TileService(self.name, self._session, lambda *_: Request(""), self._attribution)
        return 1 + service.requests(_ASSUMED, lat, lon, imagery)

    def probe(self, region: Region) -> str:
        """Read the document and fetch one tile within the region."""
        layer, service = self._layer()
        return service.probe(layer.matrices, region)

    def _layer(self) -> tuple[Layer, TileService]:
        with self._lock:
            if self._read is None:
                body = capabilities.fetch(self._session, self._settings.capabilities, "WMTS")
                layer = capabilities.parse(body, lambda xml, _version: read_layer(xml, self._settings, self._where))
                service = TileService(self.name, self._session, layer.request, self._attribution, boxes=layer.boxes)
                self._read = layer, service
            return self._read


def read_layer(xml: bytes, settings: config.WmtsSource, where: str) -> Layer:
    """One layer of a document.

    Raises:
        MachineError: it has no such layer, style or matrix set, or none in Web Mercator.
        SiteError: UNSAFE_ADDRESS: its tiles lie on another host; BAD_ANSWER: its numbers make no grid.
    """
    service = WebMapTileService(settings.capabilities, xml=xml)
    layer = capabilities.pick(service.contents, settings.layer, f"{where}.layer")
    set_name, limits = _matrix_set(service, layer, settings, where)
    matrices, names = _matrices(service.tilematrixsets[set_name], limits)
    style = settings.style if settings.style is not None else _default_style(layer)
    if settings.style is not None:
        capabilities.pick(layer.styles, settings.style, f"{where}.style")
    media, template = _address(service, layer, where)
    values = {"Style": style, "TileMatrixSet": set_name, "Layer": settings.layer, "Format": media}
    values |= {
        name: str(dimension.get("default") or dimension["values"][0]) for name, dimension in layer.dimensions.items()
    }
    template = _fill(template, values)
    left = set(re.findall(r"\{([^{}]*)\}", template)) - {"TileMatrix", "TileRow", "TileCol"}
    if left:
        raise MachineError(
            f"{where}.layer: its addresses have {', '.join(sorted(left))}, which the document gives no value"
        )
    return Layer(matrices, names, capabilities.own_address(template, settings.capabilities), _boxes(layer))


def _matrix_set(service: Any, layer: Any, settings: config.WmtsSource, where: str) -> tuple[str, dict[str, Any]]:
    """Name of the matrix set to use, and its limits by matrix."""
    links = layer.tilematrixsetlinks
    systems = {name: service.tilematrixsets[name].crs for name in links if name in service.tilematrixsets}
    if settings.matrix_set is not None:
        capabilities.pick(systems, settings.matrix_set, f"{where}.matrix_set")
    names = [settings.matrix_set] if settings.matrix_set is not None else list(systems)
    name = next((name for name in names if capabilities.is_web_mercator(systems[name])), None)
    if name is None:
        found = "; ".join(f"{name} in {systems[name]}" for name in names) or "no matrix set"
        raise MachineError(
            f"{Problem(f'{where}.matrix_set', found, 'a matrix set in EPSG:3857')}; correct the build file"
        )
    return name, links[name].tilematrixlimits


def _matrices(matrix_set: Any, limits: dict[str, Any]) -> tuple[tuple[Matrix, ...], dict[int, str]]:
    """A set's matrices from coarse to fine, numbered in that order, and their identifiers."""
    matrices, names = [], {}
    for z, stated in enumerate(sorted(matrix_set.tilematrix.values(), key=lambda m: -m.scaledenominator)):
        if limits and stated.identifier not in limits:
            continue
        numbers = (stated.scaledenominator, *stated.topleftcorner)
        whole = (stated.tilewidth, stated.matrixwidth, stated.matrixheight)
        if not (all(map(math.isfinite, numbers)) and numbers[0] > 0 and 64 <= whole[0] <= 1024 and min(whole[1:]) > 0):
            raise SiteError(Reason.BAD_ANSWER, f"tile matrix {stated.identifier}: {numbers}, {whole}")
        if max(whole[1:]) > 2**30 or stated.tilewidth != stated.tileheight:
            raise SiteError(Reason.BAD_ANSWER, f"tile matrix {stated.identifier}: tiles must be square, at most 2^30")
        bounds = limits.get(stated.identifier)
        matrices.append(
            Matrix(
                z,
                stated.scaledenominator * _METRES_A_SCALE,
                stated.matrixwidth,
                stated.matrixheight,
                stated.tilewidth,
                stated.topleftcorner[0],
                stated.topleftcorner[1],
                bounds and (bounds.mintilecol, bounds.mintilerow, bounds.maxtilecol, bounds.maxtilerow),
            )
        )
        names[z] = stated.identifier
    if not matrices:
        raise SiteError(Reason.BAD_ANSWER, f"matrix set {matrix_set.identifier} has no matrix")
    return tuple(matrices), names


def _address(service: Any, layer: Any, where: str) -> tuple[str, str]:
    """Format and address, with its variables, of the layer's tiles: a resource's, or one of key-value requests."""
    resources = {r["format"]: str(r["template"]) for r in reversed(layer.resourceURLs) if r["resourceType"] == "tile"}
    media = capabilities.pick_format(layer.formats, f"{where}.layer")
    if media in resources:
        return media, resources[media]
    for operation in service.operations:
        for method in operation.methods if operation.name == "GetTile" else ():
            encodings = [value for c in method.get("constraints", ()) for value in c.values]
            if method["type"] == "Get" and (not encodings or "KVP" in encodings):
                base = str(method["url"]).rstrip("?&")
                query = (
                    "SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={Layer}&STYLE={Style}&FORMAT={Format}"
                    "&TILEMATRIXSET={TileMatrixSet}&TILEMATRIX={TileMatrix}&TILEROW={TileRow}&TILECOL={TileCol}"
                )
                query += "".join(f"&{name}={{{name}}}" for name in layer.dimensions)
                return media, f"{base}{'&' if urlsplit(base).query else '?'}{query}"
    if resources:  # perhaps of a format that is spelt otherwise among the layer's
        media = capabilities.pick_format(list(resources), f"{where}.layer")
        return media, resources[media]
    raise MachineError(f"{where}.layer: the document gives no address of its tiles as {media}")


def _fill(template: str, values: dict[str, str]) -> str:
    """A template with the variables that are known; servers differ in how they capitalise them."""
    known = {name.lower(): quote(value, safe=":") for name, value in values.items()}
    return re.sub(r"\{([^{}]*)\}", lambda match: known.get(match[1].lower(), match[0]), template)


def _default_style(layer: Any) -> str:
    default = next((name for name, style in layer.styles.items() if style.get("isDefault")), None)
    return str(default or next(iter(layer.styles), None) or "")


def _boxes(layer: Any) -> tuple[Box, ...]:
    """The layer's own statement of its area, if it makes one that can be."""
    box = getattr(layer, "boundingBoxWGS84", None)
    if box is None:
        return ()
    west, south, east, north = (float(edge) for edge in box)
    good = -181 <= west <= 181 and -181 <= east <= 181 and -91 <= south < north <= 91
    return ((west, south, east, north),) if good else ()
