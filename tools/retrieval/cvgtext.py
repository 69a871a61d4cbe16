"""Adapters between our models and CVG-Text's evaluator, in both directions.

Their `evaluate_clip(model, dataloader, device)` asks a model for `encode_image` and `encode_text`, and a loader for
dictionaries with `image`, `text`, `image_path`, `original_text` and `idx`. It scores whatever satisfies that.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.retrieval.checkpoint import Trained
from tools.retrieval.data.batches import Input
from tools.retrieval.data.index import Index
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import Reference
from tools.retrieval.data.texts import text_columns, text_of
from tools.retrieval.encode import Encoder, batches
from tools.retrieval.evaluate.dataset import cvgtext_paths
from tools.retrieval.torch_parts import open_clip, torch


class ForTheirs(torch.nn.Module):  # type: ignore[misc]  # torch is an extra, and untyped here
    """Gives one of our models the interface that their evaluator expects. Use it with `their_batches`."""

    def __init__(self, trained: Trained, reference: Reference) -> None:
        super().__init__()
        self.model = trained.model
        self._reference = reference

    def encode_image(self, pixels: Any) -> Any:
        """Encode chips."""
        return self.model.encode_view(self._reference, pixels)

    def encode_text(self, ids: Any) -> Any:
        """Encode texts."""
        return self.model.encode_text(ids)


def their_batches(index: Index, wanted: Input, reference: Reference) -> Iterator[dict[str, Any]]:
    """Yield batches as their loader does, of rows with a text and a chip: queries and gallery are the same rows."""
    rows = index.take(index.texts & ~np.isnan(index.side_m[reference]))
    paths = cvgtext_paths(rows)
    for batch in batches(rows, replace(wanted, views=(reference,), signatures=False)):
        numbers = batch["row"]
        (found,) = RowReader(rows, text_columns(wanted.text)).read([numbers])
        yield {
            "image": torch.from_numpy(batch[reference]),
            "text": torch.from_numpy(batch["text"]),
            "image_path": [paths[number] for number in numbers],
            "original_text": [text_of(wanted.text, row) for row in found],
            "idx": torch.from_numpy(numbers),
        }


def their_encoders(model: Any, device: str) -> tuple[Encoder, Encoder]:
    """Text and image encoder of one of their CLIPs, for `tools.retrieval.encode.encode`.

    Pixels are scaled as OpenAI's preprocessing does; that they have the model's size is the caller's to see to.
    """
    mean, std = (
        torch.tensor(values, device=device).reshape(1, 3, 1, 1)
        for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    model.to(device).eval()

    def text(ids: NDArray[Any]) -> NDArray[np.floating]:
        with torch.inference_mode():
            return np.asarray(model.encode_text(torch.from_numpy(ids).to(device)).float().cpu().numpy())

    def image(pixels: NDArray[Any]) -> NDArray[np.floating]:
        with torch.inference_mode():
            scaled = (torch.from_numpy(pixels).to(device).float() / 255 - mean) / std
            return np.asarray(model.encode_image(scaled).float().cpu().numpy())

    return text, image
