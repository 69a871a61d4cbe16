"""Judge a relevance by deletion and insertion: remove words or parts of the picture, and put them back, in its order.

Deletion takes the most relevant first: the similarity should fall fast. Insertion starts with nothing and puts the most
relevant first: it should rise fast. Each is the mean similarity on the way (the area under the curve), and is held
against orders drawn at random, as any order does something (Petsiuk, Das and Saenko, BMVC 2018).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.retrieval.checkpoint import Trained
from tools.retrieval.data.select import View
from tools.retrieval.explain.relevance import Floats, Relevance
from tools.retrieval.torch_parts import torch

Score = Callable[[Sequence[NDArray[np.bool_]]], Floats]
"""Similarities with only some of the parts: given which are kept, one row a case."""
_STEPS = 12
_RANDOM = 24


@dataclass(frozen=True)
class Judged:
    """Areas under the similarity curves of one text and picture, for the relevance and for random orders on average."""

    deletion: float
    deletion_random: float
    insertion: float
    insertion_random: float

    @property
    def gain(self) -> float:
        """Advantage over random orders in both tests together; above 0 if the relevance carries information."""
        return (self.deletion_random - self.deletion) + (self.insertion - self.insertion_random)


def judge_words(
    trained: Trained, ids: NDArray[np.int64], view: View, pixels: NDArray[np.uint8], found: Relevance, seed: int = 0
) -> Judged:
    """Judge the relevance of words; a deleted word is removed from the text."""
    picture = _views(trained, view, pixels[None])[0]
    end = int(ids.argmax())

    def score(kept: Sequence[NDArray[np.bool_]]) -> Floats:
        rows = np.zeros((len(kept), len(ids)), np.int64)
        for at, keep in enumerate(kept):
            tokens = [t for word, stays in zip(found.words, keep, strict=True) if stays for t in word.tokens]
            row = [ids[0], *ids[sorted(tokens)], ids[end]]
            rows[at, : len(row)] = row
        with torch.inference_mode():
            vectors = trained.model.encode_text(torch.from_numpy(rows).to(trained.device)).float().cpu().numpy()
        return np.asarray(vectors @ picture, np.float64)

    return _judge(found.of_words, score, seed)


def judge_picture(
    trained: Trained, ids: NDArray[np.int64], view: View, pixels: NDArray[np.uint8], found: Relevance, seed: int = 0
) -> Judged | None:
    """Judge the relevance of picture parts; a deleted part gets the picture's mean colour. None without a relevance."""
    if found.of_picture is None:
        return None
    with torch.inference_mode():
        text = trained.model.encode_text(torch.from_numpy(ids[None]).to(trained.device)).float().cpu().numpy()[0]
    grid, side = found.of_picture.shape, pixels.shape[1]
    mean = pixels.mean(axis=(1, 2), keepdims=True).round().astype(np.uint8)

    def score(kept: Sequence[NDArray[np.bool_]]) -> Floats:
        masks = [np.kron(keep.reshape(grid), np.ones((side // grid[0], side // grid[1]), np.bool_)) for keep in kept]
        return np.asarray(_views(trained, view, np.stack([np.where(mask, pixels, mean) for mask in masks])) @ text)

    return _judge(found.of_picture.ravel(), score, seed)


def _judge(relevance: Floats, score: Score, seed: int) -> Judged:
    random = np.random.Generator(np.random.Philox(key=seed))
    orders = [np.argsort(-relevance, kind="stable"), *(random.permutation(len(relevance)) for _ in range(_RANDOM))]
    steps = np.unique(np.linspace(0, len(relevance), min(_STEPS, len(relevance)) + 1).round().astype(int))
    cases = []
    for order in orders:
        for step in steps:
            keep = np.ones(len(relevance), np.bool_)
            keep[order[:step]] = False
            cases += [keep, ~keep]
    areas = score(cases).reshape(len(orders), len(steps), 2).mean(axis=1)
    others = areas[1:].mean(axis=0)
    return Judged(float(areas[0, 0]), float(others[0]), float(areas[0, 1]), float(others[1]))


def _views(trained: Trained, view: View, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        found = trained.model.encode_view(view, torch.from_numpy(pixels).to(trained.device)).float().cpu().numpy()
    return np.asarray(found, np.float32)
