"""Which of the photos near a site are used, and why the others are not.

Photos are tried in the order of a penalty, the lowest first; ties by distance, then by id:

    penalty = w_distance * d / R
            + w_direction * min(1, d / 5 m) * (1 - cos a) / 2
            + w_date * min(1, y / 10)
            + w_quality * (1 - q)

- d: metres from the site to the camera; R: the search radius.
- a: angle between the optical axis and the direction to the site, so the term is 0 for a photo that looks at the site
  and 1 for one that looks away from it. A photo taken at the site shows it whichever way it looks, hence d / 5 m. 0 for
  panoramas, 1/2 in place of (1 - cos a) / 2 where the direction is unknown.
- y: years (of 365.25 days) older than the newest photo that can be used; never counted from today, so that the same
  photos always come in the same order. The term is 1/2 where the date is unknown.
- q: the source's own score, 0 to 1; 1/2 where it has none.

The weights w are the build's `imagery.choice`. Distances count in centimetres and penalties in hundredths, as they are
noted: positions are not better than that, and a photo's rank can be followed from what stands in the row.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pyproj import Geod

from pipeline.config.imagery import Choice
from pipeline.errors import SiteError
from pipeline.geo.point import Point
from pipeline.sources.base import Photo
from schemas.reasons import OUTAGES, Reason
from schemas.records import Considered, StreetView

MOST_CONSIDERED = 20
"""Maximum number of photos per site that are recorded, and that are read."""

_AT_SITE_M = 5.0
_OLD_YEARS = 10.0
_YEAR_S = 365.25 * 86_400
_UNKNOWN = 0.5
_SAME_WAY_DEG = 45.0
"""A further flat photo is used only if its direction differs by at least this from those chosen."""
_GEOD = Geod(ellps="WGS84")

Look = tuple[str, float | None]
"""Id and heading of a chosen photo."""
Take = Callable[[Photo, int], list[StreetView]]
"""Makes the views of a photo, the first with the given number; raises `SiteError` if the photo is unusable."""


@dataclass(frozen=True)
class Ranked:
    """A photo with its penalty."""

    photo: Photo
    distance_m: float
    """Distance between site and camera, metres."""
    score: float
    """The penalty."""


@dataclass
class Chosen:
    """The result for the photos near a site."""

    views: list[StreetView] = field(default_factory=list)
    considered: list[Considered] = field(default_factory=list)
    """At most 20, best first."""
    faults: list[tuple[str, SiteError]] = field(default_factory=list)
    """Photos that would have been used, by id, and why they could not be, in the order of trying."""
    unusable: SiteError | None = None
    """Why the best photo may not be used, if none may."""

    def why_none(self, radius_m: float) -> SiteError:
        """Why a site has no view: the error of the first photo tried, or that there is no photo."""
        if self.faults:
            return self.faults[0][1]
        return self.unusable or SiteError(Reason.NO_STREET_VIEW, f"no photo within {radius_m:g} m")


def rank(photos: Iterable[Photo], point: Point, radius_m: float, weights: Choice) -> list[Ranked]:
    """Photos by ascending penalty (see the module); unusable ones come last."""
    found = list(photos)
    newest = max((p.captured_at for p in found if p.captured_at and p.unusable is None), default=None)
    lon = np.array([photo.position.lon for photo in found], float)
    lat = np.array([photo.position.lat for photo in found], float)
    here = np.full_like(lon, point.lon), np.full_like(lat, point.lat)
    # The third and second results: distances, and directions from the photos back to the site.
    _, back, distances = _GEOD.inv(*here, lon, lat)
    ranked = []
    for photo, distance, towards in zip(found, distances.round(2).tolist(), back.tolist(), strict=True):
        age = None
        if newest is not None and photo.captured_at is not None:
            age = (newest - photo.captured_at).total_seconds() / _YEAR_S
        penalty = (
            weights.distance * min(1.0, distance / radius_m)
            + weights.direction * _direction(photo, distance, towards)
            + weights.date * (_UNKNOWN if age is None else min(1.0, max(0.0, age) / _OLD_YEARS))
            + weights.quality * (1.0 - (_UNKNOWN if photo.quality is None else photo.quality))
        )
        ranked.append(Ranked(photo, distance, round(penalty, 2)))
    return sorted(
        ranked, key=lambda one: (one.photo.unusable is not None, one.score, one.distance_m, one.photo.source_id)
    )


def choose(ranked: Sequence[Ranked], max_views: int, take: Take) -> Chosen:
    """Try photos in order until there are views enough.

    The first usable one decides. A panorama covers all directions, so nothing is added to it. To a flat photo, photos
    in other directions are added.

    Raises:
        SiteError: a reason of `OUTAGES`; with the source available the choice could differ.
    """
    chosen = Chosen()
    verdicts: dict[str, str] = {}
    tried: set[str] = set()
    looks: list[Look] = []
    for one in ranked:
        photo = one.photo
        verdict = _before_reading(photo, looks, chosen.views, max_views)
        if verdict is None and len(tried) == MOST_CONSIDERED:
            verdict = f"not tried: {MOST_CONSIDERED} others were"
        if verdict is None:
            tried.add(photo.source_id)
            try:
                chosen.views += take(photo, len(chosen.views))
            except SiteError as error:
                if error.reason in OUTAGES:
                    raise
                chosen.faults.append((photo.source_id, error))
                verdict = f"{error.reason}: {error.detail}"
            else:
                looks.append((photo.source_id, photo.heading_deg))
                verdict = "chosen"
        verdicts[photo.source_id] = verdict
    if ranked and ranked[0].photo.unusable is not None:
        reason, detail = ranked[0].photo.unusable
        chosen.unusable = SiteError(reason, f"{ranked[0].photo.source_id}: {detail}")
    # What was tried is noted first; the rest by rank.
    noted = sorted(range(len(ranked)), key=lambda i: (ranked[i].photo.source_id not in tried, i))[:MOST_CONSIDERED]
    chosen.considered = [_considered(ranked[i], verdicts[ranked[i].photo.source_id]) for i in sorted(noted)]
    return chosen


def _direction(photo: Photo, distance: float, towards: float) -> float:
    if photo.projection == "equirectangular":
        return 0.0
    away = _UNKNOWN
    if photo.heading_deg is not None:
        away = (1.0 - math.cos(math.radians(towards - photo.heading_deg))) / 2.0
    return away * min(1.0, distance / _AT_SITE_M)


def _before_reading(photo: Photo, looks: Sequence[Look], views: Sequence[StreetView], max_views: int) -> str | None:
    """Why a photo is not read, or None."""
    if photo.unusable is not None:
        return f"{photo.unusable[0]}: {photo.unusable[1]}"
    if not views:
        return None
    if views[0].projection == "equirectangular":
        return f"not needed: {looks[0][0]} sees all round"
    if len(views) >= max_views:
        return f"not needed: {len(views)} {'view was' if len(views) == 1 else 'views were'} enough"
    return _not_added(photo, looks)


def _not_added(photo: Photo, looks: Sequence[Look]) -> str | None:
    """Why a photo adds no direction to flat photos, or None."""
    if photo.projection == "equirectangular":
        return f"not added: a panorama, and the better {looks[0][0]} is flat"
    if photo.heading_deg is None:
        return "not added: which way it looks is unknown"
    for other, heading in looks:
        if heading is None:
            return f"not added: which way {other} looks is unknown"
        if abs((photo.heading_deg - heading + 180.0) % 360.0 - 180.0) < _SAME_WAY_DEG:
            return f"looks the same way as {other}"
    return None


def _considered(one: Ranked, verdict: str) -> Considered:
    photo = one.photo
    return Considered(
        source_id=photo.source_id,
        lat=photo.position.lat,
        lon=photo.position.lon,
        distance_m=one.distance_m,
        heading_deg=photo.heading_deg,
        projection=photo.projection,
        captured_at=photo.captured_at,
        author=photo.author,
        licence=photo.licence,
        link=photo.link,
        score=one.score,
        verdict=verdict,
    )
