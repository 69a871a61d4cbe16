"""The view of a task for the page: pictures with what is marked on them, texts with their claims, credits.

Everything in it is data for the page to show as text; nothing is HTML. It never says whether a falsehood was planted.
"""

import io
import json
import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from PIL import Image as Pictures
from sqlalchemy import Row

from pipeline.geo.frame import LocalFrame, axes_turned
from pipeline.imaging.decode import decode as decode_picture
from pipeline.imaging.encode import encode_jpeg
from pipeline.imaging.turn import north_up
from pipeline.perception.directions import trusted_heading
from pipeline.perception.rle import decode
from pipeline.publishing.samples import pictures
from schemas.records import ChipInfo, Claim, Cue, Image, Sample, Sentence, StreetInfo, Variant
from tools.audit.library import Library, writer_of
from tools.audit.records import COLUMNS, TOKEN_LIMITS
from tools.audit.shown import is_current, shown_sample
from tools.inspect.show import chip_line, street_line
from tools.verify.rows import LIMITS

_NAMES = {"street": "Street", "aerial": "Aerial", "map": "Map", "drone": "Drone", "panorama": "360"}
_TINTS = (
    (230, 60, 150),
    (60, 140, 240),
    (250, 180, 40),
    (70, 200, 120),
    (160, 90, 240),
    (240, 100, 60),
    (40, 200, 210),
)
_OPACITY = 120
_ANSWERS = {"yes": "yes", "no": "no", "cannot": "cannot tell"}


def task_view(task: Row[Any], library: Library) -> dict[str, Any]:
    """A task for the page.

    Raises:
        KeyError: the dataset has its samples no more, or with other texts: a decision would be about those.
        MachineError: one cannot be read.
    """
    if not is_current(task, library):
        raise KeyError(task.sample_id)
    head = {
        "task_id": task.task_id,
        "version": task.version,
        "question": task.question,
        "plan": task.plan,
        "text_sha256": task.text_sha256,
    }
    if task.question in ("which", "alike"):
        return head | _choice(task, library)
    sample = shown_sample(task, library)
    return head | {
        "sample_id": sample.sample_id,
        "region": sample.region,
        "split": sample.split,
        "synthetic": sample.synthetic,
        "language": sample.language,
        "pictures": list(_pictures(sample, task.task_id)),
        "cues": [_cue(cue) for cue in sample.cues],
        "notes": [
            {
                "id": note.note_id,
                "view": _role(sample, note.view_id),
                "words": _note_words(note.what, note.looks, note.text),
            }
            for note in sample.notes
        ],
        "texts": [text for variant in COLUMNS if (text := _text(sample, variant)) is not None],
        "facts": _facts(sample),
    }


def _choice(task: Row[Any], library: Library) -> dict[str, Any]:
    """The second and third question: a text, and four aerial views or three texts to choose from."""
    sample, options = library.sample(task.sample_id), json.loads(task.shown)["options"]
    if task.question == "which":
        urls = [f"/api/tasks/{task.task_id}/options/{i}" for i in range(len(options))]
        return {"text": sample.description, "options": [{"url": url} for url in urls]}
    return {"text": sample.description_short, "options": [{"text": library.facts[i].short} for i in options]}


def option_picture(sample: Sample) -> bytes | None:
    """The aerial view of one of four to choose from, with north at the top, as the page says."""
    if sample.aerial is None or sample.aerial_chip is None:
        return None
    if not sample.aerial_chip.bearing_deg:
        return sample.aerial.bytes
    turned_back = north_up(decode_picture(sample.aerial.bytes, LIMITS), sample.aerial_chip.bearing_deg)
    return encode_jpeg(turned_back, 92)


def picture_of(sample: Sample, role: str) -> Image | None:
    """A picture by its role on the page (`street`, `aerial`, `other-1`); None where there is none."""
    return next((image for name, image, _ in _named(sample) if name == role), None)


