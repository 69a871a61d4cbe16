"""The land mask, at places whose side of the coast is known."""

import numpy as np
import pytest

from pipeline.regions.land import land_mask


@pytest.mark.parametrize(
    ("lat", "lon", "land"),
    [
        (48.8566, 2.3522, True),  # Paris
        (-33.9, 151.1, True),  # Sydney, inland
        (0.0, 0.0, False),  # Gulf of Guinea
        (-16.85, -179.95, True),  # Taveuni, on the antimeridian
        (-17.0, -179.5, False),
        (70.0, 25.0, True),  # Finnmark
        (90.0, 0.0, False),
        (-90.0, 180.0, True),
        (47.6, -122.45, False),  # Puget Sound
    ],
)
def test_known_places(lat: float, lon: float, land: bool) -> None:
    assert land_mask().is_land(np.array([lon]), np.array([lat]))[0] == land


def test_a_third_of_a_world_map_is_land() -> None:
    lon, lat = np.meshgrid(np.linspace(-180, 180, 720), np.linspace(-90, 90, 360))
    share = np.average(land_mask().is_land(lon, lat), weights=np.cos(np.radians(lat)))
    assert 0.28 < share < 0.31


def test_the_mask_is_small() -> None:
    assert land_mask().changes.nbytes < 5_000_000
