"""`recipe`: where each sample is, what its pictures are called at their sources, and the texts; no pixel of anything.

For teams that have a licence of their own for the pictures, or that may not pass them on: with ids, positions, camera
and chip frames the pictures can be fetched and cut again. `recipe.parquet` has a row a sample.
"""

from collections.abc import Iterable

import pyarrow as pa

from pipeline.publishing.layout import columns
from schemas.records import Sample
from tools.export.base import Export, Table, Target, without_pictures

_PIXELS = {"street", "panorama", "aerial", "drone", "map", "geometry"}
_FROM_PIXELS = {"street_signatures", "aerial_signatures", "cues", "notes"}
"""Measurements of pictures: masks, boxes, signatures."""


class Recipe(Export):
    """Ids, coordinates and texts, without pictures."""

    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write the table."""
        schema = pa.schema([_bare(field) for field in columns() if field.name not in _PIXELS | _FROM_PIXELS])
        with Table(target.folder / "recipe.parquet", schema) as table:
            for sample in samples:
                table.add({name: value for name, value in without_pictures(sample).items() if name in schema.names})
                target.take(sample, self.roles)


def _bare(field: pa.Field) -> pa.Field:
    """A column without the pictures in it."""
    if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
        kept = [inner for inner in field.type.value_type if inner.name != "image"]
        return pa.field(field.name, pa.list_(pa.field("element", pa.struct(kept))))
    return field
