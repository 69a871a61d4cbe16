"""Reading rows out of row groups: only the columns that are needed, and a few groups in memory at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.dataset import Dataset, open_dataset
from tools.retrieval.data.index import Index, require

Ints = NDArray[np.int64]
Row = dict[str, Any]


class RowReader:
    """Gives rows of an index in any order. Groups are read when a row of theirs is first wanted.

    Of a group all rows that are still wanted are kept until they are given, so what is in memory follows from the order
    that they are wanted in: `tools.retrieval.data.order` keeps it to one or two windows.
    """

    def __init__(self, index: Index, columns: Sequence[str]) -> None:
        self._index = index
        self._columns = list(columns)
        self._datasets: dict[int, Dataset] = {}
        """Opened where they are read: a bucket's connections do not pass from one process to another."""
        self._checked: set[str] = set()

    def read(self, batches: Iterable[Ints]) -> Iterator[list[Row]]:
        """The rows of each batch, in its order.

        Raises:
            MachineError: a shard is missing, damaged or lacks a column.
        """
        ahead = list(batches)
        wanted: dict[int, set[int]] = {}
        for batch in ahead:
            for row in batch.tolist():
                wanted.setdefault(int(self._index.group[row]), set()).add(row)
        held: dict[int, Row] = {}
        for batch in ahead:
            for row in batch.tolist():
                if row not in held:
                    held |= self._group(int(self._index.group[row]), wanted)
            yield [held.pop(row) for row in batch.tolist()]

    def _group(self, number: int, wanted: dict[int, set[int]]) -> dict[int, Row]:
        group = self._index.groups[number]
        if group.dataset not in self._datasets:
            self._datasets[group.dataset] = open_dataset(self._index.urls[group.dataset])
        dataset = self._datasets[group.dataset]
        path = f"{dataset.store.url}/{group.shard.path}"
        rows = sorted(wanted.pop(number))
        with dataset.shard(group.shard) as file:
            if path not in self._checked:
                require(file, self._columns, path)
                self._checked.add(path)
            table = file.read_row_group(group.number, columns=self._columns)
            found: list[Row] = table.take(self._index.place[rows]).to_pylist()
        return dict(zip(rows, found, strict=True))