def mask_png(sample: Sample, cue_id: str) -> bytes | None:
    """A cue's mask as a PNG of its view's size, tinted where the mask is; None where there is none."""
    masks = [(number, cue.mask) for number, cue in enumerate(sample.cues) if cue.cue_id == cue_id and cue.mask]
    if not masks:
        return None
    number, mask = masks[0]
    pixels = np.zeros((mask.height, mask.width, 4), np.uint8)
    pixels[decode(mask)] = (*_TINTS[number % len(_TINTS)], _OPACITY)
    out = io.BytesIO()
    Pictures.fromarray(pixels, "RGBA").save(out, "PNG")
    return out.getvalue()


def _named(sample: Sample) -> Iterator[tuple[str, Image, StreetInfo | ChipInfo]]:
    counts: dict[str, int] = {}
    for role, image, info in pictures(sample):
        if role in ("scale", "other"):
            counts[role] = counts.get(role, 0) + 1
            yield f"{role}-{counts[role]}", image, info
        else:
            yield role, image, info


def _pictures(sample: Sample, task_id: str) -> Iterator[dict[str, Any]]:
    for role, _, info in _named(sample):
        marks, masks = [], []
        if isinstance(info, StreetInfo):
            cues = [cue for cue in sample.cues if cue.view_id == info.view_id]
            marks = [{"cue": cue.cue_id, "polygon": cue.polygon} for cue in cues if cue.polygon]
            masks = [cue.cue_id for cue in cues if cue.mask is not None]
        elif role != "drone":
            marks = [{"cue": cue.cue_id, "point": at} for cue in sample.cues if (at := _on_chip(cue, info)) is not None]
        yield {
            "role": role,
            "label": _label(role),
            "url": f"/api/tasks/{task_id}/pictures/{role}",
            "width": info.width,
            "height": info.height,
            "panorama": isinstance(info, StreetInfo) and info.projection == "equirectangular",
            "heading": info.heading_deg if isinstance(info, StreetInfo) else None,
            "line": street_line(info) if isinstance(info, StreetInfo) else chip_line(info),
            "credit": {n: getattr(info, n) for n in ("source", "source_id", "author", "licence", "link")},
            "marks": marks,
            "masks": [{"cue": cue_id, "url": f"/api/tasks/{task_id}/masks/{cue_id}"} for cue_id in masks],
            "wedge": _wedge(sample, role, info) if isinstance(info, ChipInfo) else None,
        }


def _label(role: str) -> str:
    return _NAMES.get(role) or f"{'Aerial' if role.startswith('scale') else 'Street'} {int(role[-1]) + 1}"


def _on_chip(cue: Cue, chip: ChipInfo) -> list[float] | None:
    """Where a thing on the map lies on a chip, pixels; None off the chip, or where no bearing is known."""
    if cue.kind != "map" or cue.distance_m is None:
        return None
    if cue.bearing_deg is None:
        return [chip.width / 2, chip.height / 2] if cue.distance_m == 0 else None
    bearing = math.radians(cue.bearing_deg - chip.bearing_deg)
    x = chip.width / 2 + cue.distance_m * math.sin(bearing) / chip.gsd_m
    y = chip.height / 2 - cue.distance_m * math.cos(bearing) / chip.gsd_m
    return [x, y] if 0 <= x <= chip.width and 0 <= y <= chip.height else None


def _wedge(sample: Sample, role: str, chip: ChipInfo) -> dict[str, Any]:
    """Camera on a chip: pixels, and where it looks, degrees clockwise from the top."""
    view = sample.street_view
    looks = trusted_heading(view)
    centre = (view.lat, view.lon) if role == "drone" else (sample.lat, sample.lon)
    east, north = LocalFrame(*centre).to_metres(view.lon, view.lat)
    x, y = axes_turned(float(east), float(north), chip.bearing_deg)
    return {
        "x": chip.width / 2 + x / chip.gsd_m,
        "y": chip.height / 2 - y / chip.gsd_m,
        "heading": None if looks is None else (looks - chip.bearing_deg) % 360,
        "hfov": view.hfov_deg,
    }


