"""Every reader of bytes from outside, with strategies of inputs for it."""

import copy
import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import mercantile
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from hypothesis import strategies as st
from pmtiles.tile import TileType

from pipeline.captioning.dialogue.reading import BadReplyError, read_reply
from pipeline.captioning.dialogue.requests import Reply
from pipeline.config import sources as config
from pipeline.config.imagery import ImageLimits
from pipeline.engine.build_file import load_build
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode, decode_rgba
from pipeline.net.base import Request
from pipeline.regions.polygon_file import read_outline
from pipeline.sources.aerial import capabilities
from pipeline.sources.aerial.cog import CogSource
from pipeline.sources.aerial.pmtiles import PmtilesAerialSource
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.stac import StacSource
from pipeline.sources.aerial.wms import read_layers
from pipeline.sources.aerial.wmts import read_layer
from pipeline.sources.base import HasRoads, MapSource, StreetSource
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.overpass import OverpassSource
from pipeline.sources.maps.overture import OvertureSource
from pipeline.sources.maps.pmtiles import PmtilesMapSource
from pipeline.sources.street import tiles
from pipeline.sources.street.google import GoogleStreetSource
from pipeline.sources.street.index import read_index
from pipeline.sources.street.kartaview import KartaViewSource
from pipeline.sources.street.mapillary import MapillarySource
from pipeline.sources.street.panoramax import PanoramaxSource
from prompts.replies import REPLIES
from tests.fuzz import seeds
from tests.fuzz.mutations import (
    ODD,
    Bytes,
    nearly,
    nearly_csv,
    nearly_json,
    nearly_png,
    nearly_tiff,
    nearly_xml,
    nearly_yaml,
    spoilt,
)
from tests.fuzz.network import FuzzClient, any_json
from tests.fuzz.seeds import CREDITS, HERE, REGION
from tests.sources.aerial.test_wms_source import document as wms_document
from tests.sources.aerial.test_wmts_source import document as wmts_document

_USAGE: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, "latency_s": 1.0}
RANDOM = st.randoms(use_true_random=False)


@dataclass(frozen=True)
class Reader:
    """A way into the pipeline for bytes from outside."""

    name: str
    inputs: st.SearchStrategy[Any]
    """Spoilt ones."""
    read: Callable[[Any], object]
    sound: Any
    """An input that nothing is wrong with."""


def readers(folder: Path) -> Iterator[Reader]:
    """All readers; they write what they need into a folder."""
    yield from _pictures()
    yield from _indexes(folder)
    yield from _map_files(folder)
    yield from _map_services(folder)
    yield from _tiles(folder)
    yield from _rasters(folder)
    yield from _documents(folder)
    yield from _street()
    yield from _texts(folder)


def _pictures() -> Iterator[Reader]:
    limits = ImageLimits(min_side_px=16)

    def read(data: bytes) -> None:
        for way in (decode, decode_rgba):
            with suppress(SiteError):
                way(data, limits)
        decode(data, limits, long_side_px=20)

    known = seeds.pictures()
    yield Reader("jpeg", nearly(known["jpeg"]), read, known["jpeg"][0])
    yield Reader("png", st.one_of(nearly_png(known["png"]), nearly(known["png"])), read, known["png"][1])
    yield Reader("webp", nearly(known["webp"]), read, known["webp"][0])


def _indexes(folder: Path) -> Iterator[Reader]:
    (folder / "a.jpg").write_bytes(b"x")

    def into(name: str) -> Callable[[bytes], object]:
        def read(data: bytes) -> object:
            path = folder / name
            path.write_bytes(data)
            return read_index(path, folder, [REGION])

        return read

    row = seeds.INDEX_ROW
    lines = st.lists(nearly_json([row]), min_size=1, max_size=3).map(b"\n".join)
    table = ",".join(row) + "\n" + ",".join(map(str, row.values()))
    place = {key: value for key, value in row.items() if key not in {"lat", "lon"}}
    place["geometry"] = shapely.to_wkb(shapely.Point(HERE.lon, HERE.lat))
    yield Reader("index.jsonl", lines, into("index.jsonl"), json.dumps(row).encode())
    yield Reader("index.csv", nearly_csv([table]), into("index.csv"), table.encode())
    yield Reader("index.parquet", nearly_parquet([[place], [row]]), into("index.parquet"), geoparquet([place]))


