"""Street photos of Mapillary, API version 4 (https://www.mapillary.com/developer/api-documentation).

Coverage comes from vector tiles of zoom 14, photos from the Graph API's search by box. A search gives at most 2,000
photos, so a full box is quartered; boxes that the server finds too dense to search are quartered too. Addresses of
pictures expire: they are stored nowhere, and asked for once more where one is refused.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Literal

import mercantile

from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import Mapillary
from pipeline.digest import digest
from pipeline.errors import SiteError
from pipeline.geo.point import Floats, Point
from pipeline.geo.window import Box, around
from pipeline.imaging.lens import Fisheye
from pipeline.net.base import Client, Key, Provider, Request
from pipeline.sources.base import Photo
from pipeline.sources.listing import listing
from pipeline.sources.origins import host_origins, origin
from pipeline.sources.street import boxes, pictures, responses, tiles
from pipeline.sources.street.camera import heading, hfov_of_focal
from pipeline.sources.street.mapillary_wire import Entity, Found, Image, Spot
from pipeline.sources.street.places import Fault, near_first, of_region, position
from pipeline.sources.wire import each, one_by_one, parse
from schemas.reasons import Reason

log = logging.getLogger(__name__)

VERSION = 1
LICENCE = "CC-BY-SA-4.0"
"""Licence of all photos, by the terms of use; some are offered on other terms as well."""
_ZOOM = 14
_LIMIT = 2_000
_MOST_DEG2 = 0.01
_MOST_PAGES = 50
_FIELDS = (
    "id,captured_at,camera_type,camera_parameters,is_pano,compass_angle,computed_compass_angle,geometry,"
    "computed_geometry,creator,sequence,quality_score,width,height"
)
"""No more than what is used: each makes a search dearer for the server, and a dense box more likely to be refused."""
_ROUND = frozenset({"equirectangular", "spherical"})


class MapillarySource:
    """Photos of Mapillary. Threads may share it: nothing changes after it is made."""

    synthetic = False

    def __init__(self, name: str, config: Mapillary, regions: Sequence[Region], client: Client) -> None:  # noqa: ARG002
        """Make it; nothing is asked yet.

        Args:
            name: of the source in the configuration.
            config: its section. Its `rate` is for searches and pictures; tiles keep to what is listed.
            regions: of the build.
            client: the network client.

        Raises:
            ConfigError: an address or a host is none that may be asked.
        """
        self.name = name
        self._config = config
        self._endpoint = config.endpoint.rstrip("/")
        self._key = Key(config.key_env, header="Authorization", scheme="OAuth ")
        self._session = client.session(self.provider())
        self._tiles = client.session(self._tiles_provider())

    def fingerprint(self) -> str:
        """Digest of the settings that change the photos; see `pipeline.sources.base.Source`."""
        return digest("mapillary", VERSION, self._config.model_dump(exclude={"rate", "key_env", "allowed_hosts"}))

    def provider(self) -> Provider:
        """The Graph API and the picture hosts. Tiles are asked under limits of their own."""
        hosts = [one for host in self._config.allowed_hosts for one in host_origins(host)]
        return listing()["mapillary"].provider(
            (origin(self._endpoint), *hosts),
            rate=self._config.rate,
            key=self._key,
            judge=responses.mapillary(_mend(self._config.key_env)),
        )

    def _tiles_provider(self) -> Provider:
        return listing()["mapillary-tiles"].provider(
            (origin(self._config.tiles_endpoint),),
            key=self._key,
            judge=responses.mapillary_tiles(_mend(self._config.key_env)),
        )

    def candidates(self, region: Region) -> Iterator[Photo]:
        """All photos of a region, from coverage tiles: without authors (an empty text) and addresses.

        Raises:
            SiteError: the tiles cannot be had or read.
        """
        found = tiles.spots(self._tiles, region, _ZOOM, self._tile, "image")
        spots = one_by_one(
            (spot.properties | {"lat": spot.position.lat, "lon": spot.position.lon} for spot in found),
            Spot,
            self.name,
        )
        yield from of_region((_of_spot(spot) for spot in spots), region, self.name)

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """Photos within a radius in metres, nearest first; see `pipeline.sources.base.StreetSource`."""
        images = [
            image
            for box in around(point.lat, point.lon, radius_m)
            for image in boxes.gather(box, self._search, _MOST_DEG2)
        ]
        return near_first((self._photo(image) for image in images), point, radius_m)

    def read(self, photo: Photo) -> bytes:
        """The photo's bytes. Its address is asked for once more where it has expired.

        Raises:
            SiteError: it cannot be had.
        """
        key = f"{self._endpoint} {photo.source_id} {self._config.picture}"
        return pictures.read(self._session, photo, key, lambda: self._address(photo.source_id))

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:  # noqa: ARG002 - `Networked`
        """A search and at most `max_views` pictures a site."""
        return lat.size * (1 + imagery.max_views)

    def listing_requests(self, region: Region) -> tuple[Provider, int]:
        """The coverage tiles; see `pipeline.sources.base.Lists`."""
        return self._tiles_provider(), tiles.count(region, _ZOOM)

    def probe(self, region: Region) -> str:
        """A search for one photo around the region's middle; see `pipeline.sources.base.Networked`."""
        box = around(*region.middle(), 100.0)[0]
        request = Request(
            f"{self._endpoint}/images",
            (("bbox", boxes.text(box)), ("fields", "id,captured_at"), ("limit", "1")),
            accept=("application/json",),
        )
        found = len(parse(self._session.fetch(request).body, Found, self.name).data)
        seen = "photos" if found else "no photo"
        return f"the key is accepted; {seen} within 100 m of the middle of {region.name}; licence {LICENCE}"

    def _tile(self, tile: mercantile.Tile) -> Request:
        path = f"maps/vtp/mly1_public/2/{tile.z}/{tile.x}/{tile.y}"
        url = f"{self._config.tiles_endpoint.rstrip('/')}/{path}"
        return Request(url, max_bytes=tiles.MAX_TILE_BYTES, cache="validated")

    def _search(self, box: Box) -> list[Image]:
        asked = (
            ("bbox", boxes.text(box)),
            ("fields", f"{_FIELDS},{self._thumb}"),
            ("limit", str(_LIMIT)),
        )
        images: list[Image] = []
        seen: set[str] = set()
        more: tuple[tuple[str, str], ...] = ()
        for _ in range(_MOST_PAGES):
            request = Request(f"{self._endpoint}/images", asked + more, accept=("application/json",))
            found = parse(self._session.fetch(request).body, Found, self.name)
            if len(found.data) >= _LIMIT:
                raise SiteError(Reason.ANSWER_TOO_LARGE, f"{self.name}: {_LIMIT} photos or more within {box}")
            images += each(found.data, Image, self.name)
            after = found.paging.after()
            if after is None:
                return images
            if after in seen:
                log.warning("%s: the pages of a search lead back to themselves", self.name)
                return images
            seen.add(after)
            more = (("after", after),)
        raise SiteError(Reason.ANSWER_TOO_LARGE, f"{self.name}: more than {_MOST_PAGES} pages within {box}")

    @property
    def _thumb(self) -> str:
        return f"thumb_{self._config.picture}_url"

    def _photo(self, image: Image) -> Photo:
        place, fault = _place(image)
        panorama = image.is_pano or image.camera_type in _ROUND
        known = image.quality_score is not None and 0 <= image.quality_score <= 1
        computed = heading(image.computed_compass_angle)
        return Photo(
            source_id=image.id,
            position=place,
            heading_deg=heading(image.compass_angle) if computed is None else computed,
            hfov_deg=360.0 if panorama else _hfov(image),
            projection="equirectangular" if panorama else _projection(image),
            lens=_fisheye(image),
            captured_at=image.captured_at,
            author=image.creator.username or "Mapillary contributor",
            licence=LICENCE,
            link=_link(image.id),
            sequence=image.sequence,
            quality=image.quality_score if known else None,
            picture=getattr(image, self._thumb) or None,
            unusable=fault,
        )

    def _address(self, photo_id: str) -> str:
        request = Request(
            f"{self._endpoint}/{photo_id}", (("fields", f"id,{self._thumb}"),), accept=("application/json",)
        )
        address: str | None = getattr(parse(self._session.fetch(request).body, Entity, self.name), self._thumb)
        if address is None:
            raise SiteError(Reason.GONE, f"{self.name}: photo {photo_id} has no picture of size {self._config.picture}")
        return address


