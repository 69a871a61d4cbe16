"""Things found by a closed-set detector of the YOLOX kind, each as the box around it.

Ge et al. 2021 (YOLOX): for each cell of three grids, 8, 16 and 32 pixels wide, the model gives a box, an objectness and
a score for each class. Undecoded, a box is (x, y, w, h) with its centre at (cell + (x, y)) x stride and sides of
exp(w, h) x stride. A box's confidence is objectness times its best class's score.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.perception import DetectorModel, DetectorSegments
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.closed_set import SPEC, load
from pipeline.perception.masks import LEAST_SHARE
from pipeline.perception.model_input import Shown
from pipeline.perception.models.store import ModelInUse

VERSION = 1
STRIDES = ((8, 16, 32), (8, 16, 32, 64))
MOST_BOXES = 100
"""Maximum number of boxes in a view: the surest are kept."""

Floats = NDArray[np.float32]


class DetectorSegmenter:
    """Finds the things that the model knows and the vocabulary has. Several threads may call it at once.

    A segment's mask is its box, and two of them may overlap.
    """

    def __init__(self, config: DetectorSegments) -> None:
        """Loads the model and runs it once.

        Raises:
            ConfigError: a file is absent or damaged, a class is not in the vocabulary, or the model takes or gives
                something else than its spec says.
            MachineError: a named model is not there, a GPU is asked for and absent, or the runtime is not installed.
        """
        self._config = config
        closed = load(config, "detector", DetectorModel)
        self.models: tuple[ModelInUse, ...] = (closed.model,)
        self._spec, self.words, self._labels = closed.spec, closed.words, closed.labels
        self._runtime, self._input = closed.runtime, closed.input
        spec, shown, tried = closed.spec, closed.shown, closed.output
        cells = [len(cell_grid(shown.size, strides)[0]) for strides in STRIDES]
        wanted = 5 + len(self._labels)
        if tried.ndim != 3 or tried.shape[2] != wanted or (not spec.decoded and tried.shape[1] not in cells):
            allowed = f"1 x boxes x {wanted} (a box, objectness, the classes of {spec.classes})"
            allowed += "" if spec.decoded else f", {' or '.join(map(str, cells))} boxes for what it is shown"
            raise ConfigError([Problem(SPEC, f"{closed.path} with output {list(tried.shape)}", allowed)])
        self.name = f"detector {closed.model.mark}"

    @cached_property
    def _fingerprint(self) -> str:
        c, spec = self._config, self._spec.model_dump(exclude={"classes"})
        made = digest(self.models[0].sha256, spec, self._labels, list(self.words.values()))
        settings = f"{c.min_confidence:g} {c.min_confidence_lasting:g} {c.overlap:g}"
        return f"{self.name} rules {VERSION} {self._runtime.name} {made} {settings}"

    def fingerprint(self) -> str:
        """The model's bytes, what runs it, classes, vocabulary, settings; not the threads, which change no answer."""
        return self._fingerprint

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """The boxes in each view, in the views' order; within a view the surest first."""
        return [self._segment(view.pixels) for view in views]

    def _segment(self, pixels: Pixels) -> list[Segment]:
        shown = self._input.show(pixels)
        output = np.asarray(self._runtime.run(shown.fed)[0], np.float32)
        boxes = output[:, :4] if self._spec.decoded else decode(output[:, :4], shown.size)
        shares = output[:, 4:5] * output[:, 5:]
        which, best = shares.argmax(axis=1), shares.max(axis=1)
        sure = (best >= self._config.min_confidence) & np.isfinite(boxes).all(axis=1)
        corners, which, best = in_picture(boxes[sure], shown), which[sure], best[sure]
        found = []
        for i in _kept(corners, best, which, self._config):
            label, box = self._labels[which[i]], _whole(corners[i], pixels.shape[:2])
            if label is not None and box is not None and best[i] >= self._least(label):
                mask = np.zeros(pixels.shape[:2], bool)
                mask[box] = True
                if mask.mean() >= LEAST_SHARE:
                    share = round(min(float(best[i]), 1.0), 4)
                    found.append(Segment(label, None, mask, share, self.words[label].lasting, None, box=True))
        return found

    def _least(self, label: str) -> float:
        c = self._config
        return c.min_confidence_lasting if self.words[label].lasting else c.min_confidence


def cell_grid(size: tuple[int, int], strides: Sequence[int]) -> tuple[Floats, Floats]:
    """All cells, finest grid first, row by row: column and row (n x 2), and stride (n x 1)."""
    height, width = size
    cells, sides = [], []
    for stride in strides:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        sides.append(np.full((rows.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(sides).astype(np.float32)


def decode(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Boxes in pixels of what the model saw (n x 4: centre, width, height) from those relative to their cells."""
    strides = next(strides for strides in STRIDES if len(cell_grid(size, strides)[0]) == len(boxes))
    cells, sides = cell_grid(size, strides)
    with np.errstate(over="ignore"):  # a damaged model's box without end is left out by its caller
        return np.concatenate([(boxes[:, :2] + cells) * sides, np.exp(boxes[:, 2:]) * sides], axis=1)


def in_picture(boxes: Floats, shown: Shown) -> NDArray[np.float64]:
    """Left, top, right, bottom in pixels of the picture, of boxes in pixels of what the model saw."""
    centre, half = boxes[:, :2].astype(float), boxes[:, 2:].astype(float) / 2
    corners = np.concatenate([centre - half, centre + half], axis=1)
    return np.asarray((corners - [shown.left, shown.top] * 2) / ([shown.across, shown.down] * 2), float)


def _kept(corners: NDArray[np.float64], best: Floats, which: NDArray[Any], config: DetectorSegments) -> list[int]:
    """Boxes that no surer box of their class overlaps, the surest first."""
    if not len(corners):
        return []
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        sides.tolist(), best.tolist(), which.tolist(), config.min_confidence, config.overlap, top_k=MOST_BOXES
    )
    return sorted(np.asarray(kept, int).ravel().tolist(), key=lambda i: (-float(best[i]), i))


def _whole(corners: NDArray[np.float64], size: tuple[int, int]) -> tuple[slice, slice] | None:
    """The pixels of a box, or None if it has none in the picture."""
    left, top, right, bottom = np.rint(np.clip(corners, 0, (size[1], size[0]) * 2)).astype(int).tolist()
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None
