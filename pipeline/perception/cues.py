"""One list of evidence about a site, from what the engines read off its views and what the map says.

Positions are those seen from the site's primary view: the first perspective view in its row, which is also the
standpoint of its description (`directions`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from pipeline.perception import rle
from pipeline.perception.base import Segment, TextBox
from pipeline.perception.directions import Frame, position_of, trusted_heading, turn_between
from pipeline.perception.fragments import without_fragments
from pipeline.perception.lines import joined_lines
from pipeline.perception.scripts import main_script
from pipeline.perception.text import publishable
from pipeline.perception.vocabulary import Term, vocabulary
from schemas.records import Cue, ImageryRow, MapFact

NEAR_M = 30.0
CAMERA_HEIGHT_M = 2.0
"""Between a hand-held camera and one on a car's roof."""
SIGN_HEIGHT_M = 0.5
"""A line of lettering over a shop, with its margin."""
SAME_TEXT = 85.0
"""Texts of two views whose `rapidfuzz` ratio reaches this are one sign, read twice."""
MOST_OF_IT = (0.15, 0.85)
"""Quantiles of an object's columns between which it is said to lie: houses along a street end where the road does."""
LEAST_TEXT_SHARE, LEAST_OBJECT_SHARE = 0.0002, 0.002
"""Smaller shares of a view are left out."""
PART_OF_TEXT = 0.25
"""So much of a text on a passing thing, the rest on nothing known: the text goes too, for vehicles are seen in part."""
MOST_TEXTS, MOST_OBJECTS, MOST_MAP, MOST_OF_A_KIND = 15, 20, 13, 6
"""Cues of a site: 48 at most, and of them at most six map cues of a kind."""
MOST_OF_A_LABEL = 3
"""Objects of a label in a view: the largest."""

FROM_ABOVE = frozenset({"road", "junction", "crossing", "building", "green", "water", "rail", "square"})
"""Kinds of map facts that an aerial picture shows, too."""

Depth = Literal["near", "far"]


def fuse(
    row: ImageryRow,
    texts: dict[str, list[TextBox]],
    segments: dict[str, list[Segment]],
    ocr_name: str,
    segmenter_name: str,
    words: Mapping[str, Term] | None = None,
) -> list[Cue]:
    """The site's cues: texts by area times confidence, then objects by area, then the map's by distance.

    Passing things come after lasting ones of their sort. A text that lies by more than half on passing segments that
    nobody disputes is passing too (lettering on a van, a screen, a coat), and one of which a part does and less is
    known to stay. Every text, the map's names included, goes through `pipeline.perception.text.publishable` here.

    Args:
        row: the site; its views' sizes are those that polygons and masks refer to.
        texts: text boxes by `view_id`; a perspective view may be left out.
        segments: segments by `view_id`, likewise.
        ocr_name: the OCR engine's name, which becomes the cues' source.
        segmenter_name: the segmenter's name, likewise; of segments that do not say who saw them.
        words: the classes that segments may have; those of the product if left out.

    Raises:
        ValueError: a `view_id` that is no perspective view of the row.
    """
    views = [view for view in row.views if view.projection == "perspective"]
    strange = sorted((set(texts) | set(segments)) - {view.view_id for view in views})
    if strange:
        raise ValueError(f"{row.site_id} has no perspective view {', '.join(strange)}")
    heading = trusted_heading(views[0]) if views else None
    terms = vocabulary() if words is None else words
    frames = [Frame(view, turn_between(view, views[0])) for view in views]
    found: list[Cue] = []
    for frame in frames:
        seen_here = segments.get(frame.view.view_id, [])
        for box in joined_lines(without_fragments(texts.get(frame.view.view_id, []))):
            text = publishable(box.text)
            if text is not None:
                found.append(_text_cue(frame, box, text, ocr_name, seen_here))
    seen = [
        _object_cue(frame, segment, segmenter_name, terms)
        for frame in frames
        for segment in segments.get(frame.view.view_id, [])
        if segment.mask.mean() >= LEAST_OBJECT_SHARE
    ]
    mapped = [_map_cue(fact, heading, row.map.source if row.map else "map") for fact in _chosen(row.facts)]
    kept = [cue for cue in found if (cue.area_share or 0.0) >= LEAST_TEXT_SHARE]
    return [
        *_numbered("t", _distinct(sorted(kept, key=_text_order))[:MOST_TEXTS]),
        *_numbered("o", _largest(sorted(seen, key=_object_order))[:MOST_OBJECTS]),
        *_numbered("m", mapped),
    ]


