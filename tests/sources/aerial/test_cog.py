"""Chips from remote GeoTIFFs: the same as from the same file on disk, in few requests, and GDAL asks for nothing."""

import math
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pytest_httpserver import HTTPServer

from pipeline.config import sources as config
from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.errors import ConfigError, SiteError
from pipeline.geo.point import Point
from pipeline.sources.aerial.cog import CogSource
from pipeline.sources.aerial.raster import RasterSource
from pipeline.sources.base import AerialSource, Networked
from schemas.reasons import Reason
from tests.sources.aerial.range_serving import CREDITS, HERE, Served, client, ranged, serve, speckle, write_cog

LOCAL = {"type": "raster", "credits": CREDITS}


@pytest.fixture
def served(httpserver: HTTPServer) -> Served:
    return serve(httpserver)


def cog(tmp_path: Path, *urls: str, **keys: Any) -> CogSource:
    settings = {"type": "cog", "urls": urls, "credits": CREDITS, "rate": {"per_s": 1000, "at_once": 8}, **keys}
    return CogSource("far", config.CogSource.model_validate(settings), [], client(tmp_path / "cache"))


def local(path: Path, **keys: Any) -> RasterSource:
    return RasterSource("near", config.RasterSource.model_validate({**LOCAL, "path": path, **keys}), [])


@pytest.mark.parametrize(
    "name", ["manila_oam.tif", "goias_oam.tif", "neon_osbs.tif", "kampala_z20_east.tif", "neon_sjer.tif"]
)
@pytest.mark.parametrize("gsd_m", [0.1, 0.3, 1.1])
def test_a_remote_file_gives_the_chip_of_the_same_file_on_disk(
    served: Served, tmp_path: Path, corpus: Path, name: str, gsd_m: float
) -> None:
    path = corpus / "aerial" / name
    with rasterio.open(path) as raster:
        lon, lat = rasterio.warp.transform(
            raster.crs, "OGC:CRS84", *([v] for v in raster.xy(raster.height // 2, raster.width // 2))
        )
    point = Point(lat[0], lon[0])
    far = cog(tmp_path, served.add("/files/a.tif", path)).chip(point, 256, gsd_m)
    near = local(path).chip(point, 256, gsd_m)
    assert far.pixels.tobytes() == near.pixels.tobytes()
    assert far.covered == near.covered > 0


@pytest.mark.parametrize(
    ("keys", "bands"),
    [
        ({}, speckle(700)),
        ({"compress": "jpeg", "quality": 90}, speckle(700)),
        ({"compress": "webp", "overview_compress": "webp"}, speckle(700)),
        ({}, np.concatenate([speckle(700), np.full((1, 700, 700), 255, np.uint8)])),
        ({"nodata": 0}, np.where(np.arange(700) > 350, speckle(700), 0).astype(np.uint8)),
    ],
    ids=["deflate", "jpeg", "webp", "alpha", "nodata"],
)
@pytest.mark.parametrize("gsd_m", [0.7, 4.0])
def test_cogs_of_all_kinds_give_the_chip_of_the_file_on_disk(
    served: Served, tmp_path: Path, keys: dict[str, Any], bands: Any, gsd_m: float
) -> None:
    path = write_cog(tmp_path / "a.tif", bands, **keys)
    far = cog(tmp_path, served.add("/files/a.tif", path)).chip(HERE, 150, gsd_m)
    near = local(path).chip(HERE, 150, gsd_m)
    assert far.pixels.tobytes() == near.pixels.tobytes()
    assert far.covered == near.covered > 0.4


def test_sixteen_bits_with_a_scale(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(300).astype(np.uint16) * 20)
    url = served.add("/files/a.tif", path)
    far = cog(tmp_path, url, scale=(0, 5100)).chip(HERE, 100, 1.0)
    assert far.pixels.tobytes() == local(path, scale=(0, 5100)).chip(HERE, 100, 1.0).pixels.tobytes()
    with pytest.raises(SiteError, match="scale: "):
        cog(tmp_path, url).chip(HERE, 100, 1.0)


def test_a_coarse_datum_is_named_for_the_chip_until_it_is_accepted(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(300))
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
        raster.crs = "EPSG:31467"
        raster.transform = Affine(1, 0, 3_500_000, 0, -1, 5_500_000)
    url = served.add("/files/a.tif", path)
    here = Point(49.6354, 9.001)
    with pytest.raises(SiteError, match=r"de_adv_BETA2007\.tif.* `max_datum_error_m: 3` accepts it") as caught:
        cog(tmp_path, url).chip(here, 100, 1.0)
    assert caught.value.reason is Reason.READ_FAILED
    assert cog(tmp_path, url, max_datum_error_m=3).chip(here, 100, 1.0).datum_accuracy_m == 3.0


def test_a_chip_takes_few_requests_and_its_neighbour_fewer(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(2500), pixel_m=0.2, compress="jpeg", blocksize=512)
    source = cog(tmp_path, served.add("/files/a.tif", path))
    source.chip(HERE, 512, 0.3)
    first = len(served.asked)
    source.chip(Point(HERE.lat + 40 / 111_195, HERE.lon), 512, 0.3)
    assert first <= 6
    assert len(served.asked) - first <= 2


def test_coarse_chips_are_read_from_the_overviews_inside(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(2500), pixel_m=0.2, compress="jpeg", blocksize=256)
    source = cog(tmp_path, served.add("/files/a.tif", path))
    source.chip(HERE, 128, 3.5)
    taken = sum(int(b) - int(a) + 1 for _, span in served.asked if span for a, b in [span[6:].split("-")])
    assert taken < path.stat().st_size / 10


def test_many_chips_from_many_threads_are_those_of_one(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(1500))
    points = [Point(HERE.lat + i * 3e-4, HERE.lon - i * 2e-4) for i in range(-8, 8)]
    near = local(path)
    wanted = [near.chip(point, 200, 0.8).pixels.tobytes() for point in points]
    source = cog(tmp_path, served.add("/files/a.tif", path))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda point: source.chip(point, 200, 0.8).pixels.tobytes(), points))
    assert found == wanted
    spans = [span for _, span in served.asked]
    assert len(spans) == len(set(spans))


