"""Readers of maps: files, services, and tiles, those of aerial pictures included."""

import copy
import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import mercantile
import pyarrow.parquet as pq
from hypothesis import strategies as st
from pmtiles.tile import TileType

from pipeline.config import sources as config
from pipeline.errors import SiteError
from pipeline.sources.aerial.pmtiles import PmtilesAerialSource
from pipeline.sources.base import HasRoads, MapSource
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.overpass import OverpassSource
from pipeline.sources.maps.overture import OvertureSource
from pipeline.sources.maps.pmtiles import PmtilesMapSource
from pipeline.sources.street import tiles
from tests.fuzz import seeds
from tests.fuzz.containers import nearly_archive, nearly_parquet, nearly_pbf, nearly_tile
from tests.fuzz.mutations import (
    Bytes,
    nearly,
    nearly_json,
    nearly_xml,
)
from tests.fuzz.network import FuzzClient, any_json
from tests.fuzz.reader import Reader
from tests.fuzz.seeds import CREDITS, HERE, REGION


def map_files(folder: Path) -> Iterator[Reader]:
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


def map_services(folder: Path) -> Iterator[Reader]:
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


def tile_archives(folder: Path) -> Iterator[Reader]:
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
