"""Every reader of bytes from outside, with strategies of inputs for it."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import shapely
from hypothesis import strategies as st

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
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.stac import StacSource
from pipeline.sources.aerial.wms import read_layers
from pipeline.sources.aerial.wmts import read_layer
from pipeline.sources.base import StreetSource
from pipeline.sources.street.google import GoogleStreetSource
from pipeline.sources.street.index import read_index
from pipeline.sources.street.kartaview import KartaViewSource
from pipeline.sources.street.mapillary import MapillarySource
from pipeline.sources.street.panoramax import PanoramaxSource
from prompts.replies import REPLIES
from tests.fuzz import seeds
from tests.fuzz.containers import geoparquet, nearly_parquet
from tests.fuzz.map_readers import map_files, map_services, tile_archives
from tests.fuzz.mutations import (
    nearly,
    nearly_csv,
    nearly_json,
    nearly_png,
    nearly_tiff,
    nearly_xml,
    nearly_yaml,
)
from tests.fuzz.network import FuzzClient, any_json
from tests.fuzz.reader import Reader
from tests.fuzz.seeds import CREDITS, HERE, REGION
from tests.sources.aerial.test_wms_source import document as wms_document
from tests.sources.aerial.test_wmts_source import document as wmts_document

_USAGE: dict[str, Any] = {"prompt_tokens": 1, "completion_tokens": 1, "latency_s": 1.0}


def readers(folder: Path) -> Iterator[Reader]:
    """All readers; they write what they need into a folder."""
    yield from _pictures()
    yield from _indexes(folder)
    yield from map_files(folder)
    yield from map_services(folder)
    yield from tile_archives(folder)
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