def _text_cue(frame: Frame, box: TextBox, text: str, source: str, segments: Sequence[Segment]) -> Cue:
    corners = np.array(box.polygon, float).reshape(-1, 2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    on, lasting = _support(frame, corners, segments)
    position, bearing = frame.place(float(low[0] + high[0]) / 2)
    position = frame.beside_axis(position, float(low[0]), float(high[0]))
    distance = SIGN_HEIGHT_M * frame.focal_px / max(float((high - low).min()), 1e-6)
    return Cue(
        cue_id="",
        kind="text",
        label="sign",
        attribute=None,
        category=None,
        text=text,
        text_en=None,
        script=main_script(text),
        position=position,
        depth=_depth(distance),
        bearing_deg=bearing,
        distance_m=None,
        confidence=box.confidence,
        source=source,
        view_id=frame.view.view_id,
        polygon=corners.ravel().tolist(),
        area_share=min(1.0, _area(corners) / (frame.view.height * frame.view.width)),
        mask=None,
        lasting=lasting,
        from_above="street_only",
        on=on,
        looks=list(box.looks),
        confirmed=box.confirmed,
        in_sight=True,
    )


def _support(frame: Frame, corners: NDArray[np.float64], segments: Sequence[Segment]) -> tuple[str | None, bool]:
    """The thing that a text is on, if one is under most of it, and whether it stays.

    A box holds more than its thing: where a mask says what is there, that counts.
    """
    inside = np.zeros((frame.view.height, frame.view.width), np.uint8)
    cv2.fillPoly(inside, [corners.round().astype(np.int32)], 1)
    pixels = np.flatnonzero(inside)
    if not pixels.size:
        return None, True
    under = [(s.mask.ravel()[pixels], s) for s in segments if not s.disputed]
    masked, boxed = [u for u in under if not u[1].box], [u for u in under if u[1].box]
    known = _any((covers for covers, _ in masked), pixels.size)
    clear = [(covers & ~known, segment) for covers, segment in boxed]
    shares = [(float(covers.mean()), segment.label) for covers, segment in (*masked, *clear)]
    most, label = max(shares, default=(0.0, ""))
    passing = _any((covers for covers, segment in (*masked, *clear) if not segment.lasting), pixels.size).mean()
    staying = _any((covers for covers, segment in masked if segment.lasting), pixels.size).mean()
    goes = passing > 0.5 or (passing >= PART_OF_TEXT and passing > staying)
    return (label if most > 0.5 else None), not goes


def _any(masks: Iterable[NDArray[np.bool_]], size: int) -> NDArray[np.bool_]:
    """Pixels that one mask at least covers."""
    found = list(masks)
    return np.logical_or.reduce(found) if found else np.zeros(size, bool)


def _area(corners: NDArray[np.float64]) -> float:
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _depth(distance_m: float) -> Depth:
    return "near" if distance_m <= NEAR_M else "far"


def _object_cue(frame: Frame, segment: Segment, source: str, words: Mapping[str, Term]) -> Cue:
    rows, columns = np.nonzero(segment.mask)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    position, bearing = frame.place(float(columns.mean()) + 0.5)
    position = frame.beside_axis(position, *(float(column) + 0.5 for column in np.quantile(columns, MOST_OF_IT)))
    return Cue(
        cue_id="",
        kind="object",
        label=segment.label,
        attribute=segment.attribute,
        category=None,
        text=None,
        text_en=None,
        script=None,
        position=position,
        depth=_ground_depth(frame, float(bottom)) if segment.distance_m is None else _depth(segment.distance_m),
        bearing_deg=bearing,
        distance_m=segment.distance_m,
        confidence=segment.confidence,
        source=segment.seen_by[0] if segment.seen_by else source,
        view_id=frame.view.view_id,
        polygon=[float(v) for v in (left, top, right, top, right, bottom, left, bottom)],
        area_share=float(segment.mask.mean()),
        mask=rle.encode(segment.mask),
        lasting=segment.lasting,
        from_above=words[segment.label].above if segment.label in words else None,
        looks=list(segment.looks),
        seen_by=list(segment.seen_by or (source,)),
        disputed=segment.disputed,
        in_sight=True,
    )


def _ground_depth(frame: Frame, foot: float) -> Depth | None:
    """Depth of a thing that stands on level ground with its foot at a row of the view; None if that is no ground.

    A camera at height h that looks p up sees ground at distance d about f h / d rows below the horizon, which is
    f tan p below the middle of the view.
    """
    below = foot - (frame.view.height / 2 + frame.focal_px * math.tan(math.radians(frame.view.pitch_deg)))
    return None if below <= 0 else _depth(CAMERA_HEIGHT_M * frame.focal_px / below)


def _chosen(facts: Sequence[MapFact]) -> list[MapFact]:
    """The nearest facts, each named thing once, few of a kind."""
    chosen: list[MapFact] = []
    for fact in sorted(facts, key=lambda fact: (fact.distance_m, fact.fact_id)):
        alike = [other for other in chosen if other.kind == fact.kind]
        known = fact.name is not None and any(o.name == fact.name and o.category == fact.category for o in alike)
        if not known and len(alike) < MOST_OF_A_KIND:
            chosen.append(fact)
    return chosen[:MOST_MAP]


def _map_cue(fact: MapFact, heading_deg: float | None, source: str) -> Cue:
    name = publishable(fact.name or "")
    inside = fact.distance_m == 0.0  # then the bearing is that of the centroid, and the thing is all around
    return Cue(
        cue_id="",
        kind="map",
        label=fact.kind,
        attribute=None,
        category=publishable(fact.category),
        text=name,
        text_en=publishable(fact.name_en or ""),
        script=main_script(name) if name else None,
        position=None if heading_deg is None or inside else position_of(fact.bearing_deg - heading_deg),
        depth=_depth(fact.distance_m),
        bearing_deg=fact.bearing_deg,
        distance_m=fact.distance_m,
        confidence=1.0,
        source=source,
        view_id=None,
        polygon=None,
        area_share=None,
        mask=None,
        lasting=True,
        from_above="aerial" if fact.kind in FROM_ABOVE else "map",
        in_sight=fact.in_sight,
    )


def _text_order(cue: Cue) -> tuple[bool, float, str, list[float]]:
    return (not cue.lasting, -(cue.area_share or 0.0) * cue.confidence, cue.view_id or "", cue.polygon or [])


def _object_order(cue: Cue) -> tuple[bool, float, str, list[float], str]:
    return (not cue.lasting, -(cue.area_share or 0.0), cue.view_id or "", cue.polygon or [], cue.label)


def _distinct(cues: Sequence[Cue]) -> list[Cue]:
    """Without the texts that another view shows better; two like signs in one view are two signs."""
    kept: list[Cue] = []
    for cue in cues:
        shown = (cue.text or "").casefold()
        if not any(o.view_id != cue.view_id and _alike((o.text or "").casefold(), shown) for o in kept):
            kept.append(cue)
    return kept


def _alike(a: str, b: str) -> bool:
    return fuzz.ratio(a, b) >= SAME_TEXT


def _largest(cues: Sequence[Cue]) -> list[Cue]:
    """The first few cues of each label in each view."""
    seen = Counter[tuple[str, str | None]]()
    kept = []
    for cue in cues:
        seen[cue.label, cue.view_id] += 1
        if seen[cue.label, cue.view_id] <= MOST_OF_A_LABEL:
            kept.append(cue)
    return kept


def _numbered(letter: str, cues: Sequence[Cue]) -> list[Cue]:
    return [cue.model_copy(update={"cue_id": f"{letter}{i}"}) for i, cue in enumerate(cues, start=1)]
