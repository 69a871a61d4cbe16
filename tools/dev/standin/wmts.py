"""A WMTS 1.0.0 with the made-up towns from above: capabilities, tiles by template (REST) and by query (KVP).

After OGC 07-057r7 (documented).
"""

import mercantile

from tools.dev.standin import tiles, vector
from tools.dev.standin.faults import Part, Provider
from tools.dev.standin.library import TOWNS
from tools.dev.standin.web import Ask, Refused, Reply, Route

ROOT = "/wmts"
LAYER, MATRIX_SET, STYLE = "world", "PM", "normal"
_SCALE = 559_082_264.0287178
"""Scale denominator of zoom 0 (OGC 07-057r7, annex E.4)."""
_HALF = mercantile.CE / 2


def capabilities(ask: Ask) -> Reply:
    """The document that says what there is and where."""
    here = ask.scene.api + ROOT
    west, south, east, north = TOWNS[0].bounds()
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{z}</ows:Identifier><ScaleDenominator>{_SCALE / 2**z!r}</ScaleDenominator>"
        f"<TopLeftCorner>{-_HALF!r} {_HALF!r}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>"
        f"<MatrixWidth>{2**z}</MatrixWidth><MatrixHeight>{2**z}</MatrixHeight></TileMatrix>"
        for z in tiles.ZOOMS
    )
    operations = "".join(
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href="{here}/kvp?">'
        '<ows:Constraint name="GetEncoding"><ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues>'
        "</ows:Constraint></ows:Get></ows:HTTP></ows:DCP></ows:Operation>"
        for name in ("GetCapabilities", "GetTile")
    )
    template = f"{here}/1.0.0/{LAYER}/{STYLE}/{{TileMatrixSet}}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}.jpeg"
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">'
        "<ows:ServiceIdentification><ows:Title>geoscribe stand-in</ows:Title>"
        "<ows:ServiceType>OGC WMTS</ows:ServiceType><ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion>"
        "<ows:Fees>none</ows:Fees><ows:AccessConstraints>CC0-1.0</ows:AccessConstraints></ows:ServiceIdentification>"
        f"<ows:OperationsMetadata>{operations}</ows:OperationsMetadata>"
        f"<Contents><Layer><ows:Title>Made-up towns from above</ows:Title>"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{west:.6f} {south:.6f}</ows:LowerCorner>"
        f"<ows:UpperCorner>{east:.6f} {north:.6f}</ows:UpperCorner></ows:WGS84BoundingBox>"
        f"<ows:Identifier>{LAYER}</ows:Identifier>"
        f'<Style isDefault="true"><ows:Identifier>{STYLE}</ows:Identifier></Style><Format>image/jpeg</Format>'
        f"<TileMatrixSetLink><TileMatrixSet>{MATRIX_SET}</TileMatrixSet></TileMatrixSetLink>"
        f'<ResourceURL format="image/jpeg" resourceType="tile" template="{template}"/></Layer>'
        f"<TileMatrixSet><ows:Identifier>{MATRIX_SET}</ows:Identifier>"
        f"<ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>{matrices}</TileMatrixSet></Contents>"
        f'<ServiceMetadataURL xlink:href="{here}/1.0.0/WMTSCapabilities.xml"/></Capabilities>'
    )
    return Reply(text.encode(), "application/xml", max_age_s=3_600)


def rest(ask: Ask) -> Reply:
    """A tile by template."""
    if (ask.names["layer"], ask.names["style"], ask.names["set"]) != (LAYER, STYLE, MATRIX_SET):
        raise _refusal("InvalidParameterValue", "layer", 404)
    return _tile(ask)


def kvp(ask: Ask) -> Reply:
    """A tile, or the capabilities, by query; names of parameters are taken in any case."""
    query = {name.lower(): value for name, value in ask.query.items()}
    if query.get("service", "").upper() != "WMTS":
        raise _refusal("MissingParameterValue", "service")
    if query.get("request") == "GetCapabilities":
        return capabilities(ask)
    if query.get("request") != "GetTile":
        raise _refusal("OperationNotSupported", "request", 501)
    for name, value in (("layer", LAYER), ("tilematrixset", MATRIX_SET), ("format", "image/jpeg")):
        if query.get(name) != value:
            raise _refusal("InvalidParameterValue", name)
    numbered = {"z": query.get("tilematrix", ""), "x": query.get("tilecol", ""), "y": query.get("tilerow", "")}
    return _tile(Ask(**{**vars(ask), "names": numbered}))


def _tile(ask: Ask) -> Reply:
    tile = vector.tile_number(ask)
    if tile is None or tile.z not in tiles.ZOOMS:
        raise _refusal("TileOutOfRange", "TileMatrix")
    return tiles.layer_tile(ask, "world", tile)


def _refusal(code: str, locator: str, status: int = 400) -> Refused:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ows:ExceptionReport xmlns:ows="http://www.opengis.net/ows/1.1" '
        f'version="1.1.0"><ows:Exception exceptionCode="{code}" locator="{locator}"/></ows:ExceptionReport>'
    )
    return Refused(Reply(text.encode(), "application/xml", status))


ROUTES = [
    Route("GET", f"{ROOT}/1.0.0/WMTSCapabilities.xml", Provider.WMTS, Part.DOCUMENT, capabilities),
    Route("GET", f"{ROOT}/1.0.0/{{layer}}/{{style}}/{{set}}/{{z}}/{{y}}/{{x}}.jpeg", Provider.WMTS, Part.TILE, rest),
    Route("GET", f"{ROOT}/kvp", Provider.WMTS, Part.TILE, kvp),
]
