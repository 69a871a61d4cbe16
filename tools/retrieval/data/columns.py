"""Refuses a file without the columns that are to be read."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import MachineError


def require(file: pq.ParquetFile, columns: Iterable[str], path: str) -> None:
    """Refuse a file without a required column: Arrow would silently skip it.

    Raises:
        MachineError: naming the file and the columns.
    """
    schema = file.schema_arrow
    absent = [name for name in columns if not _has(schema, name)]
    if absent:
        raise MachineError(
            f"{path} has no column {', '.join(absent)}: it is no shard of this version of geoscribe; publish it again"
        )


def _has(schema: pa.Schema, name: str) -> bool:
    head, _, rest = name.partition(".")
    if head not in schema.names:
        return False
    kind = schema.field(head).type
    return not rest or pa.types.is_list(kind) or kind.get_field_index(rest.partition(".")[0]) >= 0
