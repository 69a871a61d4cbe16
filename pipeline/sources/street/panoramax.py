"""Street photos of Panoramax: one instance, or the catalogue of the federation (https://docs.panoramax.fr/api).

Coverage comes from vector tiles of zoom 15, photos from the STAC search. Each photo states its licence; one that states
none, or none that a dataset may be made under, is not used. EXIF data, which the search returns too, is not read.

The catalogue holds no pictures. They lie on the instances, so the origins that may be asked grow by the catalogue's own
list of instances, and by nothing that a photo says.
"""

import logging
import math
import re
import threading
from collections.abc import Iterator, Sequence

import mercantile

from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import Panoramax
from pipeline.digest import digest
from pipeline.errors import SiteError
from pipeline.geo.point import Floats, Point
from pipeline.geo.window import around
from pipeline.net.base import Client, Provider, Request
from pipeline.sources.base import Photo
from pipeline.sources.listing import listing
from pipeline.sources.origins import origin
from pipeline.sources.street import boxes, pictures, responses, tiles
from pipeline.sources.street.camera import heading
from pipeline.sources.street.panoramax_wire import Found, Instance, Instances, Item, Spot, crop_of
from pipeline.sources.street.places import Fault, near_first, of_region, position
from pipeline.sources.wire import each, one_by_one, one_line, parse
from schemas.licences import licence_class
from schemas.reasons import TRANSIENT, Reason

log = logging.getLogger(__name__)

VERSION = 2
STORES = ("https://panoramax-storage-public-fast.s3.gra.perf.cloud.ovh.net",)
"""Object stores that instances redirect to for their pictures and that the list of instances does not name: IGN's."""
_ZOOM = 15
_LIMIT = 200
"""Maximum number of photos of a search around a site. The nearest come first, so a full page lacks the farthest."""
_GEOJSON = ("application/geo+json", "application/json")
_FROM_LINK = (
    (re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)"), "CC-{}-{}"),
    (re.compile(r"creativecommons\.org/publicdomain/zero/(1\.0)"), "CC0-{}"),
    (re.compile(r"(?:licence-ouverte|etalab).*?(2\.0)"), "etalab-{}"),
)


