"""What the licences and origins of all pictures in some rows make of the rows: classes, synthetic, redistributable."""

from collections.abc import Collection
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.publishing.nested import Elements, Places, numpy_of
from schemas.licences import LicenceClass, Part, licence_class, strictest

_CLASSES: tuple[LicenceClass, ...] = get_args(LicenceClass)


class Terms:
    """The terms of so many rows; `synthetic` are the names of sources whose pictures are drawn and not taken."""

    def __init__(self, rows: int, synthetic: Collection[str]) -> None:
        self._ranks: dict[Part, NDArray[np.int64]] = {}
        self._drawn = pa.array(sorted(synthetic), pa.string())
        self._rows = rows
        self._synthetic, self._redistributable = np.zeros(rows, np.bool_), np.ones(rows, np.bool_)

    def credit(self, part: Part, pictures: Elements) -> None:
        """Add pictures (records with the fields of `schemas.records.Credit`) to a part."""
        self.state(part, pictures.row, pictures.column("licence"))
        self._synthetic[pictures.row[numpy_of(pc.is_in(pictures.column("source"), self._drawn))]] = True
        self._redistributable[pictures.row[~numpy_of(pictures.column("redistributable"))]] = False

    def state(self, part: Part, row: Places, licences: pa.Array) -> None:
        """Add licences to a part: SPDX identifiers, each of a row; null where none is known."""
        ranks = self._ranks.setdefault(part, np.full(self._rows, -1, np.int64))
        coded = pc.fill_null(licences, "").dictionary_encode()
        known = np.array([_CLASSES.index(licence_class([one])) for one in coded.dictionary.to_pylist()], np.int64)
        np.maximum.at(ranks, row, known[coded.indices.to_numpy()])

    def columns(self) -> dict[str, pa.Array]:
        """The columns of a sample that follow. The class of a part is null where there is nothing of it."""
        names = pa.array(_CLASSES)
        every = np.max([np.full(self._rows, -1), *self._ranks.values()], axis=0)
        of_none = _CLASSES.index(strictest(()))
        return {
            **{
                f"{part}_licence_class": names.take(pa.array(ranks, mask=ranks < 0))
                for part, ranks in self._ranks.items()
            },
            "licence_class": names.take(pa.array(np.where(every < 0, of_none, every))),
            "synthetic": pa.array(self._synthetic),
            "redistributable": pa.array(self._redistributable),
        }
