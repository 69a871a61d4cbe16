"""Measures reading the texts alone: `python -m tools.dev.bench.texts DATASET [ROWS]`.

Reads `sample_id` and `description` of all samples as from a bucket, through a buffer like that of `Store.reader`, and
counts requests and bytes. The figures are scaled to a million rows (or ROWS) in shards and row groups of the default
size, whose number follows from the bytes that a row of the dataset takes.
"""

import io
import math
import sys
from typing import BinaryIO

import pyarrow.parquet as pq

from pipeline.config.publishing import Publish
from pipeline.storage import READ_AHEAD
from tools.dataset import open_dataset

COLUMNS = ["sample_id", "description"]


class _Counting(io.RawIOBase):
    """A file of which every read is a request."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.requests, self.bytes = file, 0, 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self.requests += 1
        self.bytes += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def main(where: str, million: int) -> None:
    dataset = open_dataset(where)
    rows = groups = requests = opening = read = footer = total = 0
    for shard in dataset.manifest.shards:
        with dataset.store.reader(shard.path) as plain:
            counting = _Counting(plain)
            file = pq.ParquetFile(io.BufferedReader(counting, buffer_size=READ_AHEAD))
            opening, footer = opening + counting.requests, footer + counting.bytes
            for group in range(file.num_row_groups):
                file.read_row_group(group, columns=COLUMNS)
            rows, groups = rows + file.metadata.num_rows, groups + file.num_row_groups
            requests, read, total = requests + counting.requests, read + counting.bytes, total + shard.bytes
    shards = len(dataset.manifest.shards)
    print(f"{where}: {rows:,} rows of {total / rows / 1e3:.0f} kB in {shards} shards and {groups} row groups")
    print(f"texts alone: {requests:,} requests, {read / 1e6:.1f} MB of {total / 1e6:.1f} MB ({read / total:.1%})")

    plan = Publish()
    row_bytes = total / rows
    many_shards = math.ceil(million * row_bytes / plan.shard_mb / 1e6)
    many_groups = math.ceil(million * row_bytes / plan.row_group_mb / 1e6)
    asked = many_shards * opening / shards + many_groups * (requests - opening) / groups
    size = many_shards * footer / shards + many_groups * (read - footer) / groups
    packed = f"{million * row_bytes / 1e9:,.0f} GB in {many_shards:,} shards and {many_groups:,} row groups"
    print(f"{million:,} such rows: {packed}; texts alone: {asked:,.0f} requests, {size / 1e9:.1f} GB")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
