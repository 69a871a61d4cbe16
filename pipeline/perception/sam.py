"""Segments by segment-anything's automatic masks, each named by an image-text model.

Kirillov et al. 2023 (Segment Anything): masks of whatever stands apart, without names. The model and its thresholds
are the library's own; what this module adds is the naming, and the choice among masks that overlap.
"""

import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from pipeline.config.perception import SamSegments
from pipeline.digest import digest
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.devices import BatchSize, chosen, load_library
from pipeline.perception.masks import LEAST_SHARE, Bools, Marked, segments
from pipeline.perception.models.store import ModelInUse, resolve
from pipeline.perception.namer import Namer, blur, crop
from pipeline.perception.torch_models import CHECKPOINT, load_sam
from pipeline.perception.vocabulary import read_vocabulary

VERSION = 2


class SamSegmenter:
    """Names every mask of a view; see the module. One view at a time, whatever the number of threads."""

    def __init__(self, config: SamSegments) -> None:
        """Loads both models.

        Raises:
            ConfigError: a file named by the configuration is absent, damaged or of another kind.
            MachineError: the extra `perception` is not installed, a GPU is asked for and absent, or weights cannot be
                downloaded.
        """
        self._config = config
        self.words = read_vocabulary(config.vocabulary)
        device = chosen(config.device)
        checkpoint = resolve(config.checkpoint, ("sam",), CHECKPOINT)
        self.models: tuple[ModelInUse, ...] = (checkpoint,)
        self._sam = load_sam(checkpoint.files[0], config.model, device)
        self._namer = Namer(config.labels, self.words, device, config.batch)
        self._points = BatchSize(config.batch, "point of a view")
        self._lock = threading.Lock()
        self.name = f"segment-anything {version('segment-anything')} {checkpoint.mark}"
        words = digest(list(self.words.values()))
        settings = f"{config.model} {config.points_per_side} {config.min_confidence:g} {device}"
        self._fingerprint = (
            f"{self.name} rules {VERSION} {checkpoint.sha256} {settings} "
            f"torch {version('torch')} vocabulary {words} {self._namer.fingerprint}"
        )

    def fingerprint(self) -> str:
        """Versions, weights, vocabulary and settings, and whether a GPU computes it; not the batch size."""
        return self._fingerprint

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view that do not overlap, in the views' order; within a view the largest first.

        Raises:
            MachineError: memory does not suffice for one point or one crop.
        """
        return [self._segment(view.pixels) for view in views]

    def _segment(self, pixels: Pixels) -> list[Segment]:
        blurred = blur(pixels)
        with self._lock:
            masks = [mask for mask in self._masks(pixels) if mask.mean() >= LEAST_SHARE]
            names = self._namer.names([crop(pixels, blurred, mask) for mask in masks])
        marked = [
            Marked(label, mask, confidence)
            for mask, (label, confidence) in zip(masks, names, strict=True)
            if confidence >= self._config.min_confidence
        ]
        return segments(marked, self.words)

    def _masks(self, pixels: Pixels) -> list[Bools]:
        generator = load_library("segment_anything").SamAutomaticMaskGenerator

        def generate(points: int) -> list[dict[str, Any]]:
            side = self._config.points_per_side
            found: list[dict[str, Any]] = generator(self._sam, side, points).generate(pixels)
            return found

        return [mark["segmentation"] for mark in self._points.attempt(generate)]
