"""Compares segmenters on street photos, beside each other in one run.

    python -m tools.dev.bench.seen CORPUS [PHOTOS] [JUDGED]

The photos are the first (60 if left out) of the corpus' street photos in the order of their paths' SHA-256. Each goes
through OCR, the segmenters and the fusion into cues, as in a build. The segmenters are `superpixels`, and those of
`configs/boulder-cpu.yaml` on the corpus' weights. A label counts where its cue lasts and nobody disputes it.

JUDGED says which cues are right, as somebody saw who looked: JSON Lines, a cue a line: `photo`, `label`, `box` (left,
top, right, bottom as shares of the photo), `right`, and `colour_right` where a colour was told. A cue is judged by the
line of its photo and label whose box overlaps its own by half (intersection over union); others are counted apart.
"""

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.perception import DetectorSegments, RapidOcr, SemanticSegments, Superpixels
from pipeline.perception.base import Segmenter, View
from pipeline.perception.cues import fuse
from pipeline.perception.detector import DetectorSegmenter
from pipeline.perception.ensemble import Ensemble
from pipeline.perception.models.listing import listing
from pipeline.perception.rapidocr import RapidOcrEngine
from pipeline.perception.rle import decode
from pipeline.perception.semantic import SemanticSegmenter
from pipeline.perception.superpixels import SuperpixelSegmenter
from schemas.records import Cue, Image, ImageryRow, Quality, StreetView
from tools.dev.bench.signs import view

FILES = {
    "deeplab-ade20k": "ade20k_mnv2_513.tflite",
    "deeplab-cityscapes": "cityscapes_edgetpu_slim_513.onnx",
    "yolox-nano": "yolox_nano_416.onnx",
}
ENOUGH = 3

Judgements = dict[tuple[str, str], list[dict[str, Any]]]