class PanoramaxSource:
    """Photos of Panoramax. Threads may share it."""

    synthetic = False

    def __init__(self, name: str, config: Panoramax, regions: Sequence[Region], client: Client) -> None:  # noqa: ARG002
        """Make it; nothing is asked yet.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: of the build.
            client: the network client.

        Raises:
            ConfigError: the endpoint is no address that may be asked.
        """
        self.name = name
        self._config = config
        self._endpoint = config.endpoint.rstrip("/")
        self._session = client.session(self.provider())
        self._lock = threading.Lock()
        self._instances_taken_up = False

    def fingerprint(self) -> str:
        """Digest of the settings that change the photos; see `pipeline.sources.base.Source`."""
        return digest("panoramax", VERSION, self._config.model_dump(exclude={"rate"}))

    def provider(self) -> Provider:
        """The endpoint; the instances join it when their first picture is read."""
        here = origin(self._endpoint)
        stores = STORES if here.startswith("https://") else ()  # not of a server on this machine, by plain http
        return listing()["panoramax"].provider((here, *stores), rate=self._config.rate, judge=responses.panoramax)

    def candidates(self, region: Region) -> Iterator[Photo]:
        """All photos of a region, from coverage tiles.

        They state no licence (an empty text), and as their author the id of an account: enough to tell contributors
        apart.

        Raises:
            SiteError: the tiles cannot be had or read.
        """
        found = tiles.spots(self._session, region, _ZOOM, self._tile, "pictures")
        spots = one_by_one(
            (spot.properties | {"lat": spot.position.lat, "lon": spot.position.lon} for spot in found),
            Spot,
            self.name,
        )
        yield from of_region((self._of_spot(spot) for spot in spots), region, self.name)

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """Photos within a radius in metres, nearest first; see `pipeline.sources.base.StreetSource`.

        Where there are more than a search gives, those that look at the point are searched for besides, so that they
        are not missing because others are nearer.
        """
        limit = ("limit", str(_LIMIT))
        items: list[Item] = []
        full = False
        for box in around(point.lat, point.lon, radius_m):
            found = self._search(("bbox", boxes.text(box)), limit)
            full = full or len(found) >= _LIMIT
            items += found
        if full:
            items += self._search(
                ("place_position", f"{point.lon:.7f},{point.lat:.7f}"),
                ("place_distance", f"0-{math.ceil(radius_m)}"),
                limit,
            )
        return near_first((self._photo(item) for item in items), point, radius_m)

    def read(self, photo: Photo) -> bytes:
        """The photo's bytes. Its address is asked for once more where it is not there any more.

        Raises:
            SiteError: it cannot be had.
        """
        key = f"{self._endpoint} {photo.source_id} {self._config.picture}"
        if photo.picture is not None:
            self._take_up(photo.picture)
        return pictures.read(self._session, photo, key, lambda: self._address(photo.source_id))

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:  # noqa: ARG002 - `Networked`
        """Two searches and at most `max_views` pictures a site, and the list of instances."""
        return lat.size * (2 + imagery.max_views) + 1

    def listing_requests(self, region: Region) -> tuple[Provider, int]:
        """The coverage tiles; see `pipeline.sources.base.Lists`."""
        return self.provider(), tiles.count(region, _ZOOM)

    def probe(self, region: Region) -> str:
        """A search for one photo around the region's middle; see `pipeline.sources.base.Networked`."""
        items = self._search(("bbox", boxes.text(around(*region.middle(), 500.0)[0])), ("limit", "1"))
        if not items:
            return f"reachable; no photo within 500 m of the middle of {region.name}"
        photo = self._photo(items[0])
        return f"reachable; a photo of {photo.author}, licence {photo.licence or 'not stated'}, near {region.name}"

    def _tile(self, tile: mercantile.Tile) -> Request:
        url = f"{self._endpoint}/map/{tile.z}/{tile.x}/{tile.y}.mvt"
        return Request(url, max_bytes=tiles.MAX_TILE_BYTES, cache="validated")

    def _search(self, *params: tuple[str, str]) -> list[Item]:
        request = Request(f"{self._endpoint}/search", params, accept=_GEOJSON, cache="validated")
        return each(parse(self._session.fetch(request).body, Found, self.name).features, Item, self.name)

    def _photo(self, item: Item) -> Photo:
        place, misplaced = position(item.geometry.coordinates[1], item.geometry.coordinates[0])
        licence, forbidden = _licence(item)
        view = item.properties.orientation.field_of_view
        crop, strange = crop_of(item.properties.orientation)
        # A part of a sphere may state the field of view of the part.
        panorama = (view is not None and view >= 360) or crop is not None
        if strange is not None and not panorama:  # a flat photo, cut in a way that its field of view does not say
            view, strange = None, None
        asset = item.assets.get(self._config.picture)
        return Photo(
            source_id=item.id,
            position=place,
            heading_deg=heading(item.properties.azimuth),
            heading_guessed=item.properties.heading_guessed,
            hfov_deg=360.0 if panorama else view if view is not None and 0 < view < 180 else None,
            projection="equirectangular" if panorama else "perspective",
            captured_at=item.properties.datetime,
            author=_author(item),
            licence=licence,
            link=self._link(item.id),
            sequence=item.collection,
            lens=crop,
            hfov_along_long_side=True,
            position_error_m=_error_m(item.properties.accuracy),
            picture=asset.href if asset else None,
            unusable=misplaced or forbidden or strange,
        )

    def _of_spot(self, spot: Spot) -> Photo:
        panorama = spot.type == "equirectangular"
        return Photo(
            source_id=spot.id,
            position=Point(spot.lat, spot.lon),
            heading_deg=heading(spot.heading),
            hfov_deg=360.0 if panorama else None,
            projection="equirectangular" if panorama else "perspective",
            captured_at=spot.ts,
            author=spot.account_id,
            licence="",
            link=self._link(spot.id),
            sequence=spot.first_sequence,
        )

    def _link(self, photo_id: str) -> str:
        return f"{self._endpoint.removesuffix('/api')}/#focus=pic&pic={photo_id}"

    def _address(self, photo_id: str) -> str:
        request = Request(f"{self._endpoint}/search", (("ids", photo_id), ("limit", "1")), accept=_GEOJSON)
        features = parse(self._session.fetch(request).body, Found, self.name).features
        for item in each(features, Item, self.name):
            asset = item.assets.get(self._config.picture)
            if item.id == photo_id and asset is not None:
                self._take_up(asset.href)
                return asset.href
        raise SiteError(Reason.GONE, f"{self.name}: photo {photo_id} has no {self._config.picture} picture")

    def _take_up(self, url: str) -> None:
        """Have the client take up the instances' origins, once, when a picture first lies on one."""
        if origin(url) == origin(self._endpoint):
            return
        with self._lock:
            if not self._instances_taken_up:
                self._take_up_instances()
                self._instances_taken_up = True

    def _take_up_instances(self) -> None:
        request = Request(f"{self._endpoint}/instances", accept=("application/json",), cache="validated")
        try:
            listed = parse(self._session.fetch(request).body, Instances, self.name).instances
        except SiteError as error:
            if error.reason in TRANSIENT - {Reason.BAD_ANSWER}:
                raise
            log.warning("%s: no list of instances (%s); only pictures of %s are read", self.name, error, self._endpoint)
            return
        origins = {origin(instance.url) for instance in each(listed, Instance, self.name)}
        for one in sorted(origins):
            try:
                self._session.allow(one)
            except SiteError as error:
                log.warning("%s: an instance is left out: %s", self.name, error)


def _error_m(accuracy: float | None) -> float | None:
    return accuracy if accuracy is not None and accuracy > 0 else None  # 0 and -1 stand for unknown


def _author(item: Item) -> str:
    producers = [party.name for party in item.providers if "producer" in party.roles and party.name]
    if producers:
        return producers[0]
    producer = item.properties.producer
    return one_line(producer.get("name") if isinstance(producer, dict) else producer) or "Panoramax contributor"


def _licence(item: Item) -> tuple[str, Fault | None]:
    """SPDX identifier of a photo's licence, and why it may not be used."""
    stated = item.properties.licence
    if not stated or stated.lower() == "proprietary":  # what servers say where no licence was set
        links = [link.href for link in item.links if link.rel == "license"]
        stated = next((spelt for spelt in map(_licence_of_link, links) if spelt), "")
    if not stated:
        return "", (Reason.UNUSABLE_LICENCE, "no licence is stated")
    licence = _spelt(stated)
    if licence_class([licence]) == "other":
        return licence, (Reason.UNUSABLE_LICENCE, licence)
    return licence, None


def _licence_of_link(href: str) -> str:
    for pattern, form in _FROM_LINK:
        found = pattern.search(href.lower())
        if found:
            return form.format(*found.groups())
    return ""


def _spelt(licence: str) -> str:
    """An SPDX identifier in its usual spelling; they are compared without regard to case."""
    if licence.lower().startswith("cc"):
        return licence.upper()
    return licence.lower() if licence.lower().startswith("etalab") else licence
