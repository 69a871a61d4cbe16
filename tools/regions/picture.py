"""The map of the catalogue as a picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pipeline.regions.catalogue import SOURCE, Entry
from tools.inspect.pictures.drawing import on_paper, stack
from tools.inspect.pictures.lettering import INK, MUTED, PAPER, Style, draw_line, width_of
from tools.regions.world import COLOURS, HEIGHT, WIDTH, Floats, globe, land, on_map, summary

SEA, LAND, EDGE = "#eaf1f7", "#c5ccbf", "#b6c2cc"
_SCALE = 2
_FINER = 2
"""Drawn larger and scaled down, as Pillow's own edges are jagged."""
_RADIUS = 3.0


def draw_picture(entries: Sequence[Entry]) -> Image.Image:
    """The world, 2000 pixels wide, with a dot a region in the colour of its stratum."""
    scale = _SCALE * _FINER
    canvas = Image.new("RGB", (round(WIDTH * scale), round(HEIGHT * scale)), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.polygon(_flat(globe(), scale), fill=SEA, outline=EDGE, width=scale)
    for outline, *waters in land():
        draw.polygon(_flat(outline, scale), fill=LAND)
        for water in waters:
            draw.polygon(_flat(water, scale), fill=SEA)
    x, y = on_map(np.array([entry.lon for entry in entries]), np.array([entry.lat for entry in entries]))
    for entry, cx, cy in zip(entries, x.tolist(), y.tolist(), strict=True):
        box = [(cx - _RADIUS) * scale, (cy - _RADIUS) * scale, (cx + _RADIUS) * scale, (cy + _RADIUS) * scale]
        draw.ellipse(box, fill=COLOURS[entry.stratum], outline=PAPER, width=scale)
    world = canvas.resize((round(WIDTH * _SCALE), round(HEIGHT * _SCALE)), Image.Resampling.LANCZOS)
    return on_paper(stack([_title(entries), world, _key(world.width)], 16), 32)


def _title(entries: Sequence[Entry]) -> Image.Image:
    strip = Image.new("RGB", (round(WIDTH * _SCALE), 84), PAPER)
    draw_line(strip, 0, 34, "Catalogue of regions", Style(size=36, bold=True, colour=INK))
    draw_line(strip, 0, 74, summary(entries), Style(size=24, colour=MUTED))
    return strip


def _key(width: int) -> Image.Image:
    strip, style = Image.new("RGB", (width, 40), PAPER), Style(size=24, colour=INK)
    draw, left = ImageDraw.Draw(strip), 0
    for stratum, text in (("city", "city, more than 500,000 people"), ("town", "town, 50,000 to 500,000")):
        draw.ellipse([left, 10, left + 18, 28], fill=COLOURS[stratum])
        draw_line(strip, left + 28, 28, text, style)
        left += 28 + width_of(text, style) + 48
    credit = Style(size=20, colour=MUTED)
    text = f"Places: {SOURCE}. Land: GLOBE mask. Equal Earth projection."
    draw_line(strip, width - width_of(text, credit), 28, text, credit)
    return strip


def _flat(points: Floats, scale: int) -> list[tuple[float, float]]:
    return [(float(x) * scale, float(y) * scale) for x, y in points]
