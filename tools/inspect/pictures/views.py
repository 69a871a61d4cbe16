"""Annotated views of a sample: texts and masks on street views, the camera on chips."""

import itertools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from pipeline.config.imagery import ImageLimits
from pipeline.errors import SiteError
from pipeline.geo.frame import LocalFrame, axes_turned
from pipeline.imaging.decode import decode
from pipeline.perception.directions import trusted_heading
from pipeline.perception.rle import decode as decode_mask
from schemas import records
from schemas.records import ChipInfo, Cue, Sample, StreetInfo
from tools.inspect.pictures.drawing import Box, Marks, Point, Tag, draw_tags, empty_frame, fitted, scale_bar_m, wedge
from tools.inspect.pictures.lettering import INK, PAPER, Colour, Style, draw_line, width_of

KIND_COLOURS: dict[str, Colour] = {"text": (255, 196, 0), "object": (0, 158, 115), "map": (86, 132, 255)}
"""Colours of marks by kind of cue."""
CAMERA: Colour = (255, 92, 40)

# Okabe and Ito's colours that all readers can tell apart (https://jfly.uni-koeln.de/color/), then their mixtures.
_LABEL_COLOURS: tuple[Colour, ...] = (
    (0, 158, 115),
    (86, 180, 233),
    (204, 121, 167),
    (213, 94, 0),
    (240, 228, 66),
    (0, 114, 178),
    (148, 103, 189),
    (166, 216, 84),
    (140, 86, 75),
    (229, 196, 148),
)
_LIMITS = ImageLimits(min_side_px=16)
_TAGGED_SHARE = 0.002
"""Masks below this share of the view get no label, which would hide them."""


def picture(image: records.Image | None, missing: str) -> Image.Image:
    """The pixels of a view, or a placeholder with a text if it is missing or cannot be decoded."""
    if image is None:
        return empty_frame((640, 640), missing)
    try:
        return Image.fromarray(decode(image.bytes, _LIMITS))
    except SiteError as error:
        return empty_frame((640, 640), f"cannot be shown: {error.reason}")


def label_colours(cues: Sequence[Cue]) -> dict[str, Colour]:
    """A colour for each object label among the cues."""
    labels = sorted({cue.label for cue in cues if cue.kind == "object"})
    return dict(zip(labels, itertools.cycle(_LABEL_COLOURS), strict=False))


def street_with_cues(
    view: Image.Image, view_id: str, cues: Sequence[Cue], width: int, height: int
) -> tuple[Image.Image, list[str]]:
    """A street view scaled to fit, with tinted masks and outlined, labelled text boxes.

    Returns:
        The picture, and a note on each mask that could not be drawn.
    """
    shown = fitted(view, width, height)
    factor = shown.width / view.width
    colours = label_colours(cues)
    here = [cue for cue in cues if cue.view_id == view_id]
    notes, tags = [], []
    for cue in sorted((cue for cue in here if cue.mask), key=lambda cue: -(cue.area_share or 0.0)):
        mask, fault = _mask_of(cue, view.size)
        if mask is None:
            notes.append(f"mask of {cue.cue_id} not drawn: {fault}")
            continue
        scaled = mask.resize(shown.size, Image.Resampling.BOX).point(lambda value: 255 if value >= 128 else 0)
        shown = _tinted(shown, scaled, colours[cue.label] if cue.kind == "object" else KIND_COLOURS[cue.kind])
        if np.asarray(scaled).mean() / 255 >= _TAGGED_SHARE:
            tags.append(Tag(f"{cue.cue_id} {cue.label}", colours.get(cue.label, PAPER), _innermost(scaled)))
    marks = Marks(shown.size)
    text_tags = []
    for cue in here:
        if cue.polygon and len(cue.polygon) >= 4 and (cue.mask is None or cue.kind == "text"):
            colour = KIND_COLOURS["text"] if cue.kind == "text" else colours.get(cue.label, PAPER)
            points = [(x * factor, y * factor) for x, y in zip(cue.polygon[::2], cue.polygon[1::2], strict=False)]
            marks.line(points, colour, 2.0, closed=True)
            text_tags.append(Tag(f"{cue.cue_id} {cue.text or cue.label}", colour, _around(points)))
    shown = marks.on(shown)
    boxes = [tag.anchor for tag in text_tags]
    draw_tags(shown, [*text_tags, *tags], taken=boxes)
    return shown, notes


def _mask_of(cue: Cue, size: tuple[int, int]) -> tuple[Image.Image | None, str]:
    assert cue.mask is not None
    if (cue.mask.width, cue.mask.height) != size:
        return None, f"it is {cue.mask.width} x {cue.mask.height} pixels, the view is {size[0]} x {size[1]}"
    try:
        return Image.fromarray(decode_mask(cue.mask).astype(np.uint8) * 255), ""
    except ValueError as error:
        return None, str(error)


