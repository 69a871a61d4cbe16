"""Page layout and drawing: blocks above and beside each other, tables, labels, marks on maps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from tools.inspect.pictures.lettering import (
    INK,
    LINE,
    MUTED,
    PAPER,
    SHADE,
    Colour,
    Style,
    draw_line,
    elide,
    flow,
    width_of,
)

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

_FINER = 3
"""Marks are drawn this many times larger and scaled down, because Pillow does not smooth edges."""


def stack(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    """Blocks one below the other, left-aligned."""
    size = (max(block.width for block in blocks), sum(block.height for block in blocks) + gap * (len(blocks) - 1))
    page = Image.new("RGB", size, PAPER)
    top = 0
    for block in blocks:
        page.paste(block, (0, top))
        top += block.height + gap
    return page


def beside(blocks: Sequence[Image.Image], gap: int) -> Image.Image:
    """Blocks side by side, top-aligned."""
    size = (sum(block.width for block in blocks) + gap * (len(blocks) - 1), max(block.height for block in blocks))
    page = Image.new("RGB", size, PAPER)
    left = 0
    for block in blocks:
        page.paste(block, (left, 0))
        left += block.width + gap
    return page


def on_paper(block: Image.Image, margin: int) -> Image.Image:
    """The finished page: the block with a margin."""
    page = Image.new("RGB", (block.width + 2 * margin, block.height + 2 * margin), PAPER)
    page.paste(block, (margin, margin))
    return page


def heading(text: str, width: int, size: int = 22) -> Image.Image:
    """A heading over a thin rule."""
    words = flow(text, width, Style(size=size, bold=True))
    rule = Image.new("RGB", (width, 2), LINE)
    return stack([words, rule], 2)


def empty_frame(size: tuple[int, int], words: str) -> Image.Image:
    """A placeholder for a missing view."""
    frame = Image.new("RGB", size, SHADE)
    ImageDraw.Draw(frame).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=LINE, width=2)
    style = Style(size=18, colour=MUTED)
    words = elide(words, style, size[0] - 16)
    draw_line(frame, (size[0] - width_of(words, style)) / 2, size[1] / 2 + 6, words, style)
    return frame


def fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The picture scaled to fit, with its aspect ratio."""
    factor = min(width / picture.width, height / picture.height)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Column:
    """A column of a table: title, and width in pixels including padding."""

    title: str
    width: int


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], size: int = 15) -> Image.Image:
    """A table whose cells wrap. Every second row is shaded."""
    pad = 8
    width = sum(column.width for column in columns)
    head = Style(size=size, bold=True, colour=MUTED)
    bands = []
    for i, cells in enumerate([[column.title for column in columns], *rows]):
        style = head if i == 0 else Style(size=size)
        ground = SHADE if i and i % 2 == 0 else PAPER
        texts = [flow(cell, column.width - 2 * pad, style, ground) for cell, column in zip(cells, columns, strict=True)]
        band = Image.new("RGB", (width, max(text.height for text in texts) + 8), ground)
        left = 0
        for text, column in zip(texts, columns, strict=True):
            band.paste(text, (left + pad, 4))
            left += column.width
        if i == 0:
            ImageDraw.Draw(band).line((0, band.height - 1, width, band.height - 1), fill=LINE, width=2)
        bands.append(band)
    return stack(bands, 0)


def swatch(colour: Colour, side: int = 16) -> Image.Image:
    """A coloured square for a legend."""
    return Image.new("RGB", (side, side), colour)


def wedge(apex: Point, radius: float, heading_deg: float, hfov_deg: float) -> list[Point]:
    """The sector that a camera sees, on a north-up picture: the apex, then points along the arc, left to right.

    Args:
        apex: the camera, in pixels.
        radius: pixels.
        heading_deg: of the optical axis, clockwise from north.
        hfov_deg: the sector's opening; at most 360.
    """
    steps = max(2, math.ceil(hfov_deg / 3) + 1)
    bearings = [math.radians(heading_deg - hfov_deg / 2 + hfov_deg * i / (steps - 1)) for i in range(steps)]
    return [apex, *((apex[0] + radius * math.sin(b), apex[1] - radius * math.cos(b)) for b in bearings)]


