"""Compute vectors of a dataset's texts and pictures, with our models or with any pair of encoder functions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.retrieval.data.batches import Batch, Input, make_batch
from tools.retrieval.data.index import Index
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import View
from tools.retrieval.embeddings import Embeddings, embeddings

Encoder = Callable[[NDArray[Any]], NDArray[np.floating]]
"""From token ids (n x context) or pictures (n x 3 x size x size, bytes) to vectors (n x d)."""
_AT_ONCE = 64


def batches(index: Index, wanted: Input, size: int = _AT_ONCE) -> Iterator[Batch]:
    """Iterate over all rows once, in storage order."""
    order = np.lexsort((index.place, index.group))
    parts = [order[first : first + size] for first in range(0, len(order), size)]
    for rows, found in zip(parts, RowReader(index, wanted.columns()).read(parts), strict=True):
        yield make_batch(index, rows, found, wanted)


def encode(
    index: Index, wanted: Input, encode_text: Encoder | None, encode_views: dict[View, Encoder]
) -> dict[str, Embeddings]:
    """Compute the vectors of all rows: `text`, and each view by name. A row without a view has no vector of it.

    Args:
        index: the rows.
        wanted: how texts and pictures are prepared.
        encode_text: None: texts are not needed.
        encode_views: of each view that is needed.

    Raises:
        ConfigError: an encoder gives NaN, or not one vector a row.
        MachineError: a picture is damaged.
    """
    needed = replace(wanted, views=tuple(encode_views), signatures=False, also=None)
    ids: dict[str, list[str]] = {"text": [], **{view: [] for view in encode_views}}
    vectors: dict[str, list[NDArray[np.floating]]] = {name: [] for name in ids}
    for batch in batches(index, needed):
        named = index.ids[batch["row"]]
        if encode_text is not None:
            ids["text"] += named.tolist()
            vectors["text"].append(encode_text(batch["text"]))
        for view, encoder in encode_views.items():
            has = batch[f"has_{view}"]
            if has.any():
                ids[view] += named[has].tolist()
                vectors[view].append(encoder(batch[view][has]))
    return {
        name: embeddings(ids[name], np.concatenate(parts), f"vectors of {name}")
        for name, parts in vectors.items()
        if parts
    }


def model_encoders(model: Any, device: str, views: Sequence[View]) -> tuple[Encoder, dict[View, Encoder]]:
    """Encoder functions of one of our models."""
    from tools.retrieval.torch_parts import torch

    def text(ids: NDArray[Any]) -> NDArray[np.floating]:
        with torch.inference_mode():
            found = model.encode_text(torch.from_numpy(ids).to(device)).float().cpu().numpy()
        return np.asarray(found)

    def of(view: View) -> Encoder:
        def pictures(pixels: NDArray[Any]) -> NDArray[np.floating]:
            with torch.inference_mode():
                return np.asarray(model.encode_view(view, torch.from_numpy(pixels).to(device)).float().cpu().numpy())

        return pictures

    return text, {view: of(view) for view in views}
