"""Checks of one row of a shard, beyond the types of its columns."""

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import h3
import PIL.Image
from pydantic import ValidationError

from pipeline.config.imagery import ImageLimits
from pipeline.errors import SiteError
from pipeline.imaging.decode import decode
from pipeline.publishing.samples import PART_OF, pictures, point_wkb
from schemas.licences import LicenceClass, Part, licence_class
from schemas.records import Image, Sample

LIMITS = ImageLimits(max_bytes=500_000_000, max_pixels=300_000_000, min_side_px=16)
"""The widest limits that a build file can set."""

Finding = tuple[str, str]
"""Column, and what is wrong with it."""


def check_row(row: dict[str, Any]) -> tuple[Sample | None, list[Finding]]:
    """The sample in a row of a shard, if it is one, and all faults of it. Decodes the pictures."""
    try:
        sample = Sample.model_validate(row)
    except ValidationError as error:
        return None, [(".".join(str(part) for part in fault["loc"]), fault["msg"]) for fault in error.errors()]
    if not re.fullmatch("[0-9a-f]{16}", sample.street_view.phash):
        return None, [("street_view.phash", f"{sample.street_view.phash!r}, not 16 hexadecimal digits")]
    return sample, [finding for check in CHECKS for finding in check(sample)]


_PAIRS = (("panorama", "panorama_view"), ("aerial", "aerial_chip"), ("drone", "drone_chip"), ("map", "map_chip"))


def _place(sample: Sample) -> Iterator[Finding]:
    if not h3.is_valid_cell(sample.unit):
        yield "unit", f"{sample.unit!r} is no H3 cell"
    elif h3.latlng_to_cell(sample.lat, sample.lon, h3.get_resolution(sample.unit)) != sample.unit:
        yield "unit", f"{sample.lat}, {sample.lon} does not lie in cell {sample.unit}"
    box = sample.bbox
    if not (box.xmin <= sample.lon <= box.xmax and box.ymin <= sample.lat <= box.ymax):
        yield "bbox", f"does not hold {sample.lat}, {sample.lon}"
    if sample.geometry != point_wkb(sample.lat, sample.lon):
        yield "geometry", f"is not the point {sample.lat}, {sample.lon}"


def _pairs(sample: Sample) -> Iterator[Finding]:
    for image, info in _PAIRS:
        if (getattr(sample, image) is None) != (getattr(sample, info) is None):
            yield image, f"is {'absent' if getattr(sample, image) is None else 'there'}, {info} is not"
    if sample.aerial is None and sample.map is None:
        yield "aerial", "neither an aerial nor a map chip"
    if sample.street_view.projection != "perspective":
        yield "street_view.projection", f"{sample.street_view.projection}, not perspective"


def _credits(sample: Sample) -> Iterator[Finding]:
    licences = []
    for role, _, info in pictures(sample):
        licences.append(info.licence)
        for field in ("source", "source_id", "author", "licence", "link"):
            if not getattr(info, field).strip():
                yield f"{role}.{field}", "is empty"
    if sample.redistributable and not all(info.redistributable for _, _, info in pictures(sample)):
        yield "redistributable", "true, but a picture is not"
    order = get_args(LicenceClass)
    least = licence_class(licences)
    if order.index(sample.licence_class) < order.index(least):
        yield "licence_class", f"{sample.licence_class}, but a picture is {least}"
    of_part: dict[Part, list[str]] = {}
    for role, _, info in pictures(sample):
        of_part.setdefault(PART_OF[role], []).append(info.licence)
    for part, found in of_part.items():
        said = getattr(sample, f"{part}_licence_class")
        if said is not None and said != licence_class(found):
            yield f"{part}_licence_class", f"{said}, but its pictures are {licence_class(found)}"


def _images(sample: Sample) -> Iterator[Finding]:
    for role, image, info in pictures(sample):
        fault = _image_fault(image, info.width, info.height)
        if fault:
            yield role, fault


def _image_fault(image: Image, width: int, height: int) -> str | None:
    try:
        pixels = decode(image.bytes, LIMITS)
    except SiteError as error:
        return f"cannot be decoded: {error}"
    if pixels.shape[:2] != (height, width):
        return f"is {pixels.shape[1]} x {pixels.shape[0]} pixels, not {width} x {height}"
    with PIL.Image.open(io.BytesIO(image.bytes), formats=("JPEG", "PNG", "WEBP")) as opened:
        if opened.getexif():
            return "carries EXIF"
    return None


def _words(sample: Sample) -> Iterator[Finding]:
    for column in ("description", "description_short", "language", "captioner"):
        if not getattr(sample, column).strip():
            yield column, "is empty"
    known = {cue.cue_id for cue in sample.cues} | {note.note_id for note in sample.notes}
    wholes = {
        "long": sample.description,
        "short": sample.description_short,
        "street": sample.description_street or "",
    }
    for i, sentence in enumerate(sample.sentences):
        for cue_id in sentence.cue_ids:
            if cue_id not in known:
                yield f"sentences.{i}.cue_ids", f"{cue_id!r} is no cue or note of this sample"
        if sentence.text not in wholes[sentence.variant]:
            yield f"sentences.{i}.text", f"does not stand in the {sentence.variant} description"


def _cues(sample: Sample) -> Iterator[Finding]:
    views = {view.view_id for view in (sample.street_view, *sample.other_views)}
    seen: set[str] = set()
    for i, cue in enumerate(sample.cues):
        if cue.cue_id in seen:
            yield f"cues.{i}.cue_id", f"{cue.cue_id!r} stands twice"
        seen.add(cue.cue_id)
        if cue.view_id is not None and cue.view_id not in views:
            yield f"cues.{i}.view_id", f"{cue.view_id!r} is no view of this sample"


CHECKS: tuple[Callable[[Sample], Iterator[Finding]], ...] = (
    _place,
    _pairs,
    _credits,
    _images,
    _words,
    _cues,
)
"""The checks of a row. To add one: a function above, and a line here."""
