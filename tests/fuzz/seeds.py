"""Valid inputs of every kind, made here: what the mutations start from."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from mapbox_vector_tile.Mapbox import vector_tile_pb2
from PIL import Image
from pmtiles.tile import Compression, TileType, zxy_to_tileid
from pmtiles.writer import Writer

from pipeline.config.region import Region
from pipeline.geo.point import Point
from tests.cartography.conftest import _write as write_town
from tests.sources.street.conftest import HERE as STREET
from tests.sources.street.test_google_street import FOUND as GOOGLE
from tests.sources.street.test_kartaview import item as kartaview_item
from tests.sources.street.test_kartaview import page as kartaview_page
from tests.sources.street.test_mapillary import image as mapillary_image
from tests.sources.street.test_panoramax import item as panoramax_item
from tests.sources.test_vector_tile import AREA, LINE, POINT, drawn, moved

HERE = Point(47.3769, 8.5417)
REGION = Region(name="town", centre=(HERE.lat, HERE.lon), radius_m=600)
CREDITS = {"author": "Survey", "licence": "CC-BY-4.0", "link": "https://example.org/terms"}
MAP_FORMATS = ("json", "osm", "osm.pbf", "geojson", "parquet")

STREET_ANSWERS: dict[str, list[Any]] = {
    "panoramax": [
        {"features": [panoramax_item(n, n, assets={"hd": {"href": f"https://x.org/{n}.jpg"}}) for n in range(4)]},
        {"instances": [{"url": "https://panoramax.ign.fr"}, {"url": "https://x.org"}]},
    ],
    "mapillary": [
        {"data": [mapillary_image(n, n, thumb_2048_url="https://a.fbcdn.net/1") for n in range(4)], "paging": {}},
        {"data": [], "paging": {"cursors": {"after": "x"}, "next": "https://graph.mapillary.com/?after=y"}},
        {"id": "1", "thumb_2048_url": "https://a.fbcdn.net/1"},
        {"error": {"message": "reduce the amount of data", "type": "MLYApiException", "code": 1}},
        {"error": {"message": "no", "code": 190, "error_subcode": 33}},
    ],
    "kartaview": [kartaview_page(*(kartaview_item(n, n) for n in range(4)))],
    "google": [GOOGLE, {"status": "ZERO_RESULTS"}, {"status": "OVER_QUERY_LIMIT", "error_message": "no"}],
}
assert STREET.lat

INDEX_ROW = {
    "path": "a.jpg", "id": "a", "lat": HERE.lat, "lon": HERE.lon, "heading": 90.0, "hfov_deg": 65.0,
    "projection": "perspective", "captured_at": "2026-04-02T04:00:06Z", "author": "Ann", "licence": "CC-BY-4.0",
    "link": "https://example.org/a",
}  # fmt: skip

STAC_ANSWERS: list[Any] = [
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature", "stac_version": "1.0.0", "id": f"scene-{n}", "collection": "photos",
                "bbox": [HERE.lon - 1, HERE.lat - 1, HERE.lon + 1, HERE.lat + 1],
                "geometry": {"type": "Point", "coordinates": [HERE.lon, HERE.lat]},
                "properties": {"datetime": "2024-05-01T10:00:00Z", "license": "CC-BY-4.0", "gsd": 0.1,
                               "eo:cloud_cover": 1, "providers": [{"name": "Ann", "roles": ["producer"]}]},
                "assets": {"visual": {"href": f"https://stac.example.org/{n}.tif", "type": "image/tiff"}},
                "links": [{"rel": "self", "href": "./x.json"}],
            }
            for n in range(3)
        ],
        "links": links,
    }
    for links in ([], [{"rel": "next", "href": "https://stac.example.org/search", "method": "POST", "body": {"a": 2}}])
]  # fmt: skip
STAC_COLLECTION = {"id": "photos", "license": "CC-BY-4.0", "providers": [{"name": "Ann", "roles": ["licensor"]}]}

S3_LISTING = b"""<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>maps</Name><Prefix>release/</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
<Contents><Key>release/theme=places/type=place/part-0.parquet</Key>
<LastModified>2026-10-21T00:00:00.000Z</LastModified><ETag>"1"</ETag><Size>1024</Size></Contents>
<CommonPrefixes><Prefix>release/theme=places/type=place/</Prefix></CommonPrefixes></ListBucketResult>"""

OUTLINES: list[Any] = [
    {"type": "Polygon", "coordinates": [[[8.0, 47.0], [9.0, 47.0], [9.0, 48.0], [8.0, 47.0]]]},
    {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": {
        "type": "MultiPolygon", "coordinates": [[[[8, 47], [9, 47], [9, 48], [8, 47]], [[8.5, 47.2], [8.6, 47.2],
                                                 [8.6, 47.3], [8.5, 47.2]]]]}}]},
]  # fmt: skip


def picture(kind: str, mode: str = "RGB", side: int = 64, **options: Any) -> bytes:
    """An encoded picture of noise."""
    channels = {"RGB": 3, "RGBA": 4, "L": 1, "P": 1, "CMYK": 4, "I;16": 1}[mode]
    values = np.random.default_rng(side).integers(0, 255, (side, side, channels), np.uint8)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(values.squeeze(), "L" if mode == "P" else mode)
        image = image.convert("P") if mode == "P" else image
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pictures() -> dict[str, list[bytes]]:
    """Pictures by format."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "jpeg": [picture("JPEG", exif=exif), picture("JPEG", "L", progressive=True), picture("JPEG", "CMYK")],
        "png": [picture("PNG", mode) for mode in ("RGB", "RGBA", "L", "P", "I;16")],
        "webp": [picture("WEBP", exif=exif), picture("WEBP", "RGBA", lossless=True)],
    }


