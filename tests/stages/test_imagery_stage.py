"""The imagery stage on the synthetic world: which views a site gets, where they lie, and what it says it lacks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine

from pipeline.config.imagery import ImageLimits
from pipeline.engine.build_file import parse_build
from pipeline.engine.units import sample_region
from pipeline.geo.frame import LocalFrame
from pipeline.imaging.decode import decode
from pipeline.imaging.turn import turned
from pipeline.imaging.types import Pixels
from pipeline.registry.registry import Registry
from pipeline.sources.world import WorldAerialSource, WorldMapSource
from pipeline.stages import street_views
from pipeline.stages.heading import Settled
from pipeline.stages.imagery import imagery
from schemas.records import Chip, ImageryRow, Site
from tests.engine.conftest import SMALL, changed

TOWN = {"type": "world", "seed": 3}
CREDITS = {"author": "a", "licence": "CC0-1.0", "link": "https://example.org"}


def rows_of(folder: Path, at: tuple[float, float] | None = None, **changes: Any) -> list[ImageryRow]:
    """Rows of the first region's sites, or of one site at a latitude and longitude; changes as dotted keys."""
    build = parse_build(changed(SMALL, changes), base=folder)
    registry = Registry(build)
    sites = sample_region(build, registry, build.regions[0])
    if at is not None:
        sites = [Site(site_id="one", region="north", unit=sites[0].unit, lat=at[0], lon=at[1], weight=1.0)]
    return imagery(sites, registry)


def off_m(chip: Chip, lat: float, lon: float) -> float:
    """From a position to the middle of a chip's bounds, in metres."""
    x, y = LocalFrame(lat, lon).to_metres((chip.west + chip.east) / 2, (chip.south + chip.north) / 2)
    return float(np.hypot(x, y))


def test_further_chips_show_the_same_place_at_the_sizes_asked_for(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, imagery__chips__extra_sizes_m=[40.0, 180.0])
    assert all(row.status == "ok" for row in rows)
    for row in rows:
        assert [chip.width * chip.gsd_m for chip in row.aerial_scales] == [pytest.approx(40), pytest.approx(180)]
        assert [chip.image.path for chip in row.aerial_scales] == ["aerial-40m.jpg", "aerial-180m.jpg"]
        assert row.aerial is not None
        for chip in (row.aerial, *row.aerial_scales):
            assert off_m(chip, row.lat, row.lon) < 0.05
            assert chip.native_gsd_m is None  # drawn at the scale asked for
            assert chip.datum_accuracy_m is None
        assert row.charted == sorted(row.charted)
        assert {"road", "junction"} <= set(row.charted)


def test_the_drone_chip_lies_around_the_camera_of_the_first_view(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, sources__drone={"low": TOWN}, imagery__chips__drone_gsd_m=0.1, sampling__method="uniform")
    seen = [row for row in rows if row.drone is not None]
    assert len(seen) > 2
    for row in seen:
        camera = row.views[0]
        assert row.drone is not None
        assert row.drone.gsd_m == 0.1
        assert off_m(row.drone, camera.lat, camera.lon) < 0.05
    assert max(off_m(row.drone, row.lat, row.lon) for row in seen if row.drone) > 1.0  # elsewhere than the site


def test_a_panorama_is_kept_whole_with_cuts_and_flat_photos_look_different_ways(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, imagery__max_views=3, imagery__search_radius_m=40)
    kinds = {row.views[0].projection for row in rows if row.views}
    assert kinds == {"equirectangular", "perspective"}
    for row in rows:
        first, *others = row.views
        if first.projection == "equirectangular":
            turns = [(view.heading_deg or 0) - (first.heading_deg or 0) for view in others]
            assert [turn % 360 for turn in turns] == pytest.approx([0, 120, 240])
            assert {view.cut_from for view in others} == {first.view_id}
        else:
            assert len(row.views) <= 3
            headings = [view.heading_deg or 0.0 for view in row.views]
            apart = [abs((a - b + 180) % 360 - 180) for i, a in enumerate(headings) for b in headings[:i]]
            assert all(turn >= 45 for turn in apart)


def test_a_further_chip_that_is_lacking_says_which(tmp_path: Path) -> None:
    (site, *_) = rows_of(tmp_path)
    frame = LocalFrame(site.lat, site.lon)
    ground = np.random.default_rng(1).integers(0, 255, (3, 200, 200), np.uint8)
    path = tmp_path / "small.tif"  # 100 m across: enough for the chip of 76.8 m and not for that of 180 m
    shape = {"count": 3, "width": 200, "height": 200, "dtype": "uint8", "crs": frame.crs}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(0.5, 0, -50, 0, -0.5, 50), **shape) as file:
        file.write(ground)
    above = {"above": {"type": "raster", "path": str(path), "credits": CREDITS}}
    (row,) = rows_of(tmp_path, (site.lat, site.lon), sources__aerial=above, imagery__chips__extra_sizes_m=[60.0, 180.0])
    assert row.status == "ok"
    assert row.aerial is not None
    assert row.aerial.native_gsd_m == pytest.approx(0.5, rel=0.01)
    assert [chip.native_gsd_m for chip in row.aerial_scales] == [pytest.approx(0.5, rel=0.01)]
    (lacking,) = row.missing
    assert (lacking.view, lacking.reason) == ("aerial", "partly_covered")
    assert lacking.detail.startswith("the chip of 180 m: ")