def _tinted(shown: Image.Image, mask: Image.Image, colour: Colour) -> Image.Image:
    """The picture with a tinted mask and its inner edge."""
    edge = ImageChops.subtract(mask, mask.filter(ImageFilter.MinFilter(5)))
    strength = ImageChops.lighter(mask.point(lambda value: value * 3 // 10), edge)
    return Image.composite(Image.new("RGB", shown.size, colour), shown, strength)


def _innermost(mask: Image.Image) -> Box:
    """A point deep inside the mask, found by erosion, as a box without extent."""
    coarse = mask.resize((max(1, mask.width // 8), max(1, mask.height // 8)), Image.Resampling.BOX)
    core = ImageOps.expand(coarse, border=1, fill=0)
    while (thinner := core.filter(ImageFilter.MinFilter(3))).getextrema()[1]:
        core = thinner
    left = np.argwhere(np.asarray(core) > 0)
    y, x = left[np.abs(left - left.mean(axis=0)).sum(axis=1).argmin()] - 1.0
    return (x * 8.0, y * 8.0, x * 8.0, y * 8.0)


def _around(points: Sequence[Point]) -> Box:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def chip_with_camera(chip: Image.Image, info: ChipInfo, sample: Sample, cues: Sequence[Cue], side: int) -> Image.Image:
    """A chip scaled to `side` pixels with camera, scale bar, north arrow, and map cues.

    The site is the chip's centre. The camera stands where the street view says, which may be some metres beside it.
    """
    shown = fitted(chip, side, side)
    px_a_metre = shown.width / (info.width * info.gsd_m)
    centre = (shown.width / 2, shown.height / 2)
    frame = LocalFrame(sample.lat, sample.lon)
    east, north = frame.to_metres(sample.street_view.lon, sample.street_view.lat)
    x, y = axes_turned(float(east), float(north), info.bearing_deg)
    apex = (centre[0] + x * px_a_metre, centre[1] - y * px_a_metre)
    marks = Marks(shown.size)
    tags, taken = _camera(marks, sample.street_view, apex, 0.28 * side, info.bearing_deg)
    if sample.street_view.distance_m > 1.0:
        marks.dot(centre, 4.0, PAPER)
        taken.append((centre[0] - 6, centre[1] - 6, centre[0] + 6, centre[1] + 6))
    for cue in cues:
        if cue.kind == "map" and cue.bearing_deg is not None and cue.distance_m:
            spot = wedge(centre, cue.distance_m * px_a_metre, cue.bearing_deg - info.bearing_deg, 0.0)[1]
            if 0 <= spot[0] < shown.width and 0 <= spot[1] < shown.height:
                marks.dot(spot, 4.0, KIND_COLOURS["map"])
                anchor = (spot[0] - 5, spot[1] - 5, spot[0] + 5, spot[1] + 5)
                tags.append(Tag(cue.cue_id, KIND_COLOURS["map"], anchor))
                taken.append(anchor)
    taken += _scale_and_north(marks, shown.size, 1 / px_a_metre, info.bearing_deg)
    shown = marks.on(shown)
    _letter_scale(shown, 1 / px_a_metre)
    draw_tags(shown, tags, taken=taken)
    return shown


def _camera(marks: Marks, view: StreetInfo, apex: Point, radius: float, up: float) -> tuple[list[Tag], list[Box]]:
    """Draw the camera's sector, or a ring if its heading tells nothing. `up` is the bearing of the picture's top."""
    heading = trusted_heading(view)
    spot = (apex[0] - 6, apex[1] - 6, apex[0] + 6, apex[1] + 6)
    tags = []
    if heading is None:
        ring, why = 0.5 * radius, "heading unknown" if view.heading_deg is None else "heading unreliable"
        marks.ring(apex, ring, CAMERA, 3.0)
        tags.append(Tag(why, CAMERA, (apex[0] - ring, apex[1] - ring, apex[0] + ring, apex[1] + ring)))
    elif view.hfov_deg is None:
        ray = [apex, wedge(apex, radius, heading - up, 0.0)[1]]
        marks.line(ray, CAMERA, 3.0)
        tags.append(Tag("field of view unknown", CAMERA, _around([*ray, spot[:2], spot[2:]])))
    else:
        sector = wedge(apex, radius, heading - up, view.hfov_deg)
        marks.area(sector, CAMERA, 0.28)
        marks.line(sector, CAMERA, 2.0, closed=True)
    marks.dot(apex, 5.0, CAMERA)
    return tags, [spot]


def _scale_and_north(marks: Marks, size: tuple[int, int], metres_a_px: float, up: float) -> list[Box]:
    """Draw scale bar and north arrow; returns their boxes. `up` is the bearing of the picture's top."""
    bar = scale_bar_m(metres_a_px, size[0] * 0.28) / metres_a_px
    plate = (12.0, size[1] - 46.0, 12.0 + bar + 28, size[1] - 12.0)
    compass = (size[0] - 46.0, 12.0, size[0] - 12.0, 64.0)
    for left, top, right, bottom in (plate, compass):
        marks.area([(left, top), (right, top), (right, bottom), (left, bottom)], PAPER, 0.85)
    left, floor = plate[0] + 14, plate[3] - 8
    marks.area([(left, floor - 5), (left + bar, floor - 5), (left + bar, floor), (left, floor)], INK, 1.0)
    middle = (compass[0] + compass[2]) / 2
    arrow = [axes_turned(x, 29.0 - y, up) for x, y in ((0.0, 17), (9.0, 40), (0.0, 35), (-9.0, 40))]
    marks.area([(middle + x, 29.0 - y) for x, y in arrow], INK, 1.0)
    return [plate, compass]


def _letter_scale(shown: Image.Image, metres_a_px: float) -> None:
    style = Style(size=14, bold=True)
    draw_line(shown, 26, shown.height - 30, f"{scale_bar_m(metres_a_px, shown.width * 0.28):g} m", style)
    draw_line(shown, shown.width - 29 - width_of("N", style) / 2, 59, "N", style)
