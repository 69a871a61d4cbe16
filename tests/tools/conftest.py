"""A small published dataset with drawn pictures, for what people look at."""

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from pipeline.geo.frame import LocalFrame
from pipeline.perception.rle import encode
from pipeline.perception.signatures import signatures
from pipeline.publishing.manifest import Counts, Manifest, ShardCounts, ShardEntry
from pipeline.publishing.samples import point_wkb
from schemas import records
from schemas.arrow import to_table
from schemas.records import (
    AnySplit,
    BBox,
    ChipInfo,
    Claim,
    ClaimKind,
    Cue,
    Position,
    Quality,
    Sample,
    Sentence,
    Signatures,
    StreetInfo,
    Variant,
)

MakeSample = Callable[..., Sample]


def _jpeg(size: tuple[int, int], colour: str, name: str) -> records.Image:
    picture = Image.new("RGB", size, colour)
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill="white")
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return records.Image(bytes=buffer.getvalue(), path=f"{name}.jpg")


def _credit(source: str, number: int) -> dict[str, Any]:
    return {
        "source": source,
        "source_id": f"{source}-{number}",
        "author": f"Author {number} of {source}",
        "licence": "CC-BY-4.0",
        "link": f"https://example.org/{source}/{number}",
    }


def _view(number: int, lat: float, lon: float, **changes: Any) -> StreetInfo:
    fields: dict[str, Any] = {
        **_credit("photos", number),
        "view_id": "0",
        "projection": "perspective",
        "cut_from": None,
        "lat": lat,
        "lon": lon,
        "distance_m": 0.0,
        "heading_deg": 45.0,
        "pitch_deg": 0.0,
        "hfov_deg": 70.0,
        "captured_at": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "width": 320,
        "height": 240,
        "quality": Quality(sharpness=100, contrast=40, entropy=7, darkness=0.1),
        "faces_blurred": 0,
        "phash": "0123456789abcdef",
    }
    return StreetInfo(**(fields | changes))


def _chip(source: str, number: int, lat: float, lon: float) -> ChipInfo:
    frame = LocalFrame(lat, lon)
    west, south, east, north = frame.chip_bbox(256, 0.5)
    bounds = {"west": west, "south": south, "east": east, "north": north}
    size = {"gsd_m": 0.5, "width": 256, "height": 256}
    return ChipInfo(**_credit(source, number), **size, **bounds, crs=frame.crs, captured_at=None, covered=1.0)


def _cue(cue_id: str, kind: str, label: str, **changes: Any) -> Cue:
    fields: dict[str, Any] = dict.fromkeys(name for name, field in Cue.model_fields.items() if field.is_required()) | {
        "cue_id": cue_id,
        "kind": kind,
        "label": label,
        "confidence": 0.9,
        "source": "engine 1",
        "lasting": True,
    }
    return Cue(**(fields | changes))


def _signatures(number: int) -> Signatures:
    pixels = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
    return Signatures.model_validate({s.kind: s.values for s in signatures("0", pixels)})


def sentence(text: str, *cites: str, variant: Variant = "long") -> Sentence:
    """A sentence that is its own one claim, borne out by what it cites."""
    kind: ClaimKind = "sign" if '"' in text else "thing"
    claim = Claim(text=text, kind=kind, cites=list(cites), outcome="supported", witnesses=list(cites))
    return Sentence(variant=variant, text=text, cue_ids=list(cites), claims=[claim])


