"""`attribution.parquet`: one row a picture with whom to credit for it, of all samples and distractors."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pipeline.publishing.samples import Role
from schemas.records import Record


class Attribution(Record):
    """One row: whom to credit for one picture."""

    sample_id: str
    role: Role
    source: str
    source_id: str
    author: str
    licence: str
    link: str
    captured_at: datetime | None
    redistributable: bool
    distractor: bool
    """Whether `sample_id` is that of a distractor and not of a sample."""


_CREDIT = [name for name in Attribution.model_fields if name not in ("sample_id", "role", "distractor")]
_COLUMN_OF: dict[Role, str] = {
    "street": "street_view",
    "panorama": "panorama_view",
    "aerial": "aerial_chip",
    "drone": "drone_chip",
    "map": "map_chip",
    "other": "other_views.list.element",
    "scale": "aerial_scales.list.element",
}
COLUMNS = ("sample_id", *(f"{column}.{name}" for column in _COLUMN_OF.values() for name in _CREDIT))
"""The columns of a shard that credits are taken from: no picture among them."""


def credits_of(sample: dict[str, Any], *, distractor: bool = False) -> Iterator[dict[str, Any]]:
    """Rows of `Attribution` for one row of a shard, or of a file of distractors."""
    for role, column in _COLUMN_OF.items():
        lists = {"other": sample["other_views"], "scale": sample["aerial_scales"]}
        infos = lists[role] if role in lists else [sample[column]]
        for info in infos:
            if info is not None:
                named = {"sample_id": sample["sample_id"], "role": role, "distractor": distractor}
                yield named | {name: info[name] for name in _CREDIT}