def _link(photo_id: str) -> str:
    return f"https://www.mapillary.com/app/?pKey={photo_id}"


def _place(image: Image) -> tuple[Point, Fault | None]:
    """The position found by reconstruction, if there is one and it can be; else the one recorded."""
    found = [position(at.coordinates[1], at.coordinates[0]) for at in (image.computed_geometry, image.geometry) if at]
    return next((one for one in found if one[1] is None), found[-1])


def _projection(image: Image) -> Literal["perspective", "fisheye"]:
    return "fisheye" if image.camera_type == "fisheye" else "perspective"


def _fisheye(image: Image) -> Fisheye | None:
    """The model of a fisheye, if it was recorded and can be (https://www.mapillary.com/developer/api-documentation)."""
    given = image.camera_parameters
    if image.camera_type != "fisheye" or not given or not 0.05 < given[0] < 5:
        return None
    k1, k2 = (*given[1:3], 0.0, 0.0)[:2]
    return Fisheye(given[0], k1, k2)


def _hfov(image: Image) -> float | None:
    if image.camera_type != "perspective" or not image.camera_parameters or not image.width or not image.height:
        return None
    focal, k1, k2 = (*image.camera_parameters[:3], 0.0, 0.0)[:3]
    return hfov_of_focal(focal, image.width, image.height, k1, k2)


def _of_spot(spot: Spot) -> Photo:
    return Photo(
        source_id=spot.id,
        position=Point(spot.lat, spot.lon),
        heading_deg=heading(spot.compass_angle),
        hfov_deg=360.0 if spot.is_pano else None,
        projection="equirectangular" if spot.is_pano else "perspective",
        captured_at=spot.captured_at,
        author="",
        licence=LICENCE,
        link=_link(spot.id),
        sequence=spot.sequence_id,
    )


def _mend(key_env: str) -> str:
    return f"Set {key_env} to a client token of https://www.mapillary.com/dashboard/developers"