@pytest.fixture(scope="session")
def make_sample() -> MakeSample:
    """A function that makes a sample of a number; keyword arguments replace fields."""

    def make(number: int = 0, **changes: Any) -> Sample:
        lat, lon = 52.0 + number * 0.001, 13.0 + (number % 3) * 0.002
        mask = np.zeros((240, 320), dtype=bool)
        mask[120:220, 10:150] = True
        corners = [80.0, 60.0, 160.0, 60.0, 160.0, 120.0, 80.0, 120.0]
        cues = [
            _cue(
                "t1",
                "text",
                "sign",
                text="BAKERY",
                script="Latn",
                position=Position.AHEAD,
                view_id="0",
                polygon=corners,
            ),
            _cue("o1", "object", "hedge", attribute="green", view_id="0", mask=encode(mask), area_share=0.18),
            _cue("m1", "map", "road", category="tertiary", text="Mill Lane", bearing_deg=90.0, distance_m=30.0),
        ]
        sentences = [
            sentence("A sign ahead reads BAKERY.", "t1"),
            sentence(f"House {number} stands by a green hedge on Mill Lane.", "o1", "m1"),
            sentence("A bakery on Mill Lane.", "t1", "m1", variant="short"),
        ]
        fields: dict[str, Any] = {
            "sample_id": f"town-{number:06d}",
            "region": "town",
            "unit": "891f1d48a7bffff",
            "split": "train",
            "lat": lat,
            "lon": lon,
            "geometry": point_wkb(lat, lon),
            "bbox": BBox(xmin=lon, ymin=lat, xmax=lon, ymax=lat),
            "weight": 1.0,
            "synthetic": False,
            "street": _jpeg((320, 240), "steelblue", "street"),
            "street_view": _view(number, lat, lon),
            "panorama": None,
            "panorama_view": None,
            "aerial": _jpeg((256, 256), "darkgreen", "aerial"),
            "aerial_chip": _chip("ortho", number, lat, lon),
            "aerial_scales": [],
            "drone": None,
            "drone_chip": None,
            "map": _jpeg((256, 256), "beige", "map"),
            "map_chip": _chip("osm", number, lat, lon),
            "other_views": [],
            "description": " ".join(s.text for s in sentences if s.variant == "long"),
            "description_short": sentences[2].text,
            "description_street": None,
            "description_tokens": 24 + number,
            "description_short_tokens": 8,
            "description_street_tokens": 0,
            "language": "en",
            "sentences": sentences,
            "cues": cues,
            "notes": [],
            "street_signatures": _signatures(number),
            "aerial_signatures": _signatures(number + 1),
            "captioner": "composer 1",
            "prompt_set": "composer-en-1",
            "model": None,
            "licence_class": "attribution",
            "redistributable": True,
        }
        return Sample(**(fields | changes))

    return make


def publish(folder: Path, samples: list[Sample], **counts: Any) -> str:
    """Write samples as a dataset of one shard a split and region; `counts` replaces fields of the manifest's counts."""
    groups: dict[tuple[AnySplit, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.split, sample.region), []).append(sample)
    shards = []
    for (split, region), rows in groups.items():
        buffer = io.BytesIO()
        pq.write_table(to_table(Sample, rows), buffer, row_group_size=4, write_page_checksum=True)
        data = buffer.getvalue()
        recipe = "0123456789abcdef"
        path = f"data/{split}/{region}-{recipe}-{hashlib.sha256(data).hexdigest()[:16]}.parquet"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        shards.append(
            ShardEntry(
                path=path,
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                recipe=recipe,
                split=split,
                units=1,
                rows=len(rows),
                row_groups=-(-len(rows) // 4),
                first_id=min(row.sample_id for row in rows),
                last_id=max(row.sample_id for row in rows),
                content="0" * 64,
                counts=ShardCounts(regions={region: len(rows)}),
            )
        )
    regions: dict[str, dict[str, int]] = {}
    for (split, region), rows in groups.items():
        regions.setdefault(region, {})[split] = len(rows)
    numbers: dict[str, Any] = {
        "sites": len(samples),
        "failed": {},
        "excluded": {},
        "published": len(samples),
        "synthetic": 0,
        "splits": {},
        "regions": regions,
        "pictures": {"street photos": {"CC-BY-4.0": len(samples)}},
        "faces_blurred": 0,
        "absent": {},
        "missing": {},
        "captioners": {"composer 1, composer-en-1": len(samples)},
        "languages": {"en": len(samples)},
        "licence_classes": {"attribution": len(samples)},
    }
    manifest = Manifest(
        name="small",
        revision=1,
        digest="0" * 16,
        previous=None,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        schema_fingerprint="0" * 16,
        embargo_m=200.0,
        min_duplicate_distance=4,
        counts=Counts(**(numbers | counts)),
        shards=shards,
        files=[],
        config={},
        packages={},
        provenance={},
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="session")
def publish_samples() -> Callable[..., str]:
    """A function that publishes samples into a folder; see `publish`."""
    return publish


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory, make_sample: MakeSample) -> str:
    """Ten samples of two regions and three splits."""
    splits: tuple[AnySplit, ...] = ("train", "train", "train", "train", "train", "train", "val", "val", "test", "test")
    samples = [
        make_sample(
            i, split=split, region=("town", "village")[i % 2], sample_id=f"{('town', 'village')[i % 2]}-{i:06d}"
        )
        for i, split in enumerate(splits)
    ]
    return publish(tmp_path_factory.mktemp("dataset"), samples, sites=14, failed={"too_dark": 3, "no_cues": 1})
