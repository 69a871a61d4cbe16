"""What becomes of a photo whose camera nobody recorded, and of a panorama that looks elsewhere than it says."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.engine.build_file import parse_build
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.imaging.lens import Crop
from pipeline.perception.base import TextBox
from pipeline.perception.cues import fuse
from pipeline.registry.registry import Registry
from pipeline.sources.base import Photo
from pipeline.stages.imagery import imagery
from pipeline.stages.street_views import views_of
from schemas.records import MapFact, Site
from tests.captioning.places import picture
from tests.engine.conftest import SMALL
from tests.imaging.test_vanishing import street


class Folder:
    """A source of one drawn picture."""

    name = "folder"

    def read(self, _photo: Photo) -> bytes:
        return picture(640, 480, 7)


def test_a_fisheye_without_parameters_is_shown_as_it_is_and_gives_no_bearing(tmp_path: Path) -> None:
    registry = Registry(parse_build(SMALL, base=tmp_path))
    (row,) = imagery([Site(site_id="one", region="north", unit="u", lat=48.8566, lon=2.3522, weight=1.0)], registry)
    here = Point(48.8566, 2.3522)
    photo = Photo(
        "1", here, 30.0, 170.0, "fisheye", None, "ana", "CC-BY-SA-4.0", "https://example.org", lens=None
    )  # fmt: skip
    (view,) = views_of(photo, 1, here, Folder(), [photo], [], registry)  # type: ignore[arg-type]  # all that is called
    assert (view.projection, view.hfov_deg, view.heading_deg) == ("perspective", None, 30.0)  # whatever the tags say
    box = TextBox("CAFE", 0.95, (20.0, 200.0, 120.0, 200.0, 120.0, 260.0, 20.0, 260.0), "Latn")
    seen = row.model_copy(update={"views": [view], "facts": []})
    (cue,) = fuse(seen, {"1": [box]}, {}, "ocr", "none")
    assert cue.bearing_deg is None
    pinhole = replace(photo, projection="perspective", hfov_deg=70.0)
    (flat,) = views_of(pinhole, 1, here, Folder(), [pinhole], [], registry)  # type: ignore[arg-type]
    (known,) = fuse(seen.model_copy(update={"views": [flat]}), {"1": [box]}, {}, "ocr", "none")
    assert known.bearing_deg is not None


def test_a_sliver_of_an_endless_sphere_is_refused_before_the_sphere_is_laid_out(tmp_path: Path) -> None:
    registry = Registry(parse_build(SMALL, base=tmp_path))
    here, sliver = Point(48.8566, 2.3522), Crop(64_000, 32_000, 31_980, 15_985, 40, 30)
    photo = Photo(
        "1", here, 30.0, 360.0, "equirectangular", None, "ana", "CC-BY-SA-4.0", "https://example.org", lens=sliver
    )  # fmt: skip
    with pytest.raises(SiteError, match="it sees 0 degrees, too little to cut a view from"):
        views_of(photo, 1, here, Folder(), [photo], [], registry)  # type: ignore[arg-type]  # all that is called


def street_sphere(street_deg: float) -> bytes:
    """A panorama, as PNG, of a street that runs off at an angle from its middle and the other way: fronts with rows of
    eaves and sills on both sides."""
    width, height = 1024, 512
    pixels = np.full((height, width, 3), 190, np.uint8)
    along = np.linspace(-400.0, 400.0, 4001)
    for side in (-7.0, 7.0):
        for level in np.linspace(-1.5, 9.0, 13):
            turn = np.degrees(np.arctan2(side, along)) + street_deg
            rise = np.degrees(np.arctan2(level, np.hypot(along, side)))
            x = ((turn + 180.0) % 360.0) / 360.0 * width
            y = (0.5 - rise / 180.0) * height
            for i in np.flatnonzero(np.abs(np.diff(x)) < width / 2):
                one, other = ((int(16 * x[j]), int(16 * y[j])) for j in (i, i + 1))
                cv2.line(pixels, one, other, (50, 45, 40), 1, cv2.LINE_AA, 4)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def along_road(axis_deg: float) -> MapFact:
    return MapFact(fact_id="r", kind="road", category="residential", name=None, name_en=None, distance_m=2.0,
                   bearing_deg=0.0, axis_deg=axis_deg)  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "source"),
    [(70.0, "confirmed"), (250.0, "confirmed"), (115.0, "unreliable"), (10.0, "unreliable")],  # 180 degrees look alike
)
def test_a_panorama_s_heading_is_held_against_the_street_that_it_shows(
    stated: float, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "read", lambda _self, _photo: street_sphere(30.0))
    tools = Registry(parse_build(SMALL, base=tmp_path))
    here = Point(48.8566, 2.3522)
    photo = Photo("1", here, stated, 360.0, "equirectangular", None, "ana", "CC-BY-SA-4.0", "https://example.org")
    views = views_of(photo, 1, here, Folder(), [photo], [along_road(100.0)], tools)  # type: ignore[arg-type]
    assert {view.heading_source for view in views} == {source}
    assert [view.heading_deg for view in views[:2]] == [stated, stated]  # the whole, and the view of its middle


@pytest.mark.parametrize(("at", "source"), [(0.0, "confirmed"), (18.0, "stated")])
def test_where_the_field_of_view_is_unknown_only_lines_to_the_middle_say_where_it_looks(
    at: float, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = io.BytesIO()
    Image.fromarray(street(at)).save(data, "PNG")
    monkeypatch.setattr(Folder, "read", lambda _self, _photo: data.getvalue())
    tools = Registry(parse_build(SMALL, base=tmp_path))
    here = Point(48.8566, 2.3522)
    photo = Photo("1", here, 100.0, None, "perspective", None, "ana", "CC-BY-SA-4.0", "https://example.org")
    (view,) = views_of(photo, 1, here, Folder(), [photo], [along_road(100.0)], tools)  # type: ignore[arg-type]
    assert view.heading_source == source
