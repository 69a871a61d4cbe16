"""From rows to the arrays of a batch, as a model takes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.perception.signatures import COLOUR_BINS, DIRECTIONS, RINGS
from tools.retrieval.data.index import Index
from tools.retrieval.data.pictures import picture, turned_orientation
from tools.retrieval.data.rows import Row
from tools.retrieval.data.select import REFERENCES, View
from tools.retrieval.data.texts import TextChoice, text_columns, text_of

Batch = dict[str, NDArray[Any]]
"""`row`: rows of the index. `text`: token ids, batch x context. A view's name: bytes of pictures, batch x 3 x size x
size; `has_` and the view: which rows have it (the others are black). `colour`, `orientation`, `spectrum`: signatures of
the aerial chip, with `has_signatures`."""
Tokens = Callable[[list[str]], NDArray[np.int64]]
"""From texts to token ids, texts x context."""

SIGNATURES = {"colour": 3 * COLOUR_BINS, "orientation": DIRECTIONS, "spectrum": RINGS}


@dataclass(frozen=True)
class Input:
    """What a model wants of a row."""

    text: TextChoice
    views: tuple[View, ...]
    size_px: int
    heading_up: bool
    """Turn chips so that the street view's heading is at the top."""
    signatures: bool
    tokens: Tokens

    def columns(self) -> list[str]:
        """Parquet paths of all that it reads."""
        pictures = [f"{view}.bytes" for view in self.views]
        signatures = [f"aerial_signatures.{name}" for name in SIGNATURES] if self.signatures else []
        return [*text_columns(self.text), *pictures, *signatures]


def make_batch(index: Index, rows: NDArray[np.int64], found: Sequence[Row], wanted: Input) -> Batch:
    """The arrays of some rows.

    Args:
        index: where headings stand.
        rows: of the index.
        found: the rows as read, in the same order.
        wanted: what goes into the batch.

    Raises:
        MachineError: a picture is damaged.
    """
    batch: Batch = {"row": np.asarray(rows, np.int64)}
    batch["text"] = wanted.tokens([text_of(wanted.text, row) for row in found])
    turns = index.heading_deg[rows] if wanted.heading_up else None
    for view in wanted.views:
        pictures = np.zeros((len(found), 3, wanted.size_px, wanted.size_px), np.uint8)
        has = np.zeros(len(found), np.bool_)
        for at, row in enumerate(found):
            if row[view] is not None:
                turn = float(turns[at]) if turns is not None and view in REFERENCES else None
                pictures[at], has[at] = picture(row[view]["bytes"], wanted.size_px, turn), True
        batch[view], batch[f"has_{view}"] = pictures, has
    if wanted.signatures:
        batch |= _signatures(found, turns)
    return batch


def _signatures(found: Sequence[Row], turns: NDArray[np.float64] | None) -> Batch:
    batch: Batch = {name: np.zeros((len(found), length), np.float32) for name, length in SIGNATURES.items()}
    batch["has_signatures"] = np.array([row["aerial_signatures"] is not None for row in found], np.bool_)
    for at, row in enumerate(found):
        for name, values in (row["aerial_signatures"] or {}).items():
            batch[name][at] = values
        if turns is not None:
            batch["orientation"][at] = turned_orientation(batch["orientation"][at], float(turns[at]))
    return batch
