"""Places labels: names along streets, beside dots and inside areas, never over each other."""

import textwrap
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from pipeline.cartography import style
from pipeline.cartography.canvas import Colour
from pipeline.cartography.features import Feature
from pipeline.cartography.items import Item
from pipeline.cartography.text import label_of, text_mask
from pipeline.geo.crossings import check_meetings

_GAP = 1.5
_MOST_MEETINGS = 20_000
"""Of the streets on a chip: that of a dense town has some hundred."""


class Lettering(NamedTuple):
    """How a style writes."""

    street_px: int
    place_px: int
    weight: int
    """Weight of the letters, 100 to 900."""
    most_places: int
    """Labels beside dots."""
    colour: Callable[[Feature], Colour]
    aside_px: float
    """From a dot to its label."""
    dot_gap_px: float
    """No label comes nearer to a dot."""
    wrap: int | None
    """Labels of places are set in lines of about so many characters, below their dots; beside them in one line if
    None."""


class _Wish(NamedTuple):
    """One place where a label could go."""

    x: float
    y: float
    angle: float
    """Degrees, clockwise on the picture."""


@dataclass(frozen=True)
class Label:
    """A label that found its place."""

    text: str
    size: int
    weight: int
    colour: Colour
    place: _Wish


def place_labels(
    items: Sequence[Item], size_px: int, lettering: Lettering, *, numbers: Sequence[Item] = ()
) -> list[Label]:
    """Labels for the features of a chip: streets first, then areas, then places from the middle outwards.

    Args:
        items: in any order, cut to the chip.
        size_px: side of the chip.
        lettering: of the style.
        numbers: buildings whose house numbers are written, where there is still room.

    Raises:
        SiteError: BAD_ANSWER, streets cross themselves and each other endlessly.
    """
    board = _Board(size_px, [shape for _, shape in items if shape.geom_type == "Point"], lettering)
    named = [(feature, shape, text) for feature, shape in items if (text := label_of(feature))]
    _streets(board, [item for item in named if style.is_street(item[0]) and item[0].shape == "line"], lettering)
    areas = [item for item in named if item[0].shape == "area"]
    size, colour = lettering.place_px, lettering.colour
    for feature, shape, text in sorted(areas, key=lambda item: (-item[1].area, item[0].feature_id)):
        point = shapely.point_on_surface(shape)
        if not point.is_empty:
            board.put(_wrapped(text, lettering), size, colour(feature), [_Wish(point.x, point.y, 0.0)])
    dots = [item for item in named if item[0].shape == "point" and item[0].kind != "junction"]
    middle = shapely.Point(size_px / 2, size_px / 2)
    dots.sort(key=lambda item: (shapely.distance(item[1], middle), item[0].feature_id))
    for feature, shape, text in dots[: lettering.most_places]:
        written = _wrapped(text, lettering)
        board.put(written, size, colour(feature), _beside(shape, written, lettering))
    for feature, shape in numbers:
        point = shapely.point_on_surface(shape)
        board.put(feature.house_number or "", size, style.NUMBER_TEXT, [_Wish(point.x, point.y, 0.0)])
    return board.labels


def _wrapped(text: str, lettering: Lettering) -> str:
    return text if lettering.wrap is None else "\n".join(textwrap.wrap(text, lettering.wrap, break_long_words=False))


def _streets(board: "_Board", named: Sequence[tuple[Feature, BaseGeometry, str]], lettering: Lettering) -> None:
    """One label a street, or two where it is long, the longest street first.

    Raises:
        SiteError: BAD_ANSWER, they cross themselves and each other endlessly.
    """
    check_meetings([shape for _, shape, _ in named], _MOST_MEETINGS, "streets with names")
    pieces: dict[str, list[BaseGeometry]] = defaultdict(list)
    colours: dict[str, Colour] = {}
    for feature, shape, text in named:
        pieces[text].append(shape)
        colours.setdefault(text, lettering.colour(feature))
    merged = {text: shapely.line_merge(shapely.union_all(shapes)) for text, shapes in pieces.items()}
    for text in sorted(merged, key=lambda text: (-merged[text].length, text)):
        lines = sorted(shapely.get_parts(merged[text]), key=lambda line: (-line.length, line.wkb))
        width = text_mask(text, lettering.street_px, lettering.weight).shape[1]
        for line in lines[:3]:
            if board.put(text, lettering.street_px, colours[text], _along(line, width)):
                break


