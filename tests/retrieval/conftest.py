"""Galleries and datasets that the tests of retrieval share."""

import io
import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import ImageDraw

from pipeline.geo.overlaps import Chips
from pipeline.perception.devices import load_torch
from schemas import records
from schemas.records import AnySplit, Sample
from tests.tools.conftest import make_sample, publish
from tools.retrieval.evaluate.protocol import Gallery

__all__ = ["make_sample"]

if find_spec("torch") is not None:
    # Small models on many threads wait for each other more than they compute.
    load_torch().set_num_threads(1)


def make_gallery(n: int, *, queries: int | None = None, seed: int = 0, spread: float = 0.01) -> Gallery:
    """A gallery of n chips, the first of which are looked for; blocks are 4 x 4 squares."""
    random = np.random.default_rng(seed)
    u, v = random.uniform(0, 1, (2, n))
    ids = [f"s{i:05d}" for i in range(n)]
    count = n if queries is None else queries
    blocks = np.array([f"{int(4 * a)}{int(4 * b)}" for a, b in zip(u, v, strict=True)])
    return Gallery(
        ids=ids,
        chips=Chips(52 + spread * u, 13 + spread * v, np.full(n, 100.0)),
        queries=ids[:count],
        blocks=blocks[:count],
        strata={"western": (v < 0.5)[:count]},
    )


@pytest.fixture
def gallery() -> Gallery:
    """200 chips of which 150 are looked for."""
    return make_gallery(200, queries=150)


COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "black")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def jpeg(draw: Callable[[ImageDraw.ImageDraw], None], side: int = 96) -> records.Image:
    picture = PIL.Image.new("RGB", (side, side), "gray")
    draw(ImageDraw.Draw(picture))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92)
    return records.Image(bytes=buffer.getvalue(), path="x.jpg")


def field_chip(ahead: str, behind: str, heading_deg: float, side: int = 96) -> records.Image:
    """A chip with a field of one colour ahead of the camera and one behind, the rest grey."""
    c, r = side / 2, side / 4
    sine, cosine = np.sin(np.radians(heading_deg)), np.cos(np.radians(heading_deg))

    def draw(canvas: ImageDraw.ImageDraw) -> None:
        for colour, sign in ((ahead, 1), (behind, -1)):
            x, y, half = c + sign * r * sine, c - sign * r * cosine, side / 8
            canvas.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    return jpeg(draw, side)


_BASES: dict[int, Sample] = {}


def field_sample(make: Callable[..., Sample], number: int, **changes: Any) -> Sample:
    """A place whose chip is what its text says: two coloured fields, ahead and behind."""
    random = np.random.default_rng(number)
    ahead, behind = random.choice(COLOURS, 2, replace=False).tolist()
    heading = float(random.uniform(0, 360))
    base = _BASES.setdefault(number % 4, make(number % 4))  # signatures take long to make: a few will do
    lat, lon = 52.0 + 0.004 * (number % 20), 13.0 + 0.006 * (number // 20)
    assert base.aerial_chip is not None
    fields: dict[str, Any] = {
        "sample_id": f"f-{number:04d}",
        "lat": lat,
        "lon": lon,
        "street_view": base.street_view.model_copy(update={"heading_deg": heading, "lat": lat, "lon": lon}),
        "aerial": field_chip(ahead, behind, heading),
        "aerial_chip": base.aerial_chip.model_copy(update={"width": 96, "height": 96, "gsd_m": 1.0}),
        "description": f"There is a {ahead} field ahead and a {behind} field behind me.",
        "description_tokens": 16,
        "description_short": f"A {ahead} field and a {behind} field.",
    }
    return base.model_copy(update=fields | changes)


@pytest.fixture(scope="session")
def fields_dataset(tmp_path_factory: pytest.TempPathFactory, make_sample: Callable[..., Sample]) -> str:
    """240 places of coloured fields in two regions: 160 train, 40 val, 40 test, four rows a group."""
    samples = []
    for number in range(240):
        split: AnySplit = "train" if number < 160 else "val" if number < 200 else "test"
        region = ("plain", "valley")[number % 2]
        samples.append(field_sample(make_sample, number, split=split, region=region))
    return publish(tmp_path_factory.mktemp("fields"), samples)
