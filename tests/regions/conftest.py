"""Ground to draw sites from, over sources of a few lines."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.config.region import Region
from pipeline.config.sampling import Sampling
from pipeline.geo.point import Point
from pipeline.regions.ground import Ground
from pipeline.sources.base import Photo, Road
from schemas.reasons import Reason


class Photos:
    """A street source of given photos."""

    name, synthetic = "photos", False

    def __init__(self, photos: Iterable[Photo]) -> None:
        self._photos = list(photos)

    def fingerprint(self) -> str:
        return "photos"

    def candidates(self, region: Region) -> Iterator[Photo]:  # noqa: ARG002
        yield from self._photos

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        raise NotImplementedError

    def read(self, photo: Photo) -> bytes:
        raise NotImplementedError


class Roads:
    """A map source of given roads."""

    name, synthetic = "plan", False

    def __init__(self, roads: Iterable[Road]) -> None:
        self._roads = list(roads)

    def roads(self, region: Region) -> Iterator[Road]:  # noqa: ARG002
        yield from self._roads

    def fingerprint(self) -> str:
        return "roads"

    def around(self, point: Point, radius_m: float) -> Any:
        raise NotImplementedError

    def charted(self) -> Any:
        raise NotImplementedError

    def chip(self, point: Point, size_px: int, gsd_m: float) -> Any:
        raise NotImplementedError


def photo(
    number: int, lat: float, lon: float, sequence: str | None = None, author: str = "somebody", bad: bool = False
) -> Photo:
    return Photo(
        source_id=f"p{number}",
        position=Point(lat, lon),
        heading_deg=None,
        hfov_deg=None,
        projection="perspective",
        captured_at=None,
        author=author,
        licence="CC-BY-4.0",
        link="https://example.org",
        sequence=sequence,
        unusable=(Reason.UNUSABLE_LICENCE, "none") if bad else None,
    )


def road(road_id: str, category: str, *places: tuple[float, float]) -> Road:
    """A road through places given as latitude, longitude."""
    return Road(road_id, category, np.array([p[1] for p in places]), np.array([p[0] for p in places]))


PARIS = Region(name="paris", centre=(48.8566, 2.3522), radius_m=2_000)

MakeGround = Callable[..., Ground]


@pytest.fixture
def ground() -> MakeGround:
    """Makes a ground; settings of the sampling are given by name."""

    def make(
        region: Region = PARIS,
        *,
        seed: int = 1,
        photos: Iterable[Photo] = (),
        roads: Iterable[Road] = (),
        **settings: Any,
    ) -> Ground:
        return Ground(region, Sampling(**settings), seed, Photos(photos), Roads(roads), 20.0, "regions.0")

    return make