def _map_files(folder: Path) -> Iterator[Reader]:
    known = seeds.maps(folder)
    rows = pq.read_table(folder / "town.parquet").to_pylist()
    inputs: dict[str, Bytes] = {
        "json": nearly_json([json.loads(known["json"])]),
        "osm": st.one_of(nearly_xml([known["osm"]]), nearly([known["osm"]])),
        "osm.pbf": st.one_of(nearly_pbf(known["osm.pbf"]), nearly([known["osm.pbf"]])),
        "geojson": nearly_json([json.loads(known["geojson"])]),
        "parquet": nearly_parquet([rows]),
        "json.gz": nearly([gzip.compress(known["json"], mtime=0)]),
    }
    for kind, strategy in inputs.items():
        sound = known[kind] if kind in known else gzip.compress(known["json"])
        yield Reader(f"map.{kind}", strategy, _into_map(folder / f"fuzz.{kind}"), sound)


def _into_map(path: Path) -> Callable[[bytes], object]:
    def read(data: bytes) -> None:
        path.write_bytes(data)
        _ask_map(MapFilesSource("m", config.MapFiles(type="files", files=[path]), [REGION]))

    return read


def _ask_map(source: MapSource) -> None:
    """All that a build asks of a map."""
    for ask in (lambda: source.around(HERE, 80.0), lambda: source.chip(HERE, 64, 1.0)):
        with suppress(SiteError):
            ask()
    assert isinstance(source, HasRoads)
    list(islice(source.roads(REGION), 500))


def _map_services(folder: Path) -> Iterator[Reader]:
    town = json.loads((folder / "town.json").read_bytes())
    geom = copy.deepcopy(town)
    places = {node["id"]: {"lat": node["lat"], "lon": node["lon"]} for node in geom["elements"] if "lat" in node}
    for element in geom["elements"]:
        if "nodes" in element:
            element["geometry"] = [places[ref] for ref in element["nodes"]]
    relation = {"type": "relation", "id": 9, "tags": {"type": "multipolygon", "natural": "water"}, "members": [
        {"type": "way", "ref": 50, "role": "outer", "geometry": list(places.values())[:4]}]}  # fmt: skip
    geom["elements"].append(relation)

    def overpass(body: bytes) -> None:
        _ask_map(OverpassSource("m", config.Overpass(type="overpass"), [REGION], FuzzClient(any_json(body))))

    yield Reader("overpass", nearly_json([town, geom]), overpass, json.dumps(geom).encode())

    part = folder / "release" / "theme=places" / "type=place" / "part.parquet"
    part.parent.mkdir(parents=True)

    def overture(body: bytes) -> None:
        part.write_bytes(body)
        settings = config.Overture(type="overture", release=str(folder / "release"))
        _ask_map(OvertureSource("m", settings, [REGION], FuzzClient(any_json(b""))))

    rows = pq.read_table(folder / "town.parquet").to_pylist()
    yield Reader("overture", nearly_parquet([rows]), overture, (folder / "town.parquet").read_bytes())

    def listing(body: bytes) -> None:
        settings = config.Overture(type="overture", release="s3://maps/release")
        source = OvertureSource("m", settings, [REGION], FuzzClient(lambda _: (body, "application/xml")))
        source.probe(REGION)

    listed = seeds.S3_LISTING
    paged = listed.replace(b"<Contents>", b"<NextContinuationToken>t</NextContinuationToken><Contents>")
    pages = st.one_of(nearly_xml([listed, paged]), nearly([listed, paged]))
    yield Reader("s3 listing", pages, listing, listed)


def _tiles(folder: Path) -> Iterator[Reader]:
    home = mercantile.tile(HERE.lon, HERE.lat, 15)
    around = [home, *mercantile.neighbors(home)]
    sound = seeds.vector_tile()
    plain = sound.SerializeToString()
    maps = seeds.archive({(t.z, t.x, t.y): plain for t in around}, TileType.MVT, folder)
    photo = mercantile.tile(HERE.lon, HERE.lat, 17)
    shown = {(t.z, t.x, t.y): seeds.picture("PNG", side=256) for t in [photo, *mercantile.neighbors(photo)]}
    photos = seeds.archive(shown, TileType.PNG, folder)

    def vector(data: bytes) -> None:
        with suppress(SiteError):
            list(tiles.points(data, home, "pois"))
        path = folder / "vector.pmtiles"
        path.write_bytes(seeds.archive({(t.z, t.x, t.y): data for t in around}, TileType.MVT, folder))
        _ask_map(PmtilesMapSource("m", config.PmtilesMap(type="pmtiles", archive=str(path)), [REGION], _nobody()))

    yield Reader("vector tile", st.one_of(nearly_tile(sound), nearly([plain])), vector, plain)

    def map_archive(data: bytes) -> None:
        path = folder / "map.pmtiles"
        path.write_bytes(data)
        _ask_map(PmtilesMapSource("m", config.PmtilesMap(type="pmtiles", archive=str(path)), [REGION], _nobody()))

    yield Reader("pmtiles, map", st.one_of(nearly_archive(maps), nearly([maps])), map_archive, maps)

    def aerial_archive(data: bytes) -> None:
        settings = config.PmtilesAerial.model_validate(
            {"type": "pmtiles", "archive": "https://a.org/a.pmtiles", "credits": CREDITS}
        )
        client = FuzzClient(lambda _: (data, "application/octet-stream"))
        PmtilesAerialSource("a", settings, [REGION], client).chip(HERE, 64, 1.0)

    yield Reader("pmtiles, aerial", st.one_of(nearly_archive(photos), nearly([photos])), aerial_archive, photos)


