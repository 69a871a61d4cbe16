"""The synthetic world for tests that build: each picture of it is drawn, and looked through, once a process.

This takes most of a small build's time. What is drawn for a photo or a chip is always the same, as the tests of the
world itself say (tests/world); so are the lines and the signatures of a picture.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
import pytest

from pipeline.geo.point import Point
from pipeline.imaging.types import Camera
from pipeline.sources.base import Photo, RasterChip
from pipeline.sources.world import WorldAerialSource, WorldMapSource, WorldStreetSource
from pipeline.stages import cues, street_views
from pipeline.world.town import Town

T = TypeVar("T")

_drawn: dict[tuple[object, ...], Any] = {}
_read, _truth = WorldStreetSource.read, WorldStreetSource.truth


def _once(key: tuple[object, ...], draw: Callable[[], T]) -> T:
    if key not in _drawn:
        _drawn[key] = draw()
    value: T = _drawn[key]
    return value


def _town(town: Town) -> tuple[object, ...]:
    """What a town depends on."""
    return town.seed, town.name, town.frame.lat, town.frame.lon


def read(source: WorldStreetSource, photo: Photo) -> bytes:
    """As `WorldStreetSource.read`."""
    town, place, shot = source._parse(photo.source_id)
    return _once(("photo", *_town(town), place, shot), lambda: _read(source, photo))


def truth(source: WorldStreetSource, photo: Photo, camera: Camera) -> str:
    """As `WorldStreetSource.truth`."""
    town, place, shot = source._parse(photo.source_id)
    return _once(("truth", *_town(town), place, shot, camera), lambda: _truth(source, photo, camera))


def chip_of(kind: type[WorldAerialSource] | type[WorldMapSource]) -> Callable[..., RasterChip]:
    """As the source's `chip`."""
    draw: Callable[..., RasterChip] = kind.chip

    def chip(source: Any, point: Point, size_px: int, gsd_m: float) -> RasterChip:
        home = source._homes.at(point)
        if home is None:
            return draw(source, point, size_px, gsd_m)
        key = (kind, source._config.model_dump_json(), home.region.name, *_town(home.town), point, size_px, gsd_m)
        drawn = _once(key, lambda: draw(source, point, size_px, gsd_m))
        return replace(drawn, pixels=drawn.pixels.copy())

    return chip


def found_once(find: Callable[..., T]) -> Callable[..., T]:
    """As a function of pictures and of values that tell what else its result depends on."""

    def finding(*given: Any) -> T:
        key = (blake2b(one.tobytes()).digest() if isinstance(one, np.ndarray) else one for one in given)
        return _once((find.__name__, *key), lambda: find(*given))

    return finding


@contextmanager
def drawn_anew() -> Iterator[None]:
    """Has all that is drawn meanwhile drawn again."""
    kept = dict(_drawn)
    _drawn.clear()
    yield
    _drawn.update(kept)


@pytest.fixture(scope="module", autouse=True)
def drawn_once() -> Iterator[None]:
    """Has the sources keep what they draw. For the tests of a folder whose conftest imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorldStreetSource, "read", read)
        patch.setattr(WorldStreetSource, "truth", truth)
        for kind in (WorldAerialSource, WorldMapSource):
            patch.setattr(kind, "chip", chip_of(kind))
        for stage, name in ((street_views, "vanishing_point"), (street_views, "_lines_around"), (cues, "signatures")):
            patch.setattr(stage, name, found_once(getattr(stage, name)))
        yield