def test_a_site_without_any_reference_fails_and_tells_why(tmp_path: Path) -> None:
    (site, *_) = rows_of(tmp_path)
    path = tmp_path / "elsewhere.tif"  # it reaches the other region
    crs = LocalFrame(*SMALL["regions"][1]["centre"]).crs
    shape = {"count": 3, "width": 8, "height": 8, "dtype": "uint8", "crs": crs}
    with rasterio.open(path, "w", driver="GTiff", transform=Affine(20, 0, -80, 0, -20, 80), **shape) as file:
        file.write(np.full((3, 8, 8), 90, np.uint8))
    above = {"above": {"type": "raster", "path": str(path), "credits": CREDITS}}
    (row,) = rows_of(tmp_path, (site.lat, site.lon), sources__aerial=above, sources__map={})
    assert (row.status, row.reason) == ("failed", "no_reference")
    assert [(view.view, view.reason) for view in row.missing] == [("aerial", "no_overlap")]
    assert all(view.detail in (row.detail or "") for view in row.missing)


def test_where_no_photo_is_no_chip_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chip(*_: object) -> None:
        raise AssertionError("asked for in vain")

    for source in WorldAerialSource, WorldMapSource:
        monkeypatch.setattr(source, "chip", chip)
    (row,) = rows_of(tmp_path, (10.0, 10.0))
    assert (row.status, row.reason, row.missing) == ("failed", "no_street_view", [])


def test_chips_have_the_heading_of_the_main_view_at_their_top(tmp_path: Path) -> None:
    """What a chip that has north at the top shows after turning, a chip that was cut heading-up shows at once."""
    wide = {"gsd_m": 0.6, "size_px": 192}
    plain = {"plan": TOWN | {"labels": False}}  # names stand elsewhere on a chip of another size
    north = {row.site_id: row for row in rows_of(tmp_path, imagery__chips=wide, sources__map=plain)}
    up = {"gsd_m": 0.6, "size_px": 128, "orientation": "heading-up", "extra_sizes_m": [40.0]}
    ahead = rows_of(tmp_path, imagery__chips=up, sources__map=plain)
    assert len(ahead) == len(north)
    for row in ahead:
        main = next(view for view in row.views if view.projection == "perspective")
        for chip, whole in ((row.aerial, north[row.site_id].aerial), (row.map, north[row.site_id].map)):
            assert chip is not None
            assert whole is not None
            assert (chip.bearing_deg, whole.bearing_deg) == (main.heading_deg, 0.0)
            assert (chip.width, chip.height, chip.gsd_m) == (128, 128, 0.6)
            assert off_m(chip, row.lat, row.lon) < 0.05
            made = pixels_of(chip)
            wanted = turned(pixels_of(whole), main.heading_deg or 0.0, 128)
            assert np.corrcoef(made.ravel(), wanted.ravel())[0, 1] > 0.95
            assert np.corrcoef(made.ravel(), wanted[::-1].ravel())[0, 1] < 0.9
        assert row.aerial_scales[0].bearing_deg == main.heading_deg
        assert row.facts == north[row.site_id].facts
        east = LocalFrame(row.lat, row.lon).chip_bbox(128, 0.6)[2]
        assert row.aerial is not None
        assert row.aerial.east >= east  # the bounds are those of the turned square


def test_chips_turn_by_no_heading_that_is_not_relied_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    up = {"gsd_m": 0.6, "size_px": 128, "orientation": "heading-up"}
    for settled, bearing in (
        (Settled(120.0, "stated", None), 120.0),
        (Settled(120.0, "confirmed", 20.0), 120.0),
        (Settled(120.0, "unreliable", 180.0), 0.0),
        (Settled(120.0, "guessed", 180.0), 0.0),
        (Settled(None, None, None), 0.0),
    ):
        monkeypatch.setattr(street_views, "settle", lambda *_, settled=settled: settled)
        row = rows_of(tmp_path, imagery__chips=up, sampling__max_sites=1, sampling__spacing_m=60)[0]
        assert row.aerial is not None
        assert row.map is not None
        main = next(view for view in row.views if view.projection == "perspective")
        assert (main.heading_deg, main.heading_source) == (settled.heading_deg, settled.source)
        assert (row.aerial.bearing_deg, row.map.bearing_deg) == (bearing, bearing)


def pixels_of(chip: Chip) -> Pixels:
    return decode(chip.image.bytes, ImageLimits(min_side_px=16))