def _nobody() -> FuzzClient:
    return FuzzClient(any_json(b""))


def _rasters(folder: Path) -> Iterator[Reader]:
    known = seeds.geotiffs(folder)
    inputs = st.one_of(nearly_tiff(known[:1] + known[2:]), nearly(known))
    path = folder / "raster.tif"

    def local(data: bytes) -> None:
        path.write_bytes(data)
        settings = {"type": "raster", "path": path, "scale": None, "credits": CREDITS}
        RasterSource("a", config.RasterSource.model_validate(settings), [REGION]).chip(HERE, 64, 1.0)

    def remote(data: bytes) -> None:
        settings = {"type": "cog", "urls": ["https://a.org/a.tif"], "credits": CREDITS}
        client = FuzzClient(lambda _: (data, "image/tiff"))
        CogSource("a", config.CogSource.model_validate(settings), [REGION], client).chip(HERE, 64, 1.0)

    yield Reader("geotiff, local", inputs, local, known[0])
    yield Reader("geotiff, remote", inputs, remote, known[1])


def _documents(folder: Path) -> Iterator[Reader]:
    base = "https://a.example.org/"
    wmts = config.WmtsSource.model_validate(
        {"type": "wmts", "capabilities": f"{base}wmts", "layer": "photos", "credits": CREDITS}
    )
    wms = config.WmsSource.model_validate(
        {"type": "wms", "capabilities": f"{base}wms", "layers": ["ortho"], "credits": CREDITS}
    )
    tiled = [wmts_document(base).encode(), wmts_document(base, resource="").encode()]
    drawn = [wms_document(base, version).encode() for version in ("1.3.0", "1.1.1")]

    def read_wmts(body: bytes) -> None:
        layer = capabilities.parse(body, lambda xml, _: read_layer(xml, wmts, "here"))
        for matrix in layer.matrices:
            layer.request(matrix, *matrix.tile_at(HERE.lat, HERE.lon))

    def read_wms(body: bytes) -> None:
        capabilities.parse(body, lambda xml, version: read_layers(xml, version, wms, "here"))

    yield Reader("wmts capabilities", st.one_of(nearly_xml(tiled), nearly(tiled)), read_wmts, tiled[0])
    yield Reader("wms capabilities", st.one_of(nearly_xml(drawn), nearly(drawn)), read_wms, drawn[0])

    raster = seeds.geotiffs(folder)[0]

    def answer(request: Request, body: bytes) -> tuple[bytes, str]:
        if request.first is not None:
            return raster, "image/tiff"
        which = "collections/" in request.url
        return json.dumps(seeds.STAC_COLLECTION).encode() if which else body, "application/geo+json"

    def stac(body: bytes) -> None:
        settings = {"type": "stac", "endpoint": "https://stac.example.org", "collections": ["photos"]}
        client = FuzzClient(lambda request: answer(request, body))
        source = StacSource("a", config.StacSource.model_validate(settings), [REGION], client)
        with suppress(SiteError):
            source.probe(REGION)
        source.chip(HERE, 64, 1.0)

    last_page = {**seeds.STAC_ANSWERS[0], "links": []}
    yield Reader("stac", nearly_json(seeds.STAC_ANSWERS), stac, json.dumps(last_page).encode())
    outline = folder / "outline.geojson"

    def region(body: bytes) -> None:
        outline.write_bytes(body)
        read_outline(outline.name, folder, "regions.0.polygon")

    yield Reader("region outline", nearly_json(seeds.OUTLINES), region, json.dumps(seeds.OUTLINES[1]).encode())