def photos(corpus: Path, count: int) -> list[str]:
    """Paths of street photos, in an order that has nothing to do with what they show."""
    rows = map(json.loads, (corpus / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines())
    paths = [
        row["path"]
        for row in rows
        if row["kind"] in ("street", "street-unlocated") and row["projection"] in ("perspective", None)
    ]
    return sorted(paths, key=lambda path: hashlib.sha256(path.encode()).hexdigest())[:count]


def models(corpus: Path) -> Ensemble:
    """The segmenters of the build file for a CPU, with the corpus' weights."""

    def settings(engine: str, name: str) -> dict[str, Any]:
        spec = listing()[name].spec
        return {"engine": engine, "model": corpus / "weights" / FILES[name], "spec": spec and spec.model_dump()}

    semantic = SemanticSegments.model_validate(settings("semantic", "deeplab-ade20k") | {"second_look": True})
    witness = SemanticSegments.model_validate(settings("semantic", "deeplab-cityscapes"))
    detector = DetectorSegments.model_validate(settings("detector", "yolox-nano"))
    return Ensemble([SemanticSegmenter(semantic), SemanticSegmenter(witness), DetectorSegmenter(detector)])


def site(shown: View) -> ImageryRow:
    """A place with one view, of which nothing but its size is known."""
    height, width = shown.pixels.shape[:2]
    street = StreetView(
        source="corpus", source_id="0", author="", licence="", link="", view_id="0", projection="perspective",
        cut_from=None, lat=0, lon=0, distance_m=0, heading_deg=None, pitch_deg=0, hfov_deg=None, captured_at=None,
        width=width, height=height, quality=Quality(sharpness=0, contrast=0, entropy=0, darkness=0), faces_blurred=0,
        phash="0" * 16, image=Image(bytes=b"", path=""), truth=None,
    )  # fmt: skip
    return ImageryRow(
        site_id="0", status="ok", reason=None, detail=None, region="", unit="", lat=0, lon=0, weight=1, views=[street],
        aerial=None, map=None, facts=[], missing=[],
    )  # fmt: skip


def box(cue: Cue) -> tuple[float, float, float, float]:
    """Left, top, right, bottom as shares of the view."""
    assert cue.mask is not None
    mask = decode(cue.mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    return (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union."""
    both = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def judged(path: Path | None) -> Judgements:
    found: Judgements = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path else []:
        row = json.loads(line)
        found.setdefault((row["photo"], row["label"]), []).append(row)
    return found


def verdict(photo: str, cue: Cue, judgements: Judgements) -> dict[str, Any] | None:
    lines = judgements.get((photo, cue.label), [])
    best = max(lines, key=lambda line: overlap(line["box"], box(cue)), default=None)
    return best if best is not None and overlap(best["box"], box(cue)) >= 0.5 else None


def bench(
    name: str, segmenter: Segmenter, reader: RapidOcrEngine, corpus: Path, paths: Sequence[str], by: Judgements
) -> None:
    told: Counter[str] = Counter()
    count: Counter[str] = Counter()
    kept_out: list[str] = []
    wall = cpu = 0.0
    for path in paths:
        shown = view(corpus / path)
        started, used = time.perf_counter(), time.process_time()
        segments = segmenter.segment([shown])[0]
        wall, cpu = wall + time.perf_counter() - started, cpu + time.process_time() - used
        named = View("0", shown.pixels, None)
        cues = fuse(site(named), {"0": reader.read([named])[0]}, {"0": segments}, reader.name, segmenter.name)
        things = [cue for cue in cues if cue.kind == "object"]
        lasting = [cue for cue in things if cue.lasting]
        told.update(cue.label for cue in lasting)
        verdicts = [verdict(path, cue, by) for cue in lasting]
        right = {cue.label for cue, found in zip(lasting, verdicts, strict=True) if found and found["right"]} - {"sky"}
        labels = {cue.label for cue in lasting} - {"sky"}
        count["told"] += len(lasting)
        count["judged"] += sum(found is not None for found in verdicts)
        count["right"] += sum(bool(found and found["right"]) for found in verdicts)
        count["photos with three"] += len(labels) >= ENOUGH
        count["photos with three right"] += len(right) >= ENOUGH
        count["photos with nothing but sky"] += not labels
        count["seen by two"] += sum(len(cue.seen_by) > 1 for cue in things)
        count["disputed"] += sum(cue.disputed for cue in things)
        colours = [found for cue, found in zip(lasting, verdicts, strict=True) if cue.looks]
        count["colours"] += len(colours)
        count["colours judged"] += sum(found is not None and "colour_right" in found for found in colours)
        count["colours right"] += sum(bool(found and found.get("colour_right")) for found in colours)
        words = [cue for cue in cues if cue.kind == "text"]
        count["texts"] += len(words)
        kept_out += [f"{cue.text} (on {cue.on or 'part of what passes'})" for cue in words if not cue.lasting]
    print(f"{name}, {len(paths)} photos: {segmenter.name}")
    print(f"    {wall / len(paths):.2f} s a view, {cpu / len(paths):.2f} s CPU")
    print(f"    labels told (lasting): {count['told']}, {count['told'] / len(paths):.1f} a photo")
    print(f"    {', '.join(f'{label} {number}' for label, number in told.most_common(12))}")
    print(f"    photos with {ENOUGH} or more labels beside sky: {count['photos with three']}")
    print(f"    photos with nothing but sky, or nothing: {count['photos with nothing but sky']}")
    print(
        f"    seen by two engines: {count['seen by two']}, disputed: {count['disputed']}, colours: {count['colours']}"
    )
    print(f"    texts read: {count['texts']}, kept out: {', '.join(kept_out) or 'none'}")
    if by:
        share = count["right"] / max(1, count["judged"])
        print(f"    of {count['judged']} labels that were looked at {count['right']} are right ({share:.0%})")
        print(f"    photos with {ENOUGH} or more right labels beside sky: {count['photos with three right']}")
        print(f"    of {count['colours judged']} colours that were looked at {count['colours right']} are right")


def main(corpus: Path, count: int, by: Judgements) -> None:
    paths = photos(corpus, count)
    reader = RapidOcrEngine(RapidOcr())
    warm = [view(corpus / paths[0])]
    for name, segmenter in (
        ("superpixels", Ensemble([SuperpixelSegmenter(Superpixels())])),
        ("models", models(corpus)),
    ):
        segmenter.segment(warm)
        bench(name, segmenter, reader, corpus, paths, by)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder]:
            main(Path(folder), 60, {})
        case [folder, number] if number.isdigit():
            main(Path(folder), int(number), {})
        case [folder, number, file] if number.isdigit():
            main(Path(folder), int(number), judged(Path(file)))
        case _:
            sys.exit("usage: python -m tools.dev.bench.seen CORPUS [PHOTOS] [JUDGED]")