def maps(folder: Path) -> dict[str, bytes]:
    """The same small town in every format."""
    return {kind: write_town(folder / f"town.{kind}", HERE).read_bytes() for kind in MAP_FORMATS}


def vector_tile() -> Any:
    """A tile of the Protomaps basemap, as a message."""
    tile = vector_tile_pb2.tile()
    things: list[tuple[str, int, list[int], dict[str, Any]]] = [
        ("roads", LINE, drawn([(0, 0), (900, 900), (4_000, 2_000)], LINE), {"kind": "minor_road", "name": "Mill Lane"}),
        ("roads", LINE, drawn([(0, 4_000), (4_000, 0)], LINE), {"kind": "major_road", "is_bridge": True, "level": 1}),
        ("landuse", AREA, drawn([(0, 0), (900, 0), (900, 900)], AREA), {"kind": "park", "name": "Garden"}),
        ("buildings", AREA, drawn([(0, 0), (90, 0), (90, 90), (0, 90)], AREA)
         + moved([(0, 90)], [(10, 10), (10, 50), (50, 50)], AREA), {"kind": "building", "height": 12.5}),
        ("pois", POINT, [9, 400, 400], {"kind": "cafe", "name": "Café", "id": "1", "captured_at": 1_600_000_000_000}),
    ]  # fmt: skip
    for name, kind, geometry, properties in things:
        layer = next((known for known in tile.layers if known.name == name), None)
        layer = layer or tile.layers.add(name=name, version=2, extent=4_096)
        feature = layer.features.add(id=(2 << 44) | (len(layer.features) + 1), type=kind, geometry=geometry)
        for key, value in properties.items():
            feature.tags.extend([len(layer.keys), len(layer.values)])
            layer.keys.append(key)
            kinds = {bool: "bool_value", str: "string_value", int: "int_value", float: "double_value"}
            layer.values.add(**{kinds[type(value)]: value})
    return tile