def _along(line: BaseGeometry, width: float) -> list[_Wish]:
    """Places along a line where it is straight enough for a label of a width."""
    if line.geom_type != "LineString" or line.length < width * 0.75:
        return []
    wishes = []
    for share in (0.5, 0.35, 0.65, 0.2, 0.8):
        middle = line.length * share
        start, end, centre = (
            shapely.line_interpolate_point(line, min(max(at, 0.0), line.length))
            for at in (middle - width / 2, middle + width / 2, middle)
        )
        dx, dy = end.x - start.x, end.y - start.y
        bow = shapely.distance(centre, shapely.LineString([start, end])) if (dx or dy) else np.inf
        if np.hypot(dx, dy) > width * 0.7 and bow < 6.0:
            angle = float(np.degrees(np.arctan2(dy, dx)))
            wishes.append(_Wish(centre.x, centre.y, (angle + 90.0) % 180.0 - 90.0))  # never upside down
    return wishes


def _beside(dot: BaseGeometry, text: str, lettering: Lettering) -> list[_Wish]:
    height, width = text_mask(text, lettering.place_px, lettering.weight).shape
    x, y, across, down = dot.x, dot.y, width / 2 + lettering.aside_px, height / 2 + lettering.aside_px - 2
    below = [_Wish(x, y + down, 0.0), _Wish(x, y - down, 0.0)]
    beside = [_Wish(x + across, y, 0.0), _Wish(x - across, y, 0.0)]
    return beside + below if lettering.wrap is None else below[:1]


class _Board:
    """The areas of the chip that labels have taken."""

    def __init__(self, size_px: int, dots: Sequence[BaseGeometry], lettering: Lettering) -> None:
        self._dots = shapely.MultiPoint(dots)
        self._lettering = lettering
        self.labels: list[Label] = []
        self._frame = shapely.box(0, 0, size_px, size_px)
        self._taken: list[BaseGeometry] = []

    def put(self, text: str, size: int, colour: Colour, wishes: Sequence[_Wish]) -> bool:
        """Put a label at the first place that is free, off all dots and wholly on the chip."""
        height, width = text_mask(text, size, self._lettering.weight).shape
        for wish in wishes:
            corners = _corners(width - 4, height - 4, wish)
            outline = shapely.Polygon(corners)
            if not self._frame.contains(outline) or any(outline.distance(other) < _GAP for other in self._taken):
                continue
            if self._dots.is_empty or outline.distance(self._dots) > self._lettering.dot_gap_px:
                self._taken.append(outline)
                self.labels.append(Label(text, size, self._lettering.weight, colour, wish))
                return True
        return False


def _corners(width: float, height: float, wish: _Wish) -> NDArray[np.float64]:
    turn = np.radians(wish.angle)
    across = np.array([np.cos(turn), np.sin(turn)]) * width / 2
    down = np.array([-np.sin(turn), np.cos(turn)]) * height / 2
    middle = np.array([wish.x, wish.y])
    return np.array([middle - across - down, middle + across - down, middle + across + down, middle - across + down])


def draw_label(picture: NDArray[np.uint8], label: Label) -> None:
    """Write a label with its halo onto a picture (height x width x 3, RGB), in place."""
    mask = text_mask(
        label.text, label.size * 2, label.weight
    )  # drawn at twice the size and turned: smoother than turned at size
    height, width = mask.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -label.place.angle, 0.5)
    side = int(np.hypot(height, width) / 2) + 4
    left, top = int(label.place.x - side / 2), int(label.place.y - side / 2)
    turn[:, 2] += label.place.x - left - width / 2, label.place.y - top - height / 2
    ink = cv2.warpAffine(np.array(mask), turn, (side, side), flags=cv2.INTER_LINEAR)
    halo = np.minimum(
        cv2.GaussianBlur(cv2.dilate(ink, np.ones((3, 3), np.uint8)), (3, 3), 0).astype(np.float32) * 1.2, 255
    )
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + side, picture.shape[0]), min(left + side, picture.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    cut = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    patch = picture[y0:y1, x0:x1].astype(np.float32)
    for layer, colour in ((halo[cut] * 0.85, style.HALO), (ink[cut].astype(np.float32), label.colour)):
        share = layer[:, :, None] / 255.0
        patch = patch * (1.0 - share) + np.array(colour, np.float32) * share
    picture[y0:y1, x0:x1] = np.round(patch).astype(np.uint8)
