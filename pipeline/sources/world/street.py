"""The synthetic world's street photos."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import cv2
import numpy as np

from pipeline.config.region import Region
from pipeline.config.sources import WorldStreet
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.imaging.types import Camera
from pipeline.sources.base import Photo
from pipeline.world import truth as truths
from pipeline.world.furniture import traffic
from pipeline.world.light import LIGHTS, Light
from pipeline.world.mesh import Mesh
from pipeline.world.picture import PANORAMA_PX, paint_panorama, paint_view
from pipeline.world.places import EYE_M, Place, place_at, places_in_cells, places_near
from pipeline.world.regions import AUTHOR, LICENCE, LINK, WORLD_VERSION, Home, Homes
from pipeline.world.scene import Eye, passing_mesh
from pipeline.world.streets import stretch
from pipeline.world.town import Town, to_grid
from schemas.reasons import Reason

WIDTH_PX, HEIGHT_PX = 1024, 768
_QUALITY = 92
_ID = re.compile(r"([a-z0-9-]+)/([01])\.(-?\d{1,7})\.(-?\d{1,7})\.(\d{1,3})/([p01])")
_FIRST_DAY = datetime(2019, 3, 1, 8, tzinfo=UTC)


class WorldStreetSource:
    """Street photos of made-up towns, one town a region: flat photos and panoramas every 20 m along the streets."""

    synthetic = True

    def __init__(self, name: str, config: WorldStreet, regions: Sequence[Region]) -> None:
        self.name = name
        self._config = config
        self._homes = Homes(config.seed, regions)

    def fingerprint(self) -> str:
        """The world's version and the settings. A town depends on nothing else but its region's name and centre."""
        return f"world-street {WORLD_VERSION} {self._config.model_dump_json()}"

    def candidates(self, region: Region) -> Iterator[Photo]:
        """All photos within the region's box, street by street."""
        home = self._homes.named(region.name)
        if home is None:
            return
        for row in _rows(home):
            yield from self._photos(home, list(places_in_cells(home.town, row)))

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """Photos within a radius, nearest first; ties by id."""
        home = self._homes.at(point)
        if home is None:
            return []
        x, y = home.town.frame.to_metres(point.lon, point.lat)
        places = places_near(home.town, float(x), float(y), radius_m)
        return list(self._photos(home, places))

    def read(self, photo: Photo) -> bytes:
        """The photo, drawn and encoded as JPEG.

        Raises:
            SiteError: READ_FAILED, for an id that is not of this source.
        """
        town, place, shot = self._parse(photo.source_id)
        light, passing = _light(town, place), _passing(town, place)
        if shot == "p":
            pixels = paint_panorama(town, place.x, place.y, EYE_M, place.heading, light, passing)
        else:
            heading, hfov = _view(town, place, shot)
            pixels = paint_view(town, _eye(place, heading, 0.0, hfov, WIDTH_PX, HEIGHT_PX), light, passing)
        done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert done
        return data.tobytes()

    def truth(self, photo: Photo, camera: Camera) -> str:
        """The truth about a photo's view; see `pipeline.perception.oracle`.

        Raises:
            SiteError: READ_FAILED, for an id that is not of this source.
        """
        town, place, shot = self._parse(photo.source_id)
        north = float(_north(town, [place])[0])
        eye = _eye(place, camera.heading_deg + north, camera.pitch_deg, camera.hfov_deg, camera.width, camera.height)
        photo_focal = PANORAMA_PX / (2 * np.pi) if shot == "p" else _focal(_view(town, place, shot)[1], WIDTH_PX)
        lanes = stretch(town, place.family, place.i, place.j).lanes
        return truths.truth(town, eye, _passing(town, place), lanes, min(1.0, photo_focal / eye.focal), north)

    def _photos(self, home: Home, places: list[Place]) -> Iterator[Photo]:
        if not places:
            return
        town = home.town
        lon, lat = town.frame.to_degrees([place.x for place in places], [place.y for place in places])
        north = _north(town, places)
        for place, at_lon, at_lat, turn in zip(places, lon.tolist(), lat.tolist(), north.tolist(), strict=True):
            position = Point(at_lat, at_lon)
            if self._homes.at(position) is not home:
                continue
            taken = _FIRST_DAY + timedelta(
                minutes=int(_street_draws(town, place).random() * 5 * 365) * 1440 + place.k * 2
            )
            for shot in self._shots(town, place):
                heading, hfov = _view(town, place, shot)
                yield Photo(
                    source_id=f"{town.name}/{place.family}.{place.i}.{place.j}.{place.k}/{shot}",
                    position=position,
                    heading_deg=round((heading - turn) % 360.0, 3) % 360.0,
                    hfov_deg=hfov,
                    projection="equirectangular" if shot == "p" else "perspective",
                    captured_at=taken,
                    author=AUTHOR,
                    licence=LICENCE,
                    link=LINK,
                )

    def _shots(self, town: Town, place: Place) -> str:
        """The photos of a place: `p` a panorama, `0` along the street, `1` to its side."""
        u = town.draws("shots", *place.key).random(2)
        return "p" if u[0] < self._config.panoramas else "01" if u[1] < 0.5 else "0"

    def _parse(self, source_id: str) -> tuple[Town, Place, str]:
        match = _ID.fullmatch(source_id)
        home = self._homes.named(match[1]) if match else None
        if match and home:
            place = place_at(home.town, *(int(part) for part in match.groups()[1:5]))
            if place and match[6] in self._shots(home.town, place):
                return home.town, place, match[6]
        raise SiteError(Reason.READ_FAILED, f"{self.name} has no photo {source_id!r}")