def scale_bar_m(gsd_m: float, most_px: float) -> float:
    """The longest length of 1, 2 or 5 times a power of ten metres that fits into this many pixels."""
    most_m = gsd_m * most_px
    power = 10.0 ** math.floor(math.log10(most_m))
    return max(step * power for step in (1, 2, 5) if step * power <= most_m * (1 + 1e-9))


@dataclass
class Marks:
    """Lines and areas with smooth edges, to be laid over a picture with `on`."""

    size: tuple[int, int]

    def __post_init__(self) -> None:
        self._layer = Image.new("RGBA", (self.size[0] * _FINER, self.size[1] * _FINER), (0, 0, 0, 0))
        self._canvas = ImageDraw.Draw(self._layer)

    def line(self, points: Sequence[Point], colour: Colour, width: float, *, closed: bool = False) -> None:
        """A line with a thin dark or light edge, so that it is visible on any background."""
        scaled = [(x * _FINER, y * _FINER) for x, y in points]
        if closed:
            scaled.extend(scaled[:2])
        for edge, ink in ((3.0, _contrast(colour)), (0.0, colour)):
            self._canvas.line(scaled, fill=(*ink, 255), width=round((width + edge) * _FINER), joint="curve")

    def area(self, points: Sequence[Point], colour: Colour, opacity: float) -> None:
        """A filled polygon; opacity 0 to 1."""
        self._canvas.polygon([(x * _FINER, y * _FINER) for x, y in points], fill=(*colour, round(255 * opacity)))

    def ring(self, centre: Point, radius: float, colour: Colour, width: float) -> None:
        """A circle."""
        self.line(wedge(centre, radius, 0.0, 360.0)[1:], colour, width)

    def dot(self, centre: Point, radius: float, colour: Colour) -> None:
        """A filled circle with an edge."""
        for edge, ink in ((1.5, _contrast(colour)), (0.0, colour)):
            x, y, r = centre[0] * _FINER, centre[1] * _FINER, (radius + edge) * _FINER
            self._canvas.ellipse((x - r, y - r, x + r, y + r), fill=(*ink, 255))

    def on(self, picture: Image.Image) -> Image.Image:
        """The picture with the marks."""
        layer = self._layer.resize(self.size, Image.Resampling.BOX)
        return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _contrast(colour: Colour) -> Colour:
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 110
    return INK if bright else PAPER


@dataclass(frozen=True)
class Tag:
    """A small label near a point of a picture. `anchor` is the box that it belongs to."""

    text: str
    colour: Colour
    anchor: Box


def draw_tags(picture: Image.Image, tags: Sequence[Tag], taken: Sequence[Box] = (), size: int = 15) -> None:
    """Draw labels beside their anchors without overlaps. A label without room in the picture is left out.

    Each label tries the sides of its anchor and then moves away from it; `taken` are boxes to keep free.
    """
    canvas = ImageDraw.Draw(picture)
    style = Style(size=size, bold=True, colour=PAPER)
    used = list(taken)
    for tag in tags:
        text = elide(tag.text, style, 260)
        wide, high = width_of(text, style) + 16, size + 8
        box = next((spot for spot in _spots(tag.anchor, wide, high, picture.size) if _free(spot, used)), None)
        if box is None:
            continue
        used.append(box)
        canvas.rectangle(box, fill=INK)
        canvas.rectangle((box[0], box[1], box[0] + 5, box[3]), fill=tag.colour)
        draw_line(picture, box[0] + 10, box[3] - 6, text, style)


def _spots(anchor: Box, wide: float, high: float, size: tuple[int, int]) -> list[Box]:
    """Positions for a label within the picture, nearest first."""
    left, top, right, bottom = anchor
    corners = []
    for step in range(4):
        away = 3 + step * (high + 3)
        corners += [(left, top - high - away), (left, bottom + away)]
        corners += [(right + away, top), (left - wide - away, top), (right - wide, top - high - away)]
    edge_x, edge_y = size[0] - wide - 2, size[1] - high - 2
    if min(edge_x, edge_y) < 2:
        return []
    spots = [(min(max(x, 2.0), edge_x), min(max(y, 2.0), edge_y)) for x, y in corners]
    return [(x, y, x + wide, y + high) for x, y in spots]


def _free(box: Box, used: Sequence[Box]) -> bool:
    return all(box[2] < u[0] or u[2] < box[0] or box[3] < u[1] or u[3] < box[1] for u in used)
