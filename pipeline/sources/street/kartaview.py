"""Street photos of KartaView (https://kartaview.org), mostly flat and taken from dashboards.

Photos are listed by box, a page at a time, with `POST 1.0/list/nearby-photos/`. The server has been seen to refuse
boxes (status 400) and to answer the same question put as a point and a radius, so that is asked where a box is refused.
It is slow: what is asked for at once is kept small.
"""

import base64
import logging
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from pipeline.config.imagery import Imagery
from pipeline.config.region import Region
from pipeline.config.sources import KartaView
from pipeline.digest import digest
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Floats, Point
from pipeline.geo.window import Box, around
from pipeline.net.base import Client, Provider, Request
from pipeline.sources.base import Photo
from pipeline.sources.listing import listing
from pipeline.sources.origins import host_origins, origin
from pipeline.sources.street import boxes, pictures, responses
from pipeline.sources.street.camera import heading
from pipeline.sources.street.places import near_first, of_region, position
from pipeline.sources.wire import Id, Moment, Number, OptionalId, Text, Wire, each, parse
from schemas.reasons import Reason

log = logging.getLogger(__name__)

VERSION = 1
LICENCE = "CC-BY-SA-4.0"
_PAGE = 1_000
_MOST_PAGES = 20
_SIDE_M = 200.0
"""Side of the boxes that a region is listed in: in a city the server does not answer in time for 500 m."""
_STORED = re.compile(r"(storage\d{1,3})/([A-Za-z0-9_./-]+)")


class _Item(Wire):
    """All numbers come as strings."""

    id: Id
    sequence_id: OptionalId = None
    sequence_index: OptionalId = None
    lat: float
    lng: float
    heading: Number = None
    shot_date: Moment = None
    date_added: Moment = None
    username: Text = ""
    name: str = ""


class _Page(Wire):
    items: list[Any] = Field([], alias="currentPageItems")