def _street() -> Iterator[Reader]:
    made: dict[str, Callable[[FuzzClient], StreetSource]] = {
        "panoramax": lambda client: PanoramaxSource("s", config.Panoramax(type="panoramax"), [REGION], client),
        "mapillary": lambda client: MapillarySource("s", config.Mapillary(type="mapillary"), [REGION], client),
        "kartaview": lambda client: KartaViewSource("s", config.KartaView(type="kartaview"), [REGION], client),
        "google": lambda client: GoogleStreetSource(
            "s", config.GoogleStreet(type="google", separate_agreement="ours"), [REGION], client
        ),
    }
    for name, make in made.items():
        answers = seeds.STREET_ANSWERS[name]

        def read(body: bytes, make: Callable[[FuzzClient], StreetSource] = make) -> None:
            source = make(FuzzClient(any_json(body)))
            for photo in source.near(HERE, 50.0)[:3]:
                with suppress(SiteError):
                    source.read(photo)

        yield Reader(name, nearly_json(answers), read, json.dumps(answers[0]).encode())


def _texts(folder: Path) -> Iterator[Reader]:
    file = folder / "build.yaml"

    def build(text: str) -> object:
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        return load_build(file)

    yield Reader("build file", nearly_yaml(seeds.builds()), build, json.dumps(seeds.builds()[0]))

    def reply(given: tuple[str, bytes]) -> None:
        turn, text = given
        with suppress(BadReplyError):
            cut = Reply(text=text.decode("utf-8", "replace"), finish_reason="stop", **_USAGE)
            read_reply(turn, cut, {"long": 300, "short": 77, "street": 300})  # type: ignore[arg-type]

    said = [_example(model.model_json_schema(), model.model_json_schema()) for model in REPLIES.values()]
    yield Reader(
        "model reply",
        st.tuples(st.sampled_from(sorted(REPLIES)), nearly_json(said)),
        reply,
        ("observe", json.dumps(said[0]).encode()),
    )


def _example(schema: Any, whole: Any) -> Any:
    """A value of a JSON Schema."""
    while "$ref" in schema or "anyOf" in schema:
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = whole["$defs"][name] if name else schema["anyOf"][0]
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    kind = schema.get("type")
    if kind == "object":
        return {key: _example(part, whole) for key, part in schema.get("properties", {}).items()} or {"c1": "clear"}
    if kind == "array":
        return [_example(schema["items"], whole)] * max(1, schema.get("minItems", 1))
    return {"string": "a sign", "integer": 1, "number": 0.5, "boolean": True}.get(kind)


_GEO: Any = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}


def geoparquet(rows: list[dict[str, Any]]) -> bytes:
    """A GeoParquet file of rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata({"geo": json.dumps(_GEO)}), sink)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def nearly_parquet(tables: Sequence[list[dict[str, Any]]]) -> Bytes:
    """GeoParquet files of rows, with some values, columns and bytes changed."""

    def made(chance: Any, number: int) -> bytes:
        rows = [dict(row) for row in chance.choice(list(tables))]
        columns = {key: [row.get(key) for row in rows] for row in rows for key in row}
        for _ in range(number):
            key = chance.choice(sorted(columns))
            action = chance.randrange(6)
            if action == 0:
                columns[key] = [copy.deepcopy(chance.choice(ODD))] * len(rows)
            elif action == 1:
                columns[key] = [spoilt(chance, value, 1) if _plain(value) else value for value in columns[key]]
            elif action == 2 and len(columns) > 1:
                del columns[key]
            elif action == 3:
                columns[key] = columns[chance.choice(sorted(columns))]
            elif action == 4 and isinstance(columns[key][0], bytes):
                columns[key] = [_changed(chance, value or b"") for value in columns[key]]
            else:
                columns[chance.choice(["x", "bbox", "geometry", "id", "names", "heading"])] = columns[key]
        geo = spoilt(chance, _GEO, 1) if chance.random() < 0.2 else _GEO
        arrays = {}
        for name, values in columns.items():
            with suppress(pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
                arrays[name] = pa.array(values)
        sink = pa.BufferOutputStream()
        table = pa.table(arrays).replace_schema_metadata({"geo": json.dumps(geo)} if "geometry" in arrays else None)
        with suppress(pa.ArrowException):
            pq.write_table(table, sink, compression=chance.choice(["snappy", "none", "zstd"]))
        data = sink.getvalue().to_pybytes()
        return _changed(chance, data) if data and chance.random() < 0.4 else data

    return st.builds(made, RANDOM, st.integers(0, 4))


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | list | dict)


def _changed(chance: Any, data: bytes) -> bytes:
    """Bytes with one or two places changed."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 2])):
        place = chance.randrange(len(changed) + 1)
        changed[place : place + chance.choice([0, 1, 4])] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f", b""])
    return bytes(changed)