def test_where_files_overlap_the_first_counts(served: Served, tmp_path: Path) -> None:
    dark = write_cog(tmp_path / "dark.tif", np.full((3, 300, 300), 40, np.uint8), east_m=-150)
    light = write_cog(tmp_path / "light.tif", np.full((3, 300, 300), 200, np.uint8))
    urls = [served.add("/files/dark.tif", dark), served.add("/files/light.tif", light)]
    chip = cog(tmp_path, *urls).chip(HERE, 100, 1.0)
    assert chip.covered == 1
    assert (chip.pixels[:, :45] == 40).all()
    assert (chip.pixels[:, 55:] == 200).all()
    assert chip.source_id == " ".join(urls)
    assert (chip.author, chip.licence) == ("Survey", "CC-BY-4.0")


def test_what_no_file_reaches(served: Served, tmp_path: Path) -> None:
    url = served.add("/files/a.tif", write_cog(tmp_path / "a.tif", speckle(300)))
    with pytest.raises(SiteError) as caught:
        cog(tmp_path, url).chip(Point(10, 10), 100, 1.0)
    assert caught.value.reason is Reason.NO_OVERLAP
    empty = write_cog(tmp_path / "empty.tif", np.zeros((3, 300, 300), np.uint8), nodata=0)
    with pytest.raises(SiteError) as caught:
        cog(tmp_path, served.add("/files/empty.tif", empty)).chip(HERE, 100, 1.0)
    assert caught.value.reason is Reason.ALL_NODATA


def test_a_file_that_is_gone_or_no_geotiff_says_so(served: Served, tmp_path: Path) -> None:
    cases = {
        served.url("/files/none.tif"): Reason.GONE,
        served.add("/files/text.tif", b"hello" * 1000): Reason.READ_FAILED,
        served.add("/files/empty.tif", b"x"): Reason.READ_FAILED,
    }
    for url, reason in cases.items():
        with pytest.raises(SiteError) as caught:
            cog(tmp_path, url).chip(HERE, 100, 1.0)
        assert caught.value.reason is reason, url
        assert "/vsi" not in caught.value.detail


