"""`hf`: pictures as files with a table beside them, as `load_dataset("imagefolder", data_dir=...)` reads it.

    train/metadata.parquet        a row a sample; `street_file_name` names a picture and becomes the column `street`
    train/images/ID-street.jpg

For pipelines that want files. Who reads Parquet reads the dataset as it is.
"""

from collections.abc import Iterable
from contextlib import ExitStack

import pyarrow as pa

from pipeline.publishing.layout import columns
from schemas.records import Image, Sample
from tools.export.base import Export, Table, Target, named_pictures, suffix, without_pictures

_PICTURES = tuple(name for name, field in Sample.model_fields.items() if field.annotation in (Image, Image | None))
_LEFT = {*_PICTURES, "geometry", "other_views", "aerial_scales"}
"""Columns that are files, or another column in binary. Further views have a list of files of their own."""


class ImageFolder(Export):
    """A folder of pictures with metadata, for `datasets`' ImageFolder."""

    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write a folder for each split."""
        schema = pa.schema(
            [
                *(pa.field(f"{name}_file_name", pa.string()) for name in _PICTURES),
                pa.field("other_file_names", pa.list_(pa.string())),
                *(field for field in columns() if field.name not in _LEFT),
            ]
        )
        with ExitStack() as stack:
            tables: dict[str, Table] = {}
            for sample in samples:
                folder = sample.split
                if folder not in tables:
                    tables[folder] = stack.enter_context(Table(target.folder / folder / "metadata.parquet", schema))
                row = {name: value for name, value in without_pictures(sample).items() if name not in _LEFT}
                row["other_file_names"] = []
                for name, role, image, _ in named_pictures(sample, self.roles):
                    path = f"images/{sample.sample_id}-{name}{suffix(image)}"
                    target.write(f"{folder}/{path}", image.bytes)
                    if role == "other":
                        row["other_file_names"].append(path)
                    else:
                        row[f"{role}_file_name"] = path
                tables[folder].add(row)
                target.take(sample, self.roles)