def nearly_tile(sound: Any) -> Bytes:
    """Vector tiles with changed commands, attributes and fields."""

    def made(chance: Any, number: int) -> bytes:
        tile = copy.deepcopy(sound)
        for _ in range(number):
            if not tile.layers:
                break
            layer = chance.choice(tile.layers)
            action = chance.randrange(9)
            odd = chance.choice([0, 1, 2, 7, 9, 15, 26, 2**20, 2**31, 2**32 - 1, chance.randrange(9_000)])
            feature = chance.choice(layer.features) if layer.features else layer.features.add()
            if action == 0 and feature.geometry:
                feature.geometry[chance.randrange(len(feature.geometry))] = odd
            elif action == 1:
                feature.geometry.append(odd)
            elif action == 2 and feature.geometry:
                del feature.geometry[chance.randrange(len(feature.geometry))]
            elif action == 3:
                feature.tags.extend([odd] * chance.choice([1, 2]))
            elif action == 4:
                feature.type = chance.randrange(4)
            elif action == 5:
                layer.extent = odd
            elif action == 6:
                layer.ClearField(chance.choice(["version", "name", "extent", "keys", "values", "features"]))
            elif action == 7:
                layer.features.extend([feature] * chance.choice([1, 200]))
            elif layer.values:
                value = chance.choice(layer.values)
                value.Clear()
                with suppress(ValueError, TypeError, OverflowError):
                    field = chance.choice(["string_value", "int_value", "uint_value", "double_value", "bool_value"])
                    setattr(value, field, chance.choice(ODD))
        data: bytes = tile.SerializePartialToString()
        return data

    return st.builds(made, RANDOM, st.integers(1, 5))


def nearly_pbf(sound: bytes) -> Bytes:
    """OSM PBF files whose blocks are changed inside their sound packing."""
    blobs = list(_blobs(sound))

    def made(chance: Any) -> bytes:
        changed = list(blobs)
        place = chance.randrange(len(changed))
        kind, raw = changed[place]
        changed[place] = kind, _changed(chance, raw)
        return b"".join(_blob(kind, raw) for kind, raw in changed)

    return st.builds(made, RANDOM)


def _blobs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and unpacked content of each blob; the file was written by osmium, fields in order."""
    place = 0
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        header = _message(data[place + 4 : place + 4 + length])
        start = place + 4 + length
        blob = _message(data[start : start + header[3]])
        yield header[1], blob[1] if 1 in blob else zlib.decompress(blob[3])
        place = start + header[3]


def _message(data: bytes) -> dict[int, Any]:
    """The fields of a protocol buffer's message that are numbers or bytes."""
    found: dict[int, Any] = {}
    place = 0
    while place < len(data):
        key, place = _number(data, place)
        value, place = _number(data, place)
        if key & 7 == 2:
            found[key >> 3] = data[place : place + value]
            place += value
        else:
            found[key >> 3] = value
    return found


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if data[place - 1] < 128:
            return value, place


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _blob(kind: bytes, raw: bytes) -> bytes:
    packed = zlib.compress(raw)
    blob = b"\x10" + _varint(len(raw)) + b"\x1a" + _varint(len(packed)) + packed
    header = b"\x0a" + _varint(len(kind)) + kind + b"\x18" + _varint(len(blob))
    return struct.pack(">I", len(header)) + header + blob


def nearly_archive(sound: bytes) -> Bytes:
    """PMTiles archives with changed headers, or changed directories and metadata inside their sound packing."""

    def made(chance: Any) -> bytes:
        data = bytearray(sound)
        action = chance.randrange(3)
        if action == 0:
            place = 7 + chance.randrange(120)
            data[place : place + 1] = bytes([chance.choice([0, 1, 2, 3, 4, 5, 127, 255])])
            return bytes(data)
        # The root directory and the metadata: where they lie stands in the header, 8 bytes each.
        at = 8 if action == 1 else 24
        first, length = struct.unpack_from("<QQ", data, at)
        inner = gzip.decompress(bytes(data[first : first + length]))
        changed = gzip.compress(_changed(chance, inner), mtime=0)
        struct.pack_into("<QQ", data, at, len(data), len(changed))
        return bytes(data) + changed

    return st.builds(made, RANDOM)
