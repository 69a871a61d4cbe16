"""Chips from PMTiles archives: the same as from the same tiles in a folder, and bad archives are told of."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pmtiles.tile import TileType, zxy_to_tileid
from pytest_httpserver import HTTPServer

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.sources.aerial.pmtiles import PmtilesAerialSource
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.aerial.tiles import web_mercator
from pipeline.sources.base import Networked
from schemas.reasons import Reason
from tests.sources.aerial.range_serving import CREDITS, Served, client, serve, speckle, write_archive

KAMPALA = Point(0.3509, 32.5947)
ZOOM = 17


@pytest.fixture
def served(httpserver: HTTPServer) -> Served:
    return serve(httpserver)


def archive(path: Path, tiles: dict[tuple[int, int, int], bytes], kind: TileType = TileType.PNG) -> Path:
    return write_archive(path, {zxy_to_tileid(*place): body for place, body in tiles.items()}, kind)


def encoded(pixels: Any, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def around(point: Point, zooms: range, side_px: int = 256, kind: str = "PNG") -> dict[tuple[int, int, int], bytes]:
    """Three by three tiles around a point at each zoom."""
    tiles = {}
    for z in zooms:
        x, y = web_mercator(z).tile_at(point.lat, point.lon)
        for i in range(9):
            pixels = speckle(side_px, seed=100 * z + i).transpose(1, 2, 0)
            tiles[z, x + i % 3 - 1, y + i // 3 - 1] = encoded(pixels, kind)
    return tiles


def source(cache: Path, archive_: object, **keys: Any) -> PmtilesAerialSource:
    settings = {"type": "pmtiles", "archive": str(archive_), "credits": CREDITS, **keys}
    settings.setdefault("rate", {"per_s": 1000, "at_once": 8})
    return PmtilesAerialSource("tiles", config.PmtilesAerial.model_validate(settings), [], client(cache / "cache"))


def folder(path: Path, tiles: dict[tuple[int, int, int], bytes]) -> RasterSource:
    for (z, x, y), body in tiles.items():
        (path / f"{z}/{x}").mkdir(parents=True, exist_ok=True)
        (path / f"{z}/{x}/{y}.png").write_bytes(body)
    terms = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    return RasterSource("folder", config.RasterSource(type="raster", path=path, layout="xyz", credits=terms), [])


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("side_px", [256, 512])
def test_a_chip_is_that_of_the_same_tiles_in_a_folder(
    served: Served, tmp_path: Path, remote: bool, side_px: int
) -> None:
    tiles = around(KAMPALA, range(ZOOM, ZOOM + 1), side_px)
    path = archive(tmp_path / "a.pmtiles", tiles)
    where = served.add("/files/a.pmtiles", path) if remote else path
    chip = source(tmp_path, where).chip(KAMPALA, 200, 0.6)
    wanted = folder(tmp_path / "xyz", tiles).chip(KAMPALA, 200, 0.6)
    assert chip.covered == 1
    # The grid of tiles begins elsewhere, and so does the rounding of where its pixels lie.
    assert np.abs(chip.pixels.astype(int) - wanted.pixels).max() <= 1
    assert (chip.author, chip.licence) == ("Survey", "CC-BY-4.0")
    assert all(name.startswith(f"tiles/{ZOOM}/") for name in chip.source_id.split())


def test_the_corpus_tiles_in_an_archive_give_the_corpus_chip(tmp_path: Path, corpus: Path) -> None:
    tiles = {}
    root = next(path for path in (corpus / "aerial").iterdir() if path.is_dir())
    zoom = max(int(path.name) for path in root.iterdir() if path.name.isdecimal())
    for path in (root / str(zoom)).glob("*/*.*"):
        tiles[zoom, int(path.parent.name), int(path.stem)] = path.read_bytes()
    xs, ys = ([place[i] for place in tiles] for i in (1, 2))
    lon = (np.mean([min(xs), max(xs) + 1]) / 2**zoom) * 360 - 180
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * np.mean([min(ys), max(ys) + 1]) / 2**zoom))))
    point = Point(float(lat), float(lon))
    kind = TileType.JPEG if next(iter(tiles.values()))[:2] == b"\xff\xd8" else TileType.PNG
    chip = source(tmp_path, archive(tmp_path / "a.pmtiles", tiles, kind)).chip(point, 256, 0.15)
    terms = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}
    wanted = RasterSource(
        "f", config.RasterSource(type="raster", path=root, layout="xyz", zoom=zoom, credits=terms), []
    )
    assert np.abs(chip.pixels.astype(int) - wanted.chip(point, 256, 0.15).pixels).max() <= 1


def test_the_coarsest_zoom_that_is_fine_enough_is_read(tmp_path: Path) -> None:
    tiles = source(tmp_path, archive(tmp_path / "a.pmtiles", around(KAMPALA, range(14, 19))))
    for gsd_m, zoom in ((5.0, 15), (2.0, 17), (0.1, 18)):
        assert {name.split("/")[1] for name in tiles.chip(KAMPALA, 64, gsd_m).source_id.split()} == {str(zoom)}


def test_requests_over_the_network_are_few(served: Served, tmp_path: Path) -> None:
    url = served.add("/files/a.pmtiles", archive(tmp_path / "a.pmtiles", around(KAMPALA, range(15, 19))))
    tiles = source(tmp_path, url)
    assert served.asked == []
    tiles.chip(KAMPALA, 256, 0.6)
    first = len(served.asked)
    tiles.chip(Point(KAMPALA.lat + 2e-4, KAMPALA.lon), 256, 0.6)
    assert first <= 6
    assert len(served.asked) - first <= 2
    assert first <= tiles.requests(np.array([KAMPALA.lat]), np.array([KAMPALA.lon]), Imagery())
    assert isinstance(tiles, Networked)
    assert "zooms 15 to 18" in tiles.probe(None)  # type: ignore[arg-type]  # the region does not matter


def test_where_there_is_no_tile(tmp_path: Path) -> None:
    tiles = source(tmp_path, archive(tmp_path / "a.pmtiles", around(KAMPALA, range(ZOOM, ZOOM + 1))))
    for point in (Point(10, 10), Point(89, 0)):
        with pytest.raises(SiteError) as caught:
            tiles.chip(point, 64, 0.6)
        assert caught.value.reason is Reason.NO_OVERLAP


def test_a_damaged_tile_says_which(tmp_path: Path) -> None:
    tiles = around(KAMPALA, range(ZOOM, ZOOM + 1))
    middle = (ZOOM, *web_mercator(ZOOM).tile_at(KAMPALA.lat, KAMPALA.lon))
    tiles[middle] = tiles[middle][:2000]
    with pytest.raises(SiteError, match="tile 17/") as caught:
        source(tmp_path, archive(tmp_path / "a.pmtiles", tiles)).chip(KAMPALA, 64, 0.6)
    assert caught.value.reason is Reason.READ_FAILED


def test_files_that_will_not_do_are_told_at_once(tmp_path: Path) -> None:
    text = tmp_path / "text.pmtiles"
    text.write_text("hello")
    vector = archive(tmp_path / "vector.pmtiles", {(0, 0, 0): b"x"}, TileType.MVT)
    for path, match in (
        (text, "no PMTiles"),
        (tmp_path / "none.pmtiles", "No such file"),
        (vector, "type mvt"),
        ("s3://bucket/a.pmtiles", "not supported"),
    ):
        with pytest.raises(ConfigError, match=match):
            source(tmp_path, path)


def test_a_remote_archive_that_will_not_do_fails_the_site(served: Served, tmp_path: Path) -> None:
    vector = archive(tmp_path / "vector.pmtiles", {(0, 0, 0): b"x"}, TileType.MVT)
    with pytest.raises(SiteError, match="type mvt") as caught:
        source(tmp_path, served.add("/files/v.pmtiles", vector)).chip(KAMPALA, 64, 0.6)
    assert caught.value.reason is Reason.READ_FAILED


def test_the_fingerprint_knows_the_content_and_not_the_place(tmp_path: Path) -> None:
    one = archive(tmp_path / "a.pmtiles", around(KAMPALA, range(ZOOM, ZOOM + 1)))
    (tmp_path / "b").mkdir()
    same = Path(shutil.copy(one, tmp_path / "b" / "b.pmtiles"))
    other = archive(tmp_path / "c.pmtiles", around(KAMPALA, range(16, ZOOM)))
    prints = [source(tmp_path, path).fingerprint() for path in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]
