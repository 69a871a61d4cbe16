"""Views cut from panoramas look where they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import SiteError
from pipeline.imaging.panorama import cut, cuts, directions
from pipeline.imaging.types import Camera, Pixels
from schemas.reasons import Reason
from tests.examples import examples

WIDTH = 2048


def sphere(heading_deg: float, width: int = WIDTH) -> Pixels:
    """A panorama whose colour is the direction: a unit vector's east, north and up in red, green and blue."""
    heading = np.radians(heading_deg + ((np.arange(width) + 0.5) / width - 0.5) * 360)[None, :]
    elevation = np.radians((0.5 - (np.arange(width // 2) + 0.5) / (width // 2)) * 180)[:, None]
    vector = [np.sin(heading) * np.cos(elevation), np.cos(heading) * np.cos(elevation), np.sin(elevation) + 0 * heading]
    return np.rint((np.stack(vector, axis=2) + 1) * 127.5).astype(np.uint8)


def rays(camera: Camera) -> NDArray[np.float64]:
    """Unit vectors east, north, up of a pinhole camera's pixels, by rotation matrices: not the way the code does it."""
    focal = camera.width / 2 / math.tan(math.radians(camera.hfov_deg / 2))
    x, y = np.meshgrid(
        np.arange(camera.width) + 0.5 - camera.width / 2, np.arange(camera.height) + 0.5 - camera.height / 2
    )
    ray = np.stack([x, np.full_like(x, focal), -y], axis=2)
    pitch, heading = math.radians(camera.pitch_deg), math.radians(camera.heading_deg)
    tilt = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    turn = np.array([[math.cos(heading), math.sin(heading), 0], [-math.sin(heading), math.cos(heading), 0], [0, 0, 1]])
    ray = ray @ (turn @ tilt).T
    unit: NDArray[np.float64] = ray / np.linalg.norm(ray, axis=2, keepdims=True)
    return unit


CAMERAS = st.builds(
    Camera,
    heading_deg=st.floats(0, 359.99),
    pitch_deg=st.floats(-60, 60),
    hfov_deg=st.floats(40, 110),
    width=st.sampled_from([160, 321]),
    height=st.sampled_from([120, 241]),
)


@given(camera=CAMERAS)
def test_directions_are_a_pinholes(camera: Camera) -> None:
    heading, elevation = (np.radians(angle) for angle in directions(camera))
    vector = np.stack(
        [np.sin(heading) * np.cos(elevation), np.cos(heading) * np.cos(elevation), np.sin(elevation)], axis=2
    )
    assert np.abs(vector - rays(camera)).max() < 1e-9
    assert directions(camera)[0].min() >= 0
    assert directions(camera)[0].max() < 360


@given(camera=CAMERAS, pano_heading=st.floats(0, 360))
@examples(15)
def test_every_pixel_looks_where_the_camera_does(camera: Camera, pano_heading: float) -> None:
    said = cut(sphere(pano_heading), pano_heading, camera).astype(float) / 127.5 - 1
    off = np.degrees(np.linalg.norm(said - rays(camera), axis=2))
    # Colour is exact to half a level of 1/127.5 in three channels, 0.39 degrees, rounded twice; one pixel of the
    # panorama is 0.18 degrees.
    assert off.max() < 2 * 0.39 + 0.18
    # Rounding cancels over many pixels; what is left is a shift. One panorama pixel is 0.18 degrees.
    assert np.degrees(np.abs((said - rays(camera)).mean(axis=(0, 1)))).max() < 0.06


def test_an_edge_is_where_it_should_be_to_a_fraction_of_a_pixel() -> None:
    """A panorama white from heading 20 degrees on and from elevation 5 degrees up; the view is three times finer."""
    pano = np.zeros((1800, 3600, 3), np.uint8)
    pano[:, 1800 + 200 :, 0] = 255  # ten pixels a degree, centre column looks to 0
    pano[: 900 - 50, :, 1] = 255
    camera = Camera(heading_deg=20, pitch_deg=5, hfov_deg=20, width=601, height=401)
    view = cut(pano, 0.0, camera).astype(float) / 255
    middle = view[200, :, 0].sum(), view[:, 300, 1].sum()
    assert middle[0] == pytest.approx(300.5, abs=0.3)
    assert middle[1] == pytest.approx(200.5, abs=0.3)


def test_no_seam_where_the_panorama_begins_and_ends() -> None:
    pano = sphere(0.0)
    across = cut(pano, 0.0, Camera(180, 0, 90, 512, 384)).astype(int)
    rolled = cut(np.roll(pano, WIDTH // 2, axis=1), 180.0, Camera(180, 0, 90, 512, 384)).astype(int)
    assert np.abs(across - rolled).max() <= 1
    assert np.abs(np.diff(across, axis=1)).max() <= 2


@pytest.mark.parametrize("pitch", [90.0, -90.0])
def test_poles_are_whole(pitch: float) -> None:
    camera = Camera(30, pitch, 90, 129, 129)
    said = cut(sphere(0.0), 0.0, camera).astype(float) / 127.5 - 1
    assert np.linalg.norm(said - rays(camera), axis=2).max() < 0.03


def test_a_coarse_view_of_a_fine_panorama_has_no_moire() -> None:
    stripes = np.zeros((1024, 2048, 3), np.uint8)
    stripes[:, ::2] = 255
    view = cut(stripes, 0.0, Camera(10, 0, 90, 64, 48)).astype(int)
    assert np.abs(view - 128).max() < 40


@pytest.mark.parametrize("shape", [(500, 1600, 3), (1600, 800, 3), (800, 800, 3)])
def test_what_is_not_twice_as_wide_as_high_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(SiteError) as caught:
        cut(np.zeros(shape, np.uint8), 0.0, Camera(0, 0, 90, 64, 48))
    assert caught.value.reason == Reason.WRONG_ASPECT


@pytest.mark.parametrize("width", range(305, 327))
def test_views_cut_together_are_those_cut_one_by_one(width: int) -> None:
    # A panorama that is just not too wide: scaled down, its aspect may be further off.
    panorama = np.random.default_rng(width).integers(0, 256, (512, 1026, 3), dtype=np.uint8)
    cameras = [Camera(10.0, 0.0, 90.0, width, 60), Camera(200.0, 0.0, 90.0, width, 60), Camera(5.0, 9.0, 60.0, 160, 90)]
    together = list(cuts(panorama, 123.0, cameras))
    assert all(np.array_equal(view, cut(panorama, 123.0, one)) for view, one in zip(together, cameras, strict=True))