def archive(tiles: dict[tuple[int, int, int], bytes], kind: TileType, folder: Path) -> bytes:
    """A PMTiles archive."""
    path = folder / "seed.pmtiles"
    with path.open("wb") as file:
        writer: Any = Writer(file)  # type: ignore[no-untyped-call]  # ships no types
        for place, data in sorted(tiles.items(), key=lambda item: zxy_to_tileid(*item[0])):
            writer.write_tile(zxy_to_tileid(*place), gzip.compress(data) if kind is TileType.MVT else data)
        zooms = [z for z, _, _ in tiles]
        header = {
            "tile_type": kind, "tile_compression": Compression.GZIP if kind is TileType.MVT else Compression.NONE,
            "min_zoom": min(zooms), "max_zoom": max(zooms), "min_lon_e7": int((HERE.lon - 1) * 1e7),
            "min_lat_e7": int((HERE.lat - 1) * 1e7), "max_lon_e7": int((HERE.lon + 1) * 1e7),
            "max_lat_e7": int((HERE.lat + 1) * 1e7), "center_zoom": min(zooms), "center_lon_e7": 0, "center_lat_e7": 0,
        }  # fmt: skip
        writer.finalize(header, {"name": "town", "planetiler:osm:osmosisreplicationtime": "2026-10-05T00:00:00Z"})
        writer.tile_f.close()
    return path.read_bytes()


def geotiffs(folder: Path) -> list[bytes]:
    """Small georeferenced rasters: plain, tiled and packed, of one band with a mask, of 16 bits."""
    place = {"crs": "EPSG:3857", "transform": Affine(1, 0, 950_862, 0, -1, 6_003_850), "width": 64, "height": 64}
    made = []
    kinds: list[tuple[int, str, dict[str, Any]]] = [
        (3, "uint8", {}), (4, "uint8", {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}),
        (1, "uint8", {"nodata": 0, "compress": "lzw"}), (3, "uint16", {"compress": "packbits"}),
    ]  # fmt: skip
    for n, (count, dtype, options) in enumerate(kinds):
        path = folder / f"seed{n}.tif"
        with rasterio.open(path, "w", driver="GTiff", count=count, dtype=dtype, **place, **options) as raster:
            raster.write(np.random.default_rng(n).integers(1, 250, (count, 64, 64)).astype(dtype))
        made.append(path.read_bytes())
    return made


def builds() -> list[Any]:
    """Build files, as YAML gives them."""
    world: dict[str, Any] = {
        "name": "town", "seed": 5, "workspace": "w", "dataset": "d",
        "regions": [{"name": "north", "centre": [59.33, 18.06], "radius_m": 260}, {"catalogue": "jp-tokyo"}],
        "sources": {"street": {"town": {"type": "world", "seed": 3}}, "map": {"plan": {"type": "world", "seed": 3}}},
        "sampling": {"spacing_m": 60, "max_sites": 10, "unit_resolution": 10},
        "imagery": {"max_views": 2, "chips": {"gsd_m": 0.6, "size_px": 128}, "anonymiser": "none"},
        "perception": {"ocr": {"engine": "oracle"}, "segmenters": [{"engine": "oracle"}]},
    }  # fmt: skip
    real: dict[str, Any] = {
        "name": "real", "workspace": "s3://bucket/w", "dataset": "d",
        "regions": [{"name": "a", "polygon": "POLYGON ((8 47, 9 47, 9 48, 8 47))", "aerial": "tiles"},
                    {"name": "b", "bbox": [8.0, 47.0, 9.0, 48.0], "aerial": "cogs"}],
        "sources": {
            "street": {"photos": {"type": "panoramax", "rate": {"per_s": 1, "at_once": 1}}},
            "aerial": {
                "tiles": {"type": "xyz", "template": "https://a.org/{z}/{x}/{y}", "credits": CREDITS,
                          "captured_on": "2024-06-30"},
                "cogs": {"type": "cog", "urls": ["https://a.org/a.tif"], "credits": CREDITS},
                "stac": {"type": "stac", "endpoint": "https://a.org", "collections": ["c"], "datetime": "2024/.."},
            },
            "map": {"osm": {"type": "overpass", "extracted_on": "2026-07-20"}},
        },
        "captioner": {"engine": "dialogue", "model": "m", "endpoints": ["http://127.0.0.1:8000/v1"]},
        "network": {"contact": "a@example.org"}, "publish": {"splits": {"train": 0.8, "val": 0.1, "test_seen": 0.1}},
    }  # fmt: skip
    return [json.loads(json.dumps(one)) for one in (world, real)]
