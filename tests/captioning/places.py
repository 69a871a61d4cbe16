"""Places for the dialogue's tests: drawn pictures with a few cues."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Drawing

from pipeline.captioning.base import Evidence
from pipeline.config.build import Build
from pipeline.engine.build_file import parse_build
from schemas.records import Chip, Cue, Image, ImageryRow, Position, Quality, StreetView

CREDIT: dict[str, Any] = {"source": "s", "source_id": "1", "author": "a", "licence": "CC0-1.0", "link": "https://x.org"}


def picture(width: int = 320, height: int = 240, seed: int = 0, *, black: bool = False) -> bytes:
    """A JPEG of coloured blocks, other ones for each seed."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 1 if black else 255, (6, 8, 3), np.uint8)
    data = io.BytesIO()
    Drawing.fromarray(blocks).resize((width, height), Drawing.Resampling.NEAREST).save(data, "JPEG")
    return data.getvalue()


def view(number: int, heading: float | None, jpeg: bytes) -> StreetView:
    """A street view."""
    return StreetView(
        **CREDIT,
        view_id=str(number),
        projection="perspective",
        cut_from=None,
        lat=40.0,
        lon=-105.0,
        distance_m=1.0,
        heading_deg=heading,
        pitch_deg=0.0,
        hfov_deg=70.0,
        captured_at=None,
        width=320,
        height=240,
        quality=Quality(sharpness=100, contrast=50, entropy=7, darkness=0),
        faces_blurred=0,
        phash="0" * 16,
        image=Image(bytes=jpeg, path="x.jpg"),
        truth=None,
    )


def chip(seed: int) -> Chip:
    """An aerial or map chip."""
    return Chip(
        **CREDIT,
        gsd_m=0.3,
        width=512,
        height=512,
        west=-105.001,
        south=39.999,
        east=-104.999,
        north=40.001,
        crs="+proj=aeqd",
        captured_at=None,
        covered=1.0,
        image=Image(bytes=picture(512, 512, seed), path="y.jpg"),
    )


def cue(cue_id: str, **values: Any) -> Cue:
    """A cue: `t` a sign, `o` a thing, `m` on the map."""
    kind = {"t": "text", "o": "object", "m": "map"}[cue_id[0]]
    base: dict[str, Any] = dict.fromkeys(name for name, field in Cue.model_fields.items() if field.is_required()) | {
        "cue_id": cue_id,
        "kind": kind,
        "label": {"text": "sign", "object": "building", "map": "poi"}[kind],
        "position": Position.AHEAD,
        "depth": "near",
        "confidence": 0.95,
        "source": "made up",
        "view_id": None if kind == "map" else "1",
        "script": "Latn" if kind == "text" else None,
        "distance_m": 20.0 if kind == "map" else None,
        "lasting": True,
    }
    return Cue(**(base | values))


CUES = (
    cue("t1", text="ISLAND FARM", position=Position.LEFT),
    cue("o1", label="building", attribute="brick", position=Position.LEFT),
    cue("o2", label="tree", position=Position.RIGHT),
    cue("m1", category="bakery", text="Spruce Confections", position=Position.AHEAD),
)


def place(
    site_id: str = "a",
    views: int = 2,
    cues: Sequence[Cue] = CUES,
    *,
    size: tuple[int, int] = (320, 240),
    black: bool = False,
) -> Evidence:
    """A site with an aerial chip and a map."""
    seed = sum(site_id.encode()) * 100
    row = ImageryRow(
        site_id=site_id,
        status="ok",
        reason=None,
        detail=None,
        region="r",
        unit="u",
        lat=40.0,
        lon=-105.0,
        weight=1.0,
        views=[view(i, 90.0 * i % 360, picture(*size, seed=seed + i, black=black)) for i in range(1, views + 1)],
        aerial=chip(seed + 98),
        map=chip(seed + 99),
        facts=[],
        missing=[],
    )
    return Evidence(row, list(cues))


def build_for(endpoints: Sequence[str], workspace: object, **dialogue: Any) -> Build:
    """A build whose captioner asks these servers."""
    captioner = {"engine": "dialogue", "model": "stand-in", "endpoints": list(endpoints), "reply_timeout_s": 20}
    raw: dict[str, Any] = {
        "name": "talk",
        "workspace": str(workspace),
        "dataset": f"{workspace}-dataset",
        "regions": [{"name": "r", "centre": [40, -105], "radius_m": 100}],
        "sources": {
            "street": {"s": {"type": "world"}},
            "aerial": {"a": {"type": "world"}},
            "map": {"m": {"type": "world"}},
        },
        "captioner": captioner | dialogue,
    }
    return parse_build(raw, base=Path())
