"""Parts of a sphere and fisheyes: a pole comes out where it stands, or not at all."""

import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import SiteError
from pipeline.imaging.lens import Crop, Fisheye, cut_fisheye, on_sphere, shown_of_crop, stated_crop, turns
from pipeline.imaging.panorama import cut
from pipeline.imaging.types import Camera, Pixels

FULL = (1024, 512)
GPANO = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="equirectangular" {}/>
</rdf:RDF></x:xmpmeta>"""


def sphere_with_pole(turn_deg: float) -> Pixels:
    """A grey sphere with an upright red pole at an angle from its middle."""
    pixels = np.full((FULL[1], FULL[0], 3), 120, np.uint8)
    x = (turn_deg + 180.0) % 360.0 / 360.0 * FULL[0]
    pixels[:, max(0, round(x) - 3) : round(x) + 3] = (220, 20, 20)
    return pixels


def pole(view: Pixels, camera: Camera) -> float | None:
    """Heading of the pole in a view, in degrees; None where it is not in it."""
    red = (view[..., 0] > 170) & (view[..., 1] < 80)
    columns = np.nonzero(red)[1]
    if len(columns) < 20 or columns.min() == 0 or columns.max() == view.shape[1] - 1:
        return None
    focal = camera.width / 2 / math.tan(math.radians(camera.hfov_deg) / 2)
    return (camera.heading_deg + math.degrees(math.atan((columns.mean() + 0.5 - camera.width / 2) / focal))) % 360.0


def apart(a: float, b: float) -> float:
    return abs((a - b + 180.0) % 360.0 - 180.0)


@given(
    left=st.integers(0, 600),
    width=st.integers(300, 424),
    top=st.integers(0, 100),
    heading=st.floats(0, 359),
    at=st.floats(0.2, 0.8),
)
@settings(max_examples=25, deadline=None)
def test_what_a_part_of_a_sphere_shows_comes_out_where_it_stands(
    left: int, width: int, top: int, heading: float, at: float
) -> None:
    crop = Crop(*FULL, left, top, width, 512 - 2 * top)
    column = left + at * width
    turn = (column / FULL[0] - 0.5) * 360.0
    part = sphere_with_pole(turn)[top : top + 512 - 2 * top, left : left + width]
    camera = Camera((heading + turn + 7.0) % 360.0, 0.0, 60.0, 400, 300)
    found = pole(cut(on_sphere(part, crop), heading, camera), camera)
    if shown_of_crop(crop, heading, camera) > 0.98:
        assert found is not None
        assert apart(found, heading + turn) < 1.0


def test_what_a_part_of_a_sphere_does_not_show_is_not_shown() -> None:
    crop = Crop(4096, 2048, 1024, 512, 2048, 1024)
    ahead, aside = Camera(90.0, 0.0, 90.0, 64, 48), Camera(200.0, 0.0, 90.0, 64, 48)
    assert shown_of_crop(crop, 90.0, ahead) == 1.0
    assert shown_of_crop(crop, 90.0, aside) < 0.6


@given(angle=st.floats(-65, 65), heading=st.floats(0, 359), focal=st.floats(0.33, 0.45), k1=st.floats(-0.02, 0.02))
@settings(max_examples=25, deadline=None)
def test_a_fisheye_s_pole_comes_out_where_it_stands(angle: float, heading: float, focal: float, k1: float) -> None:
    lens, (width, height) = Fisheye(focal, k1, 0.0), (900, 700)
    pixels = np.full((height, width, 3), 120, np.uint8)
    # A short pole at the horizon: where the model puts its direction.
    x = width / 2 + math.copysign(float(lens.radius(np.array([math.radians(abs(angle))]))[0]), angle) * width
    pixels[height // 2 - 15 : height // 2 + 15, max(0, round(x) - 3) : round(x) + 3] = (220, 20, 20)
    found = []
    for turn in turns(lens.span_deg(width, height), 90.0, 5):
        camera = Camera((heading + turn) % 360.0, 0.0, 90.0, 512, 384)
        view, shown = cut_fisheye(pixels, lens, heading, camera)
        if shown >= 0.98 and (there := pole(view, camera)) is not None:
            found.append(there)
    assert all(apart(one, heading + angle) < 1.0 for one in found)
    if abs(angle) < 40:
        assert found


def test_a_fisheye_sees_as_far_as_its_model_means_anything() -> None:
    assert Fisheye(0.38, 0.0, 0.0).span_deg(1200, 900) == pytest.approx(150.8, abs=0.5)
    assert Fisheye(0.1, 0.0, 0.0).span_deg(1200, 900) == pytest.approx(360.0, abs=1)
    assert Fisheye(0.3, -0.3, 0.0).span_deg(1200, 900) < 130  # its radius stops growing


@pytest.mark.parametrize(
    ("span", "most", "expected"),
    [
        (360.0, 4, [0.0, 90.0, 180.0, 270.0]),
        (180.0, 4, [0.0, 45.0, -45.0]),
        (150.0, 4, [0.0, 30.0, -30.0]),
        (90.0, 4, [0.0]),
        (60.0, 4, [0.0]),
        (180.0, 1, [0.0]),
        (180.0, 2, [-45.0, 45.0]),
        (270.0, 5, [0.0, 45.0, -45.0, 90.0, -90.0]),
    ],
)
def test_views_are_cut_as_far_as_a_picture_sees(span: float, most: int, expected: list[float]) -> None:
    assert turns(span, 90.0, most) == expected


def tagged(**tags: object) -> bytes:
    """A JPEG with photo sphere tags."""
    data = io.BytesIO()
    xmp = GPANO.format(" ".join(f'GPano:{name}="{value}"' for name, value in tags.items()))
    Image.new("RGB", (64, 32)).save(data, "JPEG", xmp=xmp.encode())
    return data.getvalue()


TAGS = {
    "FullPanoWidthPixels": 4096,
    "FullPanoHeightPixels": 2048,
    "CroppedAreaLeftPixels": 1024,
    "CroppedAreaTopPixels": 512,
    "CroppedAreaImageWidthPixels": 2048,
    "CroppedAreaImageHeightPixels": 1024,
}


def test_a_picture_says_which_part_of_a_sphere_it_is() -> None:
    assert stated_crop(tagged(**TAGS)) == Crop(4096, 2048, 1024, 512, 2048, 1024)
    assert stated_crop(tagged()) is None
    assert stated_crop(b"no picture") is None
    everything = {
        "CroppedAreaLeftPixels": 0,
        "CroppedAreaTopPixels": 0,
        "CroppedAreaImageWidthPixels": 4096,
        "CroppedAreaImageHeightPixels": 2048,
    }
    whole = stated_crop(tagged(**TAGS | everything))
    assert whole is not None
    assert whole.is_whole


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CroppedAreaImageWidthPixels", 0),
        ("CroppedAreaLeftPixels", 3000),
        ("CroppedAreaTopPixels", -5),
        ("FullPanoHeightPixels", 4096),
        ("FullPanoWidthPixels", "1" * 30),
        ("FullPanoWidthPixels", "4,096"),
        ("CroppedAreaLeftPixels", "left"),
        ("CroppedAreaLeftPixels", "NaN"),
        ("CroppedAreaImageWidthPixels", "1e999"),
    ],
)
def test_tags_that_cannot_be_are_a_fault_of_the_picture(name: str, value: object) -> None:
    with pytest.raises(SiteError, match=r"wrong_aspect: GPano tags"):
        stated_crop(tagged(**TAGS | {name: value}))


@pytest.mark.parametrize("name", ["CroppedAreaLeftPixels", "CroppedAreaTopPixels", "CroppedAreaImageHeightPixels"])
def test_a_part_of_a_sphere_that_does_not_say_where_it_lies_is_none(name: str) -> None:
    tags = {key: value for key, value in TAGS.items() if key != name}
    with pytest.raises(SiteError, match=f"wrong_aspect: GPano tags: a part of a sphere without {name}"):
        stated_crop(tagged(**tags))
    assert stated_crop(tagged(FullPanoWidthPixels=4096, FullPanoHeightPixels=2048)) is None


def test_numbers_of_tags_may_be_written_in_any_way() -> None:
    spelt = {"FullPanoWidthPixels": "4.096e3", "CroppedAreaLeftPixels": " 1024.0 "}
    assert stated_crop(tagged(**TAGS | spelt)) == stated_crop(tagged(**TAGS))
