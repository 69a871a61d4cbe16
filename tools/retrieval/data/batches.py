"""Convert rows to the arrays of a batch."""

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
"""`row`: rows of the index. `text`: token ids, batch x context; `also`: likewise, of a second text. A view's name:
pixels, batch x 3 x size x size; `has_` and the view: which rows have it (the others are black). `colour`,
`orientation`, `spectrum`: signatures of the aerial chip, with `has_signatures`."""
Tokens = Callable[[list[str]], NDArray[np.int64]]
"""From texts to token ids, texts x context."""

SIGNATURES = {"colour": 3 * COLOUR_BINS, "orientation": DIRECTIONS, "spectrum": RINGS}


@dataclass(frozen=True)
class Input:
    """The input that a model expects from a row."""

    text: TextChoice
    views: tuple[View, ...]
    size_px: int
    heading_up: bool
    """Turn chips so that the street view's heading is at the top."""
    signatures: bool
    tokens: Tokens
    also: TextChoice | None = None
    """A second text of the row."""

    def columns(self) -> list[str]:
        """Parquet paths of the columns that it is made of."""
        pictures = [f"{view}.bytes" for view in self.views]
        signatures = [f"aerial_signatures.{name}" for name in SIGNATURES] if self.signatures else []
        texts = [*text_columns(self.text), *(text_columns(self.also) if self.also else ())]
        return [*dict.fromkeys(texts), *pictures, *signatures]


def make_batch(index: Index, rows: NDArray[np.int64], found: Sequence[Row], wanted: Input) -> Batch:
    """Build a batch from its rows.

    Args:
        index: where headings stand.
        rows: of the index.
        found: the rows as read, in the same order.
        wanted: what goes into the batch.

    Raises:
        MachineError: a picture is damaged.
    """
    turns = [index.turn_deg(int(row)) if wanted.heading_up else None for row in rows]
    batch: Batch = {
        "row": np.asarray(rows, np.int64),
        "text": wanted.tokens([text_of(wanted.text, row) for row in found]),
    }
    if wanted.also is not None:
        batch["also"] = wanted.tokens([text_of(wanted.also, row) for row in found])
    for view in wanted.views:
        batch[view], batch[f"has_{view}"] = _pictures(view, found, turns, wanted.size_px)
    return batch | _signatures(found, turns) if wanted.signatures else batch


def stack(items: Sequence[Batch]) -> Batch:
    """Join the arrays of single rows into a batch."""
    return {name: np.stack([item[name] for item in items]) for name in items[0]}


def unstack(batch: Batch) -> list[Batch]:
    """Split a batch into the arrays of its rows."""
    return [{name: values[at] for name, values in batch.items()} for at in range(len(batch["row"]))]


def _pictures(
    view: View, found: Sequence[Row], turns: Sequence[float | None], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Decode each picture into its place in the batch: one copy of its pixels is made."""
    pixels = np.empty((len(found), 3, side, side), np.uint8)
    has = np.array([row[view] is not None for row in found], np.bool_)
    pixels[~has] = 0
    for at in np.flatnonzero(has).tolist():
        pixels[at] = picture(found[at][view]["bytes"], side, turns[at] if view in REFERENCES else None)
    return pixels, has


def _signatures(found: Sequence[Row], turns: Sequence[float | None]) -> Batch:
    looks = [row["aerial_signatures"] for row in found]
    batch: Batch = {"has_signatures": np.array([look is not None for look in looks], np.bool_)}
    for name, length in SIGNATURES.items():
        rows = [np.asarray(look[name], np.float32) if look else np.zeros(length, np.float32) for look in looks]
        if name == "orientation":
            rows = [
                row if turn is None else turned_orientation(row, turn) for row, turn in zip(rows, turns, strict=True)
            ]
        batch[name] = np.stack(rows)
    return batch
