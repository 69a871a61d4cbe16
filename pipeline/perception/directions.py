"""Directions of what a view shows, relative to the site's primary view and to north.

They follow from the pinhole model: a point at column x of a view of width w lies atan((x - w/2) / f) to the right of
the optical axis, with f = w/2 / tan(hfov/2).
"""

import math
from dataclasses import dataclass

from schemas.records import Position, StreetInfo, StreetView

UNRELIABLE_DEG = 60.0
"""Uncertainty of a heading from which it tells nothing."""
ASSUMED_HFOV_DEG = 65.0
"""Field of view where none was recorded: a phone's main camera, held level."""
AHEAD_DEG, AHEAD_SIDE_DEG, SIDE_DEG = 20.0, 60.0, 120.0
"""Up to these angles from the primary axis a thing is ahead, ahead-left or -right, left or right; then behind."""

BESIDE_DEG, MIDDLE_BESIDE_DEG = 5.0, 10.0
"""What lies on one side of the primary view's axis is not straight ahead if it begins by the first beside it, or its
middle is by the second beside it."""


@dataclass(frozen=True)
class Frame:
    """A view and how far it is turned from the primary one."""

    view: StreetView
    turn_deg: float | None

    @property
    def focal_px(self) -> float:
        """Focal length, pixels."""
        hfov = self.view.hfov_deg
        if hfov is None or not 1.0 < hfov < 179.0:
            hfov = ASSUMED_HFOV_DEG
        return self.view.width / 2 / math.tan(math.radians(hfov) / 2)

    def place(self, x: float) -> tuple[Position | None, float | None]:
        """Position and bearing of what stands at column x; no bearing where the field of view is not known."""
        offset = math.degrees(math.atan((x - self.view.width / 2) / self.focal_px))
        heading = trusted_heading(self.view)
        return (
            None if self.turn_deg is None else position_of(self.turn_deg + offset),
            None if heading is None or self.view.hfov_deg is None else _bearing(heading + offset),
        )

    def beside_axis(self, position: Position | None, left: float, right: float) -> Position | None:
        """The position of what fills the columns from left to right; ahead to a side if it is beside the main axis."""
        middle = self.view.width / 2
        turn = ((self.turn_deg or 0.0) + 180.0) % 360.0 - 180.0
        if abs(turn) > 1e-3 or position is not Position.AHEAD or left <= middle <= right:
            return position
        gap, off = min(abs(left - middle), abs(right - middle)), abs((left + right) / 2 - middle)
        begins, lies = (self.focal_px * math.tan(math.radians(angle)) for angle in (BESIDE_DEG, MIDDLE_BESIDE_DEG))
        if gap < begins and off < lies:
            return position
        return Position.AHEAD_LEFT if right < middle else Position.AHEAD_RIGHT


def trusted_heading(view: StreetInfo) -> float | None:
    """A view's heading; None where it is not known, not to be relied on, or known to be wrong."""
    return None if (view.heading_error_deg or 0.0) >= UNRELIABLE_DEG else view.heading_deg


def turn_between(view: StreetView, primary: StreetView) -> float | None:
    """How far a view is turned from the primary one, degrees to the right; None where their headings do not tell.

    Views cut from one panorama are turned as they were cut, wherever that looked.
    """
    if view.view_id == primary.view_id:
        return 0.0
    if view.heading_deg is None or primary.heading_deg is None:
        return None
    if view.cut_from is not None and view.cut_from == primary.cut_from:
        return view.heading_deg - primary.heading_deg
    headings = (trusted_heading(view), trusted_heading(primary))
    return None if None in headings else view.heading_deg - primary.heading_deg


def _bearing(degrees: float) -> float:
    """In [0, 360), rounded so that the last bits of the trigonometry do not matter."""
    return round(degrees % 360.0, 7) % 360.0


def position_of(angle_deg: float) -> Position:
    """The word for an angle from the primary view's axis, positive to the right."""
    angle = round((angle_deg + 180.0) % 360.0 - 180.0, 6)
    if abs(angle) <= AHEAD_DEG:
        return Position.AHEAD
    if abs(angle) <= AHEAD_SIDE_DEG:
        return Position.AHEAD_LEFT if angle < 0 else Position.AHEAD_RIGHT
    if abs(angle) <= SIDE_DEG:
        return Position.LEFT if angle < 0 else Position.RIGHT
    return Position.BEHIND