def _rows(home: Home) -> Iterator[list[tuple[int, int]]]:
    """Rows of grid cells that cover a region's box."""
    west, south, east, north = home.region.bounds()
    t = np.linspace(0.0, 1.0, 33)
    lon = west + ((east - west) % 360.0) * np.concatenate([t, t, 0 * t, 0 * t + 1])
    lat = south + (north - south) * np.concatenate([0 * t, 0 * t + 1, t, t])
    u, v = to_grid(home.town, *home.town.frame.to_metres(lon, lat))
    columns = range(int(np.floor(u.min())) - 2, int(np.ceil(u.max())) + 2)
    for j in range(int(np.floor(v.min())) - 2, int(np.ceil(v.max())) + 2):
        yield [(i, j) for i in columns]


def _north(town: Town, places: list[Place]) -> np.ndarray:
    """Where true north lies in the town's frame at each place, degrees clockwise."""
    lon, lat = town.frame.to_degrees([place.x for place in places], [place.y for place in places])
    step = -1e-3 if town.frame.lat > 0 else 1e-3  # towards the equator, where degrees are safe
    x, y = town.frame.to_metres(lon, lat + step)
    dx, dy = (x - [place.x for place in places]) / step, (y - [place.y for place in places]) / step
    return np.asarray(np.degrees(np.arctan2(dx, dy)))


def _street_draws(town: Town, place: Place) -> np.random.Generator:
    return town.draws("taken", stretch(town, place.family, place.i, place.j).street_id)


def _light(town: Town, place: Place) -> Light:
    """A street was photographed on one day."""
    return LIGHTS[int(_street_draws(town, place).random(2)[1] * len(LIGHTS))]


@lru_cache(maxsize=64)
def _passing(town: Town, place: Place) -> Mesh:
    return passing_mesh(traffic(town, place))


def _view(town: Town, place: Place, shot: str) -> tuple[float, float]:
    """Heading in the town's frame, and horizontal field of view."""
    if shot == "p":
        return place.heading, 360.0
    u = town.draws("view", *place.key).random(3)
    side = (50.0 + 35.0 * u[0]) * (1 if u[1] < 0.5 else -1) if shot == "1" else 0.0
    return (place.heading + side) % 360.0, round(75.0 + 15.0 * float(u[2]), 2)


def _focal(hfov_deg: float, width: int) -> float:
    return width / 2 / float(np.tan(np.radians(hfov_deg) / 2))


def _eye(place: Place, heading: float, pitch: float, hfov_deg: float, width: int, height: int) -> Eye:
    return Eye(place.x, place.y, EYE_M, heading, pitch, _focal(hfov_deg, width), width, height)
