"""Segments by an open-vocabulary detector of transformers, its boxes refined to masks by segment-anything.

The detector (Grounding DINO, OWLv2 or another of transformers' zero-shot object detection models) is asked for the
vocabulary's classes and answers with boxes; segment-anything says which pixels of a box are the thing.
"""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from pipeline.config.perception import GroundedSegments
from pipeline.digest import digest
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.devices import BatchSize, chosen, load_library, load_torch
from pipeline.perception.masks import Bools, Marked, segments
from pipeline.perception.models.listing import listing
from pipeline.perception.models.store import ModelInUse, resolve
from pipeline.perception.torch_models import CHECKPOINT, load_sam, load_transformers, weights_digest
from pipeline.perception.vocabulary import read_vocabulary

VERSION = 2
LABELS_AT_ONCE = 40
"""Grounding DINO reads at most 256 tokens; a class of the vocabulary takes at most five, with its full stop."""
BOX_OVERLAP = 0.7
"""Of two boxes that overlap by more (intersection over union) the surer one stays, whatever they are called."""
MOST_BOXES = 100
"""Maximum number of boxes in a view: the surest are kept."""
_DETECTOR = "perception.segmenters.detector"


@dataclass(frozen=True)
class Box:
    """Where the detector saw what."""

    label: str
    confidence: float
    corners: tuple[float, float, float, float]
    """Left, top, right, bottom, in pixels of the view."""


class GroundedSegmenter:
    """Finds the vocabulary's things; see the module. One call at a time, whatever the number of threads."""

    def __init__(self, config: GroundedSegments) -> None:
        """Loads both models; a name on the hub is downloaded, at the revision given, safetensors only.

        Raises:
            ConfigError: a file or folder named by the configuration is absent, damaged or of another kind.
            MachineError: the extra `perception` is not installed, a GPU is asked for and absent, or the detector
                cannot be downloaded.
        """
        self._config = config
        self._torch = load_torch()
        self.words = read_vocabulary(config.vocabulary)
        self._device = chosen(config.device)
        named = config.detector in listing()
        weights = resolve(config.detector, ("grounded",), _DETECTOR) if named else None
        detector_at = str(weights.files[0].parent) if weights else config.detector
        self._processor, detector = load_transformers(
            "AutoModelForZeroShotObjectDetection", detector_at, config.revision, _DETECTOR,
            "a zero-shot object detection model of transformers, safetensors",
        )  # fmt: skip
        self._detector = detector.to(self._device)
        checkpoint = resolve(config.checkpoint, ("sam",), CHECKPOINT)
        self.models: tuple[ModelInUse, ...] = (*([weights] if weights else []), checkpoint)
        sam = load_sam(checkpoint.files[0], config.model, self._device)
        self._predictor = load_library("segment_anything").SamPredictor(sam)
        self._views = BatchSize(config.batch, "view to be searched")
        self._boxes = BatchSize(config.batch, "box of a view")
        self._lock = threading.Lock()
        mark = weights_digest(detector_at, config.revision)
        self.name = (
            f"grounded {weights.mark if weights else f'{self._detector.config.model_type} {mark}'}, {checkpoint.mark}"
        )
        words = list(self.words.values())
        made = digest(weights.sha256 if weights else mark, checkpoint.sha256, words)
        self._fingerprint = (
            f"{self.name} {config.model} rules {VERSION} {made} {config.min_confidence:g} {self._device} "
            f"torch {version('torch')} transformers {version('transformers')}"
        )

    def fingerprint(self) -> str:
        """Versions, weights, vocabulary and settings, and whether a GPU computes it; not the batch size."""
        return self._fingerprint

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view that do not overlap, in the views' order; within a view the largest first.

        Raises:
            MachineError: memory does not suffice for one view or one box.
        """
        with self._lock:
            found = self._views.map([view.pixels for view in views], self._detect)
            marked = [self._masked(view.pixels, boxes) for view, boxes in zip(views, found, strict=True)]
        return [segments(marks, self.words) for marks in marked]

    def _detect(self, pictures: Sequence[Pixels]) -> list[list[Box]]:
        """Boxes in each picture, the surest first."""
        labels = list(self.words)
        found: list[list[Box]] = [[] for _ in pictures]
        for start in range(0, len(labels), LABELS_AT_ONCE):
            asked = [labels[start : start + LABELS_AT_ONCE]] * len(pictures)
            with self._torch.inference_mode():
                inputs = self._processor(
                    images=[np.array(picture) for picture in pictures],  # torch wants arrays that may be written to
                    text=asked,
                    truncation=True,
                    return_tensors="pt",
                ).to(self._device)
                answers = self._processor.post_process_grounded_object_detection(
                    self._detector(**inputs),
                    threshold=self._config.min_confidence,
                    target_sizes=[picture.shape[:2] for picture in pictures],
                    text_labels=asked,
                )
            for picture, boxes, answer in zip(pictures, found, answers, strict=True):
                boxes.extend(_boxes(answer, asked[0], *picture.shape[:2]))
        return [self._distinct(boxes) for boxes in found]

    def _distinct(self, boxes: Sequence[Box]) -> list[Box]:
        if not boxes:
            return []
        nms = load_library("torchvision").ops.nms
        corners = self._torch.tensor([box.corners for box in boxes])
        kept = nms(corners, self._torch.tensor([box.confidence for box in boxes]), BOX_OVERLAP)
        return [boxes[i] for i in kept.tolist()[:MOST_BOXES]]

    def _masked(self, pixels: Pixels, boxes: Sequence[Box]) -> list[Marked]:
        if not boxes:
            return []
        self._predictor.set_image(pixels)
        masks = self._boxes.map(boxes, lambda some: self._masks(some, pixels.shape[:2]))
        return [Marked(box.label, mask, box.confidence) for box, mask in zip(boxes, masks, strict=True)]

    def _masks(self, boxes: Sequence[Box], shape: tuple[int, ...]) -> list[Bools]:
        corners = self._torch.tensor([box.corners for box in boxes], device=self._device)
        asked = self._predictor.transform.apply_boxes_torch(corners, shape)
        masks, _, _ = self._predictor.predict_torch(None, None, asked, multimask_output=False)
        return list(masks[:, 0].cpu().numpy())


def _boxes(answer: Any, labels: Collection[str], height: int, width: int) -> list[Box]:
    """The boxes of one picture that have a class and cover a pixel of it."""
    found = []
    for phrase, score, corners in zip(
        answer["text_labels"], answer["scores"].tolist(), answer["boxes"].tolist(), strict=True
    ):
        label = named(phrase, labels)
        left, top, right, bottom = np.clip(corners, 0, (width, height, width, height)).tolist()
        if label is not None and right - left >= 1 and bottom - top >= 1:
            found.append(Box(label, min(score, 1.0), (left, top, right, bottom)))
    return found


def named(phrase: str, labels: Collection[str]) -> str | None:
    """The class that a detector's phrase stands for, or None.

    Grounding DINO answers with those words of the question that a box matched: `light` for `traffic light`, `bus stop
    bus` for one that looked like both. A phrase counts where it is a class, or part of one class alone.
    """
    phrase = phrase.strip(" .")  # full stops part the classes of a question
    if phrase in labels:
        return phrase
    words = set(phrase.split())
    holding = [label for label in labels if words and words <= set(label.split())]
    return holding[0] if len(holding) == 1 else None
