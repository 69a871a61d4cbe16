"""Segments by a closed-set semantic model, which gives each pixel one of the classes that it was trained on."""

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.perception import SemanticModel, SemanticSegments
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.closed_set import SPEC, load
from pipeline.perception.fronts import settled
from pipeline.perception.masks import Marked, parts, segments, sides
from pipeline.perception.model_input import Shown
from pipeline.perception.models.store import ModelInUse
from pipeline.perception.plausible import plausible
from pipeline.perception.second_look import Floats, Shares, seen_twice

VERSION = 4
MOST_SCORES = 12_000_000
"""Every second row and column of a larger map of scores is used: models give it enlarged four or eight times."""

Labels = Sequence[str | None]


class SemanticSegmenter:
    """Names every pixel that the model is sure enough of. Several threads may call it at once.

    A segment's confidence is the mean share of its class over its pixels, or the spec's certainty where the model gives
    classes without scores.
    """

    def __init__(self, config: SemanticSegments) -> None:
        """Loads the model and runs it once.

        Raises:
            ConfigError: a file is absent or damaged, a class is not in the vocabulary, or the model takes or gives
                something else than its spec says.
            MachineError: a named model is not there, a GPU is asked for and absent, or the runtime is not installed.
        """
        self._config = config
        closed = load(config, "semantic", SemanticModel)
        self.models: tuple[ModelInUse, ...] = (closed.model,)
        self._spec, self.words, self._labels = closed.spec, closed.words, closed.labels
        self._runtime, self._input = closed.runtime, closed.input
        tried = closed.output
        if not _is_class_map(tried) and _class_axis(tried, len(self._labels), self._input.layout) is None:
            allowed = f"a class a pixel, or scores of {len(self._labels)} classes, as {self._spec.classes} has"
            raise ConfigError([Problem(SPEC, f"{closed.path} with output {list(tried.shape)}", allowed)])
        self._certainty = self._spec.certainty if _is_class_map(tried) else None
        self.name = f"semantic {closed.model.mark}"

    @cached_property
    def _fingerprint(self) -> str:
        spec, sha = self._spec.model_dump(exclude={"classes"}), self.models[0].sha256
        made = digest(sha, spec, self._labels, list(self.words.values()), self._config.second_look)
        return f"{self.name} rules {VERSION} {self._runtime.name} {made} {self._config.min_confidence:g}"

    def fingerprint(self) -> str:
        """The model's bytes, what runs it, classes, vocabulary, settings; not the threads, which change no answer."""
        return self._fingerprint

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view that do not overlap, in the views' order; within a view the largest first."""
        return [self._segment(view.pixels) for view in views]

    def _segment(self, pixels: Pixels) -> list[Segment]:
        shares = seen_twice(self._shares, pixels) if self._config.second_look else self._shares(pixels)
        marked = [
            Marked(label, part, float(share[part].mean()) if self._certainty is None else self._certainty)
            for label, mask, share in winners(shares)
            for whole in parts(mask)
            for part in (sides(whole) if self.words[label].group == "building" else [whole])
        ]
        sure = [mark for mark in marked if mark.confidence >= self._config.min_confidence]
        return settled(plausible(segments(sure, self.words), pixels, self.words), pixels, self.words)

    def _shares(self, pixels: Pixels) -> Shares:
        """The share of each label at each pixel of a picture."""
        shown = self._input.show(pixels)
        output = self._runtime.run(shown.fed)
        if self._certainty is not None:
            shares = class_shares(_class_map(output), self._labels)
        else:
            axis = _class_axis(output, len(self._labels), self._input.layout)
            assert axis is not None
            scores = np.moveaxis(output[0], axis - 1, -1).astype(np.float32, copy=False)
            shares = shares_by_label(scores, self._labels, softmax=self._spec.scores == "logits")
        return {label: at_picture_size(share, shown, pixels.shape[:2]) for label, share in shares.items()}


def shares_by_label(scores: Floats, labels: Labels, *, softmax: bool) -> dict[str | None, Floats]:
    """The share of each label that is the likeliest somewhere, height x width; None for classes that are not told.

    Args:
        scores: height x width x classes.
        labels: of the classes; the shares of one label's classes are added up.
        softmax: whether the scores are any numbers, and not shares already.
    """
    if scores.size > MOST_SCORES:
        scores = scores[::2, ::2]
    if softmax:
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
    names = list(dict.fromkeys(labels))
    member = np.array([[label == name for name in names] for label in labels], np.float32)
    added = scores @ member
    return {names[i]: np.ascontiguousarray(added[..., i]) for i in np.unique(added.argmax(axis=-1)).tolist()}


def class_shares(classes: NDArray[np.int64], labels: Labels) -> dict[str | None, Floats]:
    """The same from a height x width map of classes: each share is 0 or 1. What is no class is not told."""
    known = np.array([*labels, None], object)
    named = known[np.where((classes >= 0) & (classes < len(labels)), classes, len(labels))]
    return {label: np.asarray(named == label, np.float32) for label in dict.fromkeys(named.ravel().tolist())}


def at_picture_size(share: Floats, shown: Shown, size: tuple[int, int]) -> Floats:
    """A label's shares at the size, height and width, of the picture that the model was shown, without what was filled.

    The model's map may be of another scale than what it was shown.
    """
    down, across = share.shape[0] / shown.size[0], share.shape[1] / shown.size[1]
    matrix = np.array(
        [
            [shown.across * across, 0, shown.left * across + (shown.across * across - 1) / 2],
            [0, shown.down * down, shown.top * down + (shown.down * down - 1) / 2],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    mapped = cv2.warpAffine(share, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(mapped, np.float32)


def winners(shares: Shares) -> list[tuple[str, NDArray[np.bool_], Floats]]:
    """Label, mask and share of what is likeliest where, at the picture's size; without what is not told."""
    size = next(iter(shares.values())).shape
    best = np.zeros(size, np.float32)
    which = np.full(size, -1, np.int32)
    for i, share in enumerate(shares.values()):
        surer = share > best
        best[surer], which[surer] = share[surer], i
    return [(label, which == i, share) for i, (label, share) in enumerate(shares.items()) if label is not None]


def _is_class_map(output: NDArray[np.generic]) -> bool:
    """1 x height x width, or one channel of it: a class a pixel."""
    return output.ndim == 3 or (
        output.ndim == 4 and 1 in (output.shape[1], output.shape[3]) and output.dtype.kind in "iu"
    )


def _class_map(output: NDArray[np.generic]) -> NDArray[np.int64]:
    """Height x width: the class of each pixel."""
    single = output[0] if output.ndim == 3 else np.moveaxis(output[0], 0 if output.shape[1] == 1 else 2, 0)[0]
    return np.asarray(np.rint(single.astype(np.float64)), np.int64)


def _class_axis(output: NDArray[np.generic], count: int, layout: str) -> int | None:
    """Which axis of a map of scores has the classes; where both could, the one that the input's order has."""
    if output.ndim != 4 or output.shape[0] != 1:
        return None
    fitting = [axis for axis in (1, 3) if output.shape[axis] == count]
    mine = 1 if layout == "nchw" else 3
    return mine if mine in fitting else next(iter(fitting), None)