def test_a_cut_file_is_a_failure_and_not_a_black_chip(served: Served, tmp_path: Path) -> None:
    whole = write_cog(tmp_path / "a.tif", speckle(1500)).read_bytes()
    url = served.add("/files/a.tif", whole[: len(whole) // 3])
    with pytest.raises(SiteError) as caught:
        cog(tmp_path, url).chip(HERE, 400, 1.0)
    assert caught.value.reason is Reason.READ_FAILED


def test_a_jpeg_that_is_cut_within_a_remote_file_is_no_picture(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(512), compress="jpeg", blocksize=512, overviews="none")
    with rasterio.open(path) as file:
        first, length = (int(file.get_tag_item(f"BLOCK_{what}_0_0", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    data = bytearray(path.read_bytes())
    assert cog(tmp_path, served.add("/files/whole.tif", bytes(data))).chip(HERE, 400, 1.0).covered == 1
    data[first + length // 2 : first + length] = b"\xff" * (length - length // 2)
    with pytest.raises(SiteError, match="damaged pixels") as caught:
        cog(tmp_path, served.add("/files/cut.tif", bytes(data))).chip(HERE, 400, 1.0)
    assert caught.value.reason is Reason.READ_FAILED


def test_a_connection_that_breaks_while_gdal_reads_is_the_networks_fault(served: Served, tmp_path: Path) -> None:
    url = served.add("/files/a.tif", write_cog(tmp_path / "a.tif", speckle(1500)))
    served.spoil = lambda first, last, body: ranged(body[first:last], first, len(body)) if first else None
    with pytest.raises(SiteError) as caught:
        cog(tmp_path, url).chip(HERE, 400, 1.0)
    assert caught.value.reason is Reason.BAD_ANSWER
    served.spoil = None
    assert cog(tmp_path, url).chip(HERE, 400, 1.0).covered == 1


def test_gdal_is_not_led_to_other_files_or_hosts(served: Served, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.settimeout(0.3)
        port = canary.getsockname()[1]
        url = f"/vsicurl/http://127.0.0.1:{port}/a.tif"
        vrt = (
            '<VRTDataset rasterXSize="9" rasterYSize="9"><SRS>EPSG:4326</SRS>'
            "<GeoTransform>11,1,0,49,0,-1</GeoTransform><VRTRasterBand dataType='Byte' band='1'><SimpleSource>"
            f"<SourceFilename>{url}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
        )
        wms = f"<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:{port}/a</ServerUrl></Service></GDAL_WMS>"
        trick = tmp_path / "trick.tif"
        write_cog(trick, speckle(300))
        with rasterio.open(trick, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=url)
        for i, body in enumerate([vrt.encode(), wms.encode(), trick.read_bytes()]):
            with pytest.raises(SiteError) as caught:
                cog(tmp_path, served.add(f"/files/{i}.tif", body)).chip(HERE, 100, 6.0)
            assert caught.value.reason is Reason.READ_FAILED
        with pytest.raises(TimeoutError):
            canary.accept()
    assert {path for path, _ in served.asked} == {"/files/0.tif", "/files/1.tif", "/files/2.tif"}


def test_no_sidecar_is_asked_for(served: Served, tmp_path: Path) -> None:
    cog(tmp_path, served.add("/files/a.tif", write_cog(tmp_path / "a.tif", speckle(300)))).chip(HERE, 100, 1.0)
    assert {path for path, _ in served.asked} == {"/files/a.tif"}


@pytest.mark.parametrize(("block_px", "match"), [(8192, "blocks of 8192 x 8192"), (256, "no overview near that scale")])
def test_files_that_are_not_laid_out_for_this_are_refused(
    served: Served, tmp_path: Path, block_px: int, match: str
) -> None:
    with rasterio.open(write_cog(tmp_path / "a.tif", np.ones((1, 20, 20), np.uint8))) as small:
        place = {"crs": small.crs, "transform": small.transform @ Affine.translation(-4500, -4500)}
    flat = {"driver": "GTiff", "width": 9000, "height": 9000, "count": 1, "dtype": "uint8", "sparse_ok": True}
    tiles = {"tiled": True, "blockxsize": block_px, "blockysize": block_px}
    with rasterio.open(tmp_path / "b.tif", "w", **flat, **tiles, **place):
        pass
    with pytest.raises(SiteError, match=match):
        cog(tmp_path, served.add("/files/b.tif", tmp_path / "b.tif")).chip(HERE, 256, 40.0)


def test_nothing_is_asked_before_the_first_chip_and_bad_settings_are_all_told(served: Served, tmp_path: Path) -> None:
    source = cog(tmp_path, served.url("/files/a.tif"))
    assert source.fingerprint()
    assert served.asked == []
    url = "https://example.org/a.tif"
    with pytest.raises(ConfigError) as caught:
        cog(tmp_path, url, url, scale=(1, 1), captured_on="May", credits={**CREDITS, "licence": "proprietary"})
    assert {problem.where.rpartition(".")[2] for problem in caught.value.problems} == {
        "urls",
        "scale",
        "captured_on",
        "licence",
    }


def test_it_is_a_networked_aerial_source(served: Served, tmp_path: Path) -> None:
    url = served.add("/files/a.tif", write_cog(tmp_path / "a.tif", speckle(300)))
    source: AerialSource = cog(tmp_path, url)
    assert isinstance(source, Networked)
    assert source.provider().origins == (f"http://{served.host}",)
    assert "300 x 300" in source.probe(Region(name="here", centre=(HERE.lat, HERE.lon), radius_m=100))
    with pytest.raises(SiteError, match="imagery within") as caught:
        source.probe(Region(name="elsewhere", centre=(HERE.lat, HERE.lon + 1), radius_m=100))
    assert caught.value.reason == Reason.NO_OVERLAP
    lat, lon = np.array([HERE.lat]), np.array([HERE.lon])
    before = len(served.asked)
    source.chip(HERE, 256, 0.5)
    assert len(served.asked) - before <= source.requests(lat, lon, Imagery())


def test_the_fingerprint_knows_what_matters(tmp_path: Path) -> None:
    one, two = "https://example.org/a.tif", "https://example.org/b.tif"
    prints = {
        cog(tmp_path, one).fingerprint(),
        cog(tmp_path, two).fingerprint(),
        cog(tmp_path, one, bands=(3, 2, 1)).fingerprint(),
    }
    assert len(prints) == 3
    assert cog(tmp_path, one, rate={"per_s": 3, "at_once": 1}).fingerprint() == cog(tmp_path, one).fingerprint()


def test_a_position_lies_where_the_file_has_it(served: Served, tmp_path: Path, corpus: Path) -> None:
    """A dark mark painted at a known place of a COG comes out at the chip's middle, to a tenth of a metre."""
    bands = np.full((3, 801, 801), 220, np.uint8)
    bands[:, 398:403, 398:403] = 10  # 0.5 m around the middle pixel's centre, which lies half a pixel off HERE
    path = write_cog(tmp_path / "a.tif", bands, pixel_m=0.1, compress="deflate")
    chip = cog(tmp_path, served.add("/files/a.tif", path)).chip(HERE, 101, 0.1)
    dark = 220 - chip.pixels[:, :, 0].astype(float)
    rows, columns = np.mgrid[:101, :101]
    x = ((columns + 0.5) * dark).sum() / dark.sum() - 50.5
    y = ((rows + 0.5) * dark).sum() / dark.sum() - 50.5
    assert math.hypot(x, y) * 0.1 < 0.05


def test_threads_that_open_other_files_meanwhile_are_not_disturbed(served: Served, tmp_path: Path) -> None:
    path = write_cog(tmp_path / "a.tif", speckle(300))
    source = cog(tmp_path, served.add("/files/a.tif", path))
    source.chip(HERE, 64, 1.0)
    done = threading.Event()

    def open_locally() -> int:
        opened = 0
        while not done.is_set():
            with rasterio.open(path) as raster:
                opened += raster.count
        return opened

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(open_locally) for _ in range(2)]
        chips = [pool.submit(source.chip, HERE, 64, 1.0) for _ in range(60)]
        found = {chip.result().pixels.tobytes() for chip in chips}
        done.set()
        assert all(other.result() > 0 for other in others)
    assert len(found) == 1
