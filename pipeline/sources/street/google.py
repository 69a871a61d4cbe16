"""Google Street View, for those who may use it.

Its terms (https://cloud.google.com/maps-platform/terms, 3.2.3) forbid to store pictures, to build datasets of them and
to train models on them. Ids of panoramas may be kept. So a site gets the id of its nearest panorama, noted among the
photos considered; its position and date are not kept. Where the build's owner states a separate agreement, the Street
View Static API gives four flat views of that panorama, to the north, east, south and west, marked as not
redistributable.
"""

import math
from collections.abc import Iterator, Sequence

from pydantic import Field

from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import GoogleStreet
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem, SiteError
from pipeline.geo.point import Floats, Point
from pipeline.net.base import Client, Key, Provider, Request
from pipeline.sources.base import Photo
from pipeline.sources.listing import listing
from pipeline.sources.origins import origin
from pipeline.sources.street import responses
from pipeline.sources.street.places import near_first, position
from pipeline.sources.wire import Moment, OptionalId, Text, Wire, parse
from schemas.reasons import Reason

VERSION = 1
LICENCE = "LicenseRef-Google"
HEADINGS = (0, 90, 180, 270)
_HFOV = 90
_SIZE_PX = 640
"""The API's largest."""


class _Location(Wire):
    lat: float
    lng: float


class _Panorama(Wire):
    """Metadata; `NOT_FOUND` and `ZERO_RESULTS` come with a status alone."""

    status: str
    pano_id: OptionalId = None
    location: _Location | None = None
    date: Moment = None
    copyright_: Text = Field("", alias="copyright")


class GoogleStreetSource:
    """Panoramas of Google Street View, one a site. Threads may share it: nothing changes after it is made."""

    synthetic = False

    def __init__(
        self,
        name: str,
        config: GoogleStreet,
        regions: Sequence[Region],  # noqa: ARG002
        client: Client,
    ) -> None:
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

    def fingerprint(self) -> str:
        """Digest of the settings that change the photos; see `pipeline.sources.base.Source`."""
        return digest("google", VERSION, self._config.endpoint, bool(self._config.separate_agreement))

    def provider(self) -> Provider:
        """The Maps APIs."""
        key_env = self._config.key_env
        return listing()["google-street"].provider(
            (origin(self._endpoint),),
            rate=self._config.rate,
            key=Key(key_env, query="key"),
            judge=responses.google(f"Set {key_env} to a key for which the Street View Static API is enabled"),
        )

    def candidates(self, region: Region) -> Iterator[Photo]:  # noqa: ARG002 - `StreetSource`
        """Google lists no coverage.

        Raises:
            ConfigError: always.
        """
        found = f"imagery, with the street source {self.name}, of which no coverage is listed"
        raise ConfigError([Problem("sampling.method", found, "uniform, grid, roads")])

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """The nearest panorama within a radius in metres: its four views, or its id; see `StreetSource`."""
        asked = (("location", f"{point.lat:.7f},{point.lon:.7f}"), ("radius", str(math.ceil(radius_m))))
        request = Request(f"{self._endpoint}/maps/api/streetview/metadata", asked, accept=("application/json",))
        found = parse(self._session.fetch(request).body, _Panorama, self.name)
        if found.status != "OK":
            return []
        if found.pano_id is None or found.location is None:
            raise SiteError(Reason.BAD_ANSWER, f"{self.name}: a panorama without id or location")
        place, fault = position(found.location.lat, found.location.lng)
        if self._config.separate_agreement:
            views = [_view(found, found.pano_id, place, turn, fault) for turn in HEADINGS]
            return near_first(views, point, radius_m)
        # What is told of it beside its id may not be kept, so the site's own position stands for its.
        return [_noted(found.pano_id, point)]

    def read(self, photo: Photo) -> bytes:
        """The view's bytes.

        Raises:
            SiteError: it cannot be had, or there is no agreement to fetch it under.
        """
        if not self._config.separate_agreement:
            raise SiteError(Reason.METADATA_ONLY, f"{self.name}: no separate_agreement is stated")
        pano, _, turn = photo.source_id.rpartition("/")
        params = (
            ("pano", pano),
            ("heading", turn),
            ("fov", str(_HFOV)),
            ("size", f"{_SIZE_PX}x{_SIZE_PX}"),
            ("return_error_code", "true"),
        )
        return self._session.fetch(Request(f"{self._endpoint}/maps/api/streetview", params, accept=("image/",))).body

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:  # noqa: ARG002 - `Networked`
        """A question, free of charge, a site; with an agreement a picture for each of its views besides."""
        pictures = min(len(HEADINGS), imagery.max_views) if self._config.separate_agreement else 0
        return lat.size * (1 + pictures)

    def probe(self, region: Region) -> str:
        """A question for a panorama at the region's middle; see `pipeline.sources.base.Networked`."""
        found = self.near(Point(*region.middle()), 500.0)
        seen = "a panorama" if found else "no panorama"
        use = "pictures, not redistributable" if self._config.separate_agreement else "ids only"
        return f"the key is accepted; {seen} within 500 m of the middle of {region.name}; {use}"


def _view(found: _Panorama, pano_id: str, place: Point, turn: int, fault: tuple[Reason, str] | None) -> Photo:
    return Photo(
        source_id=f"{pano_id}/{turn}",
        position=place,
        heading_deg=float(turn),
        hfov_deg=float(_HFOV),
        projection="perspective",
        captured_at=found.date,
        author=found.copyright_ or "Google",
        licence=LICENCE,
        link=_link(pano_id),
        redistributable=False,
        unusable=fault,
    )


def _noted(pano_id: str, point: Point) -> Photo:
    told = "Google's terms allow its id alone; position and date shown are not the photo's"
    return Photo(
        source_id=pano_id,
        position=point,
        heading_deg=None,
        hfov_deg=360.0,
        projection="equirectangular",
        captured_at=None,
        author="Google",
        licence=LICENCE,
        link=_link(pano_id),
        redistributable=False,
        unusable=(Reason.METADATA_ONLY, told),
    )


def _link(pano_id: str) -> str:
    return f"https://www.google.com/maps/@?api=1&map_action=pano&pano={pano_id}"
