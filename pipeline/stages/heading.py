"""Whether a photo looks where its source says: the stated heading against the picture's lines and the capture's track.

Two witnesses may speak of it. The *street*: the point that the photo's lines run to lies so many degrees off its axis,
and the road underfoot runs in a direction that the map has; together they give the heading, but for half a turn. The
*track*: photos of one capture sequence before and after give the direction of travel, and the other photos of the
sequence tell how the camera is mounted to it (ahead, to a side, backwards). Where neither speaks, the walls of the
buildings around may speak against it.

A heading that a witness agrees with is confirmed. One that both speak against, and agree in, is corrected. One that a
single witness speaks against is unreliable: then no side is told from the map. Where no witness speaks it stays as it
was stated: silence proves nothing.

A heading that the source itself guessed from the track is used only where both witnesses agree with it. The track alone
is what it was made of. The street alone has two directions: a camera that looks back agrees with it as well, and only
other photos of the sequence whose headings were measured tell the two apart. Otherwise it stays marked as guessed, and
is relied on no more than an unreliable one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.geo.frame import LocalFrame, bearing_deg
from pipeline.imaging.vanishing import VanishingPoint
from pipeline.sources.base import Photo
from schemas.records import MapFact

AGREES_DEG = 20.0
"""A compass in a phone or a dash camera is off by less than this nine times in ten."""
CONFIRMED_ERROR_DEG, CORRECTED_ERROR_DEG, UNRELIABLE_ERROR_DEG = 12.0, 15.0, 180.0
GUESSED_ERROR_DEG = AGREES_DEG
"""Of a guess that both witnesses agree with: nothing measured it, so it may be off by all that counts as agreement."""
_ROAD_M = 15.0
"""A road so near to the site may be the one that the photo looks along."""
_AS_NEAR_M = 5.0
"""One that is so much further away than the nearest is not underfoot: a side street further on confirms nothing."""
_WALLS_M, _LEAST_WALLS, _WALLS_AGREE = 40.0, 3, 0.9
"""Where no road is on the map: buildings within so many metres, so many of them, of one direction but for quarter turns
(length of their mean, 0 to 1). Shops of one building are one."""
_AGREES_WALLS_DEG = 25.0
_STEP_M = 3.0
"""Photos nearer to each other than this give no direction of travel: GPS is not so exact."""
_STEP_S = 60.0
_MOUNTS = (0.0, 90.0, 180.0, 270.0)


@dataclass(frozen=True)
class Settled:
    """The outcome of checking a stated heading."""

    heading_deg: float | None
    source: Literal["stated", "guessed", "confirmed", "corrected", "unreliable"] | None
    error_deg: float | None


def settle(photo: Photo, others: Sequence[Photo], facts: Sequence[MapFact], lines: VanishingPoint | None) -> Settled:
    """The photo's heading, checked.

    Args:
        photo: with its stated heading.
        others: photos around it; those of its capture sequence count.
        facts: what the map has around the site, with the directions of roads.
        lines: where the photo's lines run to, of a panorama the street that it shows; None if they run to no one point.
    """
    stated = photo.heading_deg
    if stated is None:
        return Settled(None, None, None)
    street, track = street_heading(stated, facts, lines), track_heading(photo, others)
    if street is not None and track is not None and abs(apart(street, track)) > 90.0:
        street = (street + 180.0) % 360.0  # of its two directions, the one that the track speaks for
    told = [heading for heading in (street, track) if heading is not None]
    if any(abs(apart(heading, stated)) > AGREES_DEG for heading in told):
        return _against(stated, street, track)
    if (street is None or track is None) if photo.heading_guessed else not told:
        return _unwitnessed(photo, stated, off_the_walls(stated, facts, lines))
    return Settled(stated, "confirmed", GUESSED_ERROR_DEG if photo.heading_guessed else CONFIRMED_ERROR_DEG)


def _against(stated: float, street: float | None, track: float | None) -> Settled:
    """A heading that a witness speaks against: what both say in its place, if they agree."""
    if street is not None and track is not None and abs(apart(street, track)) <= AGREES_DEG:
        middle = (track + apart(street, track) / 2) % 360.0
        return Settled(round(middle, 2) % 360.0, "corrected", CORRECTED_ERROR_DEG)
    return Settled(stated, "unreliable", UNRELIABLE_ERROR_DEG)


def _unwitnessed(photo: Photo, stated: float, off_deg: float | None) -> Settled:
    """A heading that no witness speaks of, unless the walls around speak against it."""
    if off_deg is not None and abs(off_deg) > _AGREES_WALLS_DEG:
        return Settled(stated, "unreliable", UNRELIABLE_ERROR_DEG)
    if photo.heading_guessed:
        return Settled(stated, "guessed", UNRELIABLE_ERROR_DEG)
    return Settled(stated, "stated", None)


def street_heading(stated: float, facts: Sequence[MapFact], lines: VanishingPoint | None) -> float | None:
    """The heading by the road underfoot and the picture's lines: of all that these allow, the nearest to the stated.

    Where roads meet, the lines may be those of any of them, so one that agrees is enough.
    """
    if lines is None:
        return None
    roads = [(f.distance_m, f.axis_deg) for f in facts if f.kind == "road" and f.axis_deg is not None]
    least = min((distance for distance, _ in roads), default=0.0)
    near = [axis for distance, axis in roads if distance <= min(_ROAD_M, least + _AS_NEAR_M)]
    allowed = [(axis - lines.angle_deg + turn) % 360.0 for axis in near for turn in (0.0, 180.0)]
    return min(allowed, key=lambda heading: abs(apart(heading, stated)), default=None)


def off_the_walls(stated: float, facts: Sequence[MapFact], lines: VanishingPoint | None) -> float | None:
    """By how much a photo's lines miss the walls of the buildings around, in [-45, 45); None where these do not agree.

    A street runs along its buildings' walls, or across them: so they can speak against a heading, and never for one.
    """
    by_building = {
        f.building_id or f.fact_id: 4 * math.radians(f.axis_deg)
        for f in facts
        if f.kind in ("poi", "building") and f.axis_deg is not None and f.distance_m <= _WALLS_M
    }
    walls = list(by_building.values())
    if lines is None or len(walls) < _LEAST_WALLS:
        return None
    east, north = sum(map(math.sin, walls)) / len(walls), sum(map(math.cos, walls)) / len(walls)
    if math.hypot(east, north) < _WALLS_AGREE:
        return None
    return (stated + lines.angle_deg - math.degrees(math.atan2(east, north)) / 4 + 45.0) % 90.0 - 45.0


def track_heading(photo: Photo, others: Sequence[Photo]) -> float | None:
    """The heading by the direction of travel and the way in which the other photos of the sequence are mounted."""
    if photo.sequence is None or photo.captured_at is None:
        return None
    mine = sorted(
        (one for one in {o.source_id: o for o in (*others, photo)}.values() if one.sequence == photo.sequence
         and one.captured_at is not None),
        key=lambda one: (one.captured_at, one.source_id),
    )  # fmt: skip
    ways = {one.source_id: _way(i, mine) for i, one in enumerate(mine)}
    way = ways[photo.source_id]
    mounts = [
        apart(one.heading_deg, w)
        for one in mine
        if one.source_id != photo.source_id
        and one.heading_deg is not None
        and not one.heading_guessed
        and (w := ways[one.source_id]) is not None
    ]
    if way is None or not mounts:
        return None
    mount = _mount(mounts)
    return None if mount is None else (way + mount) % 360.0


def _way(at: int, ordered: Sequence[Photo]) -> float | None:
    """Direction of travel at a photo: from the one before to the one after, as far as they are near in time."""
    here = ordered[at]
    ends = [ordered[i] for i in (at - 1, at + 1) if 0 <= i < len(ordered)]
    assert here.captured_at is not None
    near = [
        one
        for one in ends
        if one.captured_at is not None and abs((one.captured_at - here.captured_at).total_seconds()) <= _STEP_S
    ]
    if not near:
        return None
    first, last = (near[0], near[-1]) if len(near) == 2 else (here, near[0])
    if len(near) == 1 and near[0] is ordered[at - 1]:
        first, last = near[0], here
    x, y = LocalFrame(first.position.lat, first.position.lon).to_metres(last.position.lon, last.position.lat)
    return bearing_deg(float(x), float(y)) if math.hypot(float(x), float(y)) >= _STEP_M else None


def _mount(turns: Sequence[float]) -> float | None:
    """How a camera is mounted to the direction of travel, where its photos agree on one of four ways."""
    for mount in _MOUNTS:
        if all(abs(apart(turn, mount)) <= AGREES_DEG for turn in turns):
            return mount
    return None


def apart(one: float, other: float) -> float:
    """From one direction to another, degrees in [-180, 180), positive clockwise from the second to the first."""
    return (one - other + 180.0) % 360.0 - 180.0