class KartaViewSource:
    """Photos of KartaView. Threads may share it."""

    synthetic = False

    def __init__(self, name: str, config: KartaView, regions: Sequence[Region], client: Client) -> None:  # noqa: ARG002
        """Make it; nothing is asked yet.

        Args:
            name: of the source in the configuration.
            config: its section.
            regions: of the build.
            client: the network client.

        Raises:
            ConfigError: an address or a host is none that may be asked.
        """
        self.name = name
        self._config = config
        self._endpoint = config.endpoint.rstrip("/")
        self._session = client.session(self.provider())
        self._boxes_refused = False

    def fingerprint(self) -> str:
        """Digest of the settings that change the photos; see `pipeline.sources.base.Source`."""
        return digest("kartaview", VERSION, self._config.model_dump(exclude={"rate", "allowed_hosts"}))

    def provider(self) -> Provider:
        """The API and the picture hosts."""
        hosts = [one for host in self._config.allowed_hosts for one in host_origins(host)]
        return listing()["kartaview"].provider(
            (origin(self._endpoint), *hosts), rate=self._config.rate, judge=responses.kartaview
        )

    def candidates(self, region: Region) -> Iterator[Photo]:
        """All photos of a region, box by box.

        Raises:
            SiteError: a box cannot be listed.
        """
        items = (item for box in boxes.squares(region, _SIDE_M) for item in boxes.gather(box, self._list))
        yield from of_region((self._photo(item) for item in items), region, self.name)

    def near(self, point: Point, radius_m: float) -> list[Photo]:
        """Photos within a radius in metres, nearest first; see `pipeline.sources.base.StreetSource`."""
        items = [item for box in around(point.lat, point.lon, radius_m) for item in boxes.gather(box, self._list)]
        return near_first((self._photo(item) for item in items), point, radius_m)

    def read(self, photo: Photo) -> bytes:
        """The photo's bytes.

        Raises:
            SiteError: it cannot be had.
        """
        return pictures.read(self._session, photo, f"{self._endpoint} {photo.source_id}", lambda: _no_other(photo))

    def requests(self, lat: Floats, lon: Floats, imagery: Imagery) -> int:  # noqa: ARG002 - `Networked`
        """A list, once more by point and radius for the first, and at most `max_views` pictures a site."""
        return lat.size * (1 + imagery.max_views) + 1

    def listing_requests(self, region: Region) -> tuple[Provider, int]:
        """A list for each box; more where a box holds more than a page. See `pipeline.sources.base.Lists`."""
        return self.provider(), boxes.count_squares(region, _SIDE_M)

    def probe(self, region: Region) -> str:
        """A list of the region's middle; see `pipeline.sources.base.Networked`."""
        found = len(self._list(around(*region.middle(), 50.0)[0]))
        return f"reachable; {found} photos within 50 m of the middle of {region.name}; licence {LICENCE}"

    def _list(self, box: Box) -> list[_Item]:
        west, south, east, north = box
        if not self._boxes_refused:
            try:
                return self._pages(bbTopLeft=f"{north:.7f},{west:.7f}", bbBottomRight=f"{south:.7f},{east:.7f}")
            except SiteError as error:
                if error.reason is not Reason.REFUSED:
                    raise
                log.warning("%s: boxes are refused (%s); asking by point and radius", self.name, error.detail)
        lat, lon = (south + north) / 2, (west + east) / 2
        x, y = LocalFrame(lat, lon).to_metres([west, east, west, east], [south, south, north, north])
        radius = math.ceil(max(math.hypot(*corner) for corner in zip(x.tolist(), y.tolist(), strict=True)))
        items = self._pages(lat=f"{lat:.7f}", lng=f"{lon:.7f}", radius=str(radius))
        self._boxes_refused = True
        return items

    def _pages(self, **fields: str) -> list[_Item]:
        items: dict[str, _Item] = {}
        for page in range(1, _MOST_PAGES + 1):
            request = Request(
                f"{self._endpoint}/1.0/list/nearby-photos/",
                method="POST",
                body=urlencode({"ipp": _PAGE, "page": page, **fields}).encode(),
                content_type="application/x-www-form-urlencoded",
                accept=("application/json", "text/"),
            )
            listed = parse(self._session.fetch(request).body, _Page, self.name).items
            known = len(items)
            items.update({item.id: item for item in each(listed, _Item, self.name)})
            if len(listed) < _PAGE:
                return list(items.values())
            if len(items) == known:
                log.warning("%s: page %d of a list repeats those before it", self.name, page)
                return list(items.values())
        raise SiteError(Reason.ANSWER_TOO_LARGE, f"{self.name}: more than {_MOST_PAGES} pages for {fields}")

    def _photo(self, item: _Item) -> Photo:
        place, fault = position(item.lat, item.lng)
        page = f"{item.sequence_id}/{item.sequence_index}" if item.sequence_id and item.sequence_index else ""
        return Photo(
            source_id=item.id,
            position=place,
            heading_deg=heading(item.heading),
            hfov_deg=None,
            projection="perspective",
            captured_at=item.shot_date or item.date_added,
            author=item.username or "KartaView contributor",
            licence=LICENCE,
            link=f"https://kartaview.org/details/{page}" if page else "https://kartaview.org",
            sequence=item.sequence_id,
            picture=self._address(item.name),
            unusable=fault,
        )

    def _address(self, name: str) -> str | None:
        """Where a stored file can be had: not where it is stored, whose hosts answer 404 and 502, but by the CDN."""
        stored = _STORED.fullmatch(name)
        if stored is None:
            return None
        source = f"https://{stored[1]}.openstreetcam.org/{stored[2]}"
        parts = urlsplit(self._endpoint)
        cdn = self._endpoint if parts.port else f"{parts.scheme}://cdn.{parts.netloc}"  # a test server has no CDN
        return f"{cdn}/pr:sharp/{base64.urlsafe_b64encode(source.encode()).decode().rstrip('=')}"


def _no_other(photo: Photo) -> str:
    raise SiteError(Reason.GONE, f"photo {photo.source_id} is not where the list says")
