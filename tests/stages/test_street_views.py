"""What becomes of a photo whose camera nobody recorded."""

from dataclasses import replace
from pathlib import Path

from pipeline.engine.build_file import parse_build
from pipeline.geo.point import Point
from pipeline.perception.base import TextBox
from pipeline.perception.cues import fuse
from pipeline.registry.registry import Registry
from pipeline.sources.base import Photo
from pipeline.stages.imagery import imagery
from pipeline.stages.street_views import views_of
from schemas.records import Site
from tests.captioning.places import picture
from tests.engine.conftest import SMALL


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
