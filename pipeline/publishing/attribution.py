"""`attribution.parquet`: one row a picture with whom to credit for it, taken from the shards."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.publishing.samples import Role
from schemas.arrow import arrow_schema
from schemas.records import Record

PATH = "attribution.parquet"


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


_CREDIT = [name for name in Attribution.model_fields if name not in ("sample_id", "role")]
_COLUMN_OF: dict[Role, str] = {
    "street": "street_view",
    "panorama": "panorama_view",
    "aerial": "aerial_chip",
    "drone": "drone_chip",
    "map": "map_chip",
    "other": "other_views.list.element",
    "scale": "aerial_scales.list.element",
}
COLUMNS = ["sample_id", *(f"{column}.{name}" for column in _COLUMN_OF.values() for name in _CREDIT)]
"""The columns of a shard that credits are taken from: no picture among them."""


def write_attribution(path: Path, shards: Iterable[pa.Table]) -> None:
    """Write the credits of shards, given as tables with `COLUMNS`, in their order; a row group a shard."""
    with pq.ParquetWriter(path, arrow_schema(Attribution), compression="zstd", write_page_checksum=True) as writer:
        for shard in shards:
            rows = [credit for sample in shard.to_pylist() for credit in credits_of(sample)]
            writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))


def credits_of(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of `Attribution` for one row of a shard."""
    for role, column in _COLUMN_OF.items():
        lists = {"other": sample["other_views"], "scale": sample["aerial_scales"]}
        infos = lists[role] if role in lists else [sample[column]]
        for info in infos:
            if info is not None:
                yield {"sample_id": sample["sample_id"], "role": role, **{name: info[name] for name in _CREDIT}}
