"""HTML page of explained samples: words and chip shaded by relevance, with the judgement of both."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from tools.metrics.intervals import Estimate
from tools.output import writing
from tools.retrieval.explain.deletion import Judged
from tools.retrieval.explain.relevance import Relevance

_SIDE = 320
_HOT = np.array([194, 65, 12], np.float64)


@dataclass(frozen=True)
class Explained:
    """One sample."""

    sample_id: str
    pixels: NDArray[np.uint8]
    """The chip as the model takes it, 3 x size x size."""
    found: Relevance
    words: Judged
    picture: Judged | None


def write_page(out: Path, explained: Sequence[Explained], words: Estimate | None, picture: Estimate | None) -> None:
    """Write the page. `words` and `picture`: mean gain over random orders, with its interval."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    cards = [
        {
            "sample_id": one.sample_id,
            "similarity": f"{one.found.similarity:.3f}",
            "chip": _uri(_scaled(one.pixels)),
            "heat": None if one.found.of_picture is None else _uri(_heated(one.pixels, one.found.of_picture)),
            "words": _shaded(one.found),
            "judged": [("words", one.words), *([] if one.picture is None else [("picture", one.picture)])],
        }
        for one in explained
    ]
    page = environment.get_template("page.html.jinja").render(cards=cards, gains={"words": words, "picture": picture})
    with writing(out):
        out.write_text(page, encoding="utf-8", newline="\n")


def _shaded(found: Relevance) -> list[tuple[str, float]]:
    """Pair words with a strength from 0 to 1."""
    top = float(found.of_words.max(initial=0)) or 1.0
    shares = (found.of_words / top).round(3).tolist()
    return [(word.text, share) for word, share in zip(found.words, shares, strict=True)]


def _scaled(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels.transpose(1, 2, 0)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _heated(pixels: NDArray[np.uint8], relevance: NDArray[np.float64]) -> Image.Image:
    """Draw the chip in grey, coloured by relevance."""
    top = float(relevance.max()) or 1.0
    strength = Image.fromarray((relevance / top).astype(np.float32)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(strength, np.float64), 0, 1)[..., None]
    grey = np.asarray(_scaled(pixels).convert("L").convert("RGB"), np.float64)
    return Image.fromarray((grey * (1 - 0.7 * share) + _HOT * 0.7 * share).round().astype(np.uint8))


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