def _cue(cue: Cue) -> dict[str, Any]:
    name = f"\u201c{cue.text}\u201d" if cue.text else None
    what = (cue.category or cue.label).replace("_", " ") if cue.kind == "map" else cue.label
    where = [cue.position.value.replace("-", " ") if cue.position else None, cue.depth]
    where += [f"{cue.distance_m:.0f} m" if cue.distance_m is not None else None]
    return {
        "id": cue.cue_id,
        "kind": cue.kind,
        "words": " ".join(filter(None, (cue.attribute, what, name))),
        "where": ", ".join(filter(None, where)),
        "confidence": cue.confidence,
        "source": cue.source,
        "lasting": cue.lasting,
    }


def _note_words(what: str, looks: str, text: str | None) -> str:
    return " ".join(filter(None, (looks, what, f"\u201c{text}\u201d" if text else None)))


def _role(sample: Sample, view_id: str) -> str | None:
    views = (role for role, _, info in _named(sample) if isinstance(info, StreetInfo) and info.view_id == view_id)
    return next(views, None)


def _text(sample: Sample, variant: Variant) -> dict[str, Any] | None:
    text = cast("str | None", getattr(sample, COLUMNS[variant]))
    if text is None:
        return None
    return {
        "variant": variant,
        "text": text,
        "limit": TOKEN_LIMITS[variant],
        "sentences": [
            _sentence(i, sentence, sample) for i, sentence in enumerate(sample.sentences) if sentence.variant == variant
        ],
    }


def _sentence(index: int, sentence: Sentence, sample: Sample) -> dict[str, Any]:
    known = {cue.cue_id for cue in sample.cues} | {note.note_id for note in sample.notes}
    return {
        "index": index,
        "text": sentence.text,
        "shows": sentence.shows.replace("_", " "),
        "evidence": sentence.cue_ids,
        "claims": [
            {
                "key": f"{index}.{i}",
                "text": claim.text,
                "kind": claim.kind,
                "outcome": claim.outcome,
                "why": _why(claim, sample),
                "evidence": [i for i in dict.fromkeys([*claim.witnesses, *claim.cites]) if i in known],
            }
            for i, claim in enumerate(sentence.claims)
        ],
    }


def _why(claim: Claim, sample: Sample) -> str:
    """Who says so or otherwise, and what the verifier answered, by which picture."""
    verdict = claim.verdict
    if verdict is None:
        return _found(claim)
    said = f"{_found(claim)}; verifier: {_ANSWERS[verdict.answer]}"
    if verdict.picture is None:
        return said
    role = _role(sample, verdict.picture)
    return f"{said}, by {_label(role) if role else _NAMES.get(verdict.picture, verdict.picture)}"


def _found(claim: Claim) -> str:
    if claim.outcome == "supported":
        return f"witnessed by {', '.join(claim.witnesses)}" if claim.witnesses else "witnessed"
    if claim.outcome == "contradicted":
        return claim.detail or "a witness says otherwise"
    return "nobody but the writer says so"


def _facts(sample: Sample) -> list[list[str]]:
    """Lines of the drawer: name and value."""
    claims = [claim for sentence in sample.sentences for claim in sentence.claims]
    witnessed = sum(claim.outcome == "supported" for claim in claims)
    quality = sample.street_view.quality
    return [
        ["sample", sample.sample_id],
        ["region, split", f"{sample.region}, {sample.split}"],
        ["position", f"{sample.lat:.6f}, {sample.lon:.6f}"],
        ["written by", writer_of(sample.captioner, sample.prompt_set, sample.model)],
        ["licence class", sample.licence_class + ("" if sample.redistributable else ", not to be passed on")],
        ["claims witnessed", f"{witnessed} of {len(claims)}"],
        ["sharpness", f"{quality.sharpness:.0f}"],
        ["contrast", f"{quality.contrast:.0f}"],
        ["faces blurred", str(sample.street_view.faces_blurred)],
    ]
