"""Segments by a closed-set semantic model in ONNX: each pixel's class, as one that was trained on a street data set."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import onnxruntime
import yaml
from numpy.typing import NDArray

from pipeline.config.perception import OnnxSegments
from pipeline.config.strict_yaml import parse_yaml
from pipeline.digest import digest, digest_file
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.masks import Marked, parts, segments
from pipeline.perception.vocabulary import read_vocabulary

VERSION = 2
MULTIPLE_PX = 32
"""Models halve their input up to five times, and many refuse what cannot be halved so often."""
MODEL_KEY, CLASSES_KEY = "perception.segmenter.model", "perception.segmenter.classes"
_SHAPE = "input 1 x 3 x height x width (float32), output 1 x {} x height x width"

Floats = NDArray[np.float32]


class OnnxSegmenter:
    """Names every pixel that the model is sure enough of. Several threads may call it at once.

    A segment's confidence is the mean softmax share of its class over its pixels.
    """

    def __init__(self, config: OnnxSegments) -> None:
        """Loads the model and runs it once.

        Raises:
            ConfigError: a file is absent or damaged, a class is not in the vocabulary, or the model takes or gives
                something else than this engine understands.
            MachineError: a GPU is asked for and absent.
        """
        self._config = config
        self._words = read_vocabulary(config.vocabulary)
        self._classes = self._read_classes()
        self._session = self._load()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._input = inputs[0].name
        shape = inputs[0].shape
        self._fixed = (shape[2], shape[3]) if [type(side) for side in shape[2:]] == [int, int] else None
        allowed = _SHAPE.format(len(self._classes))
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(shape) != 4 or shape[1] not in (3, None, "C"):
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise ConfigError([Problem(MODEL_KEY, f"{config.model} with input {found}", allowed)])
        try:
            tried = self._scores(np.zeros((64, 64, 3), np.uint8), self._fixed or (64, 64))
        except _failures() as error:
            raise ConfigError([Problem(MODEL_KEY, f"{config.model}: {_said(error)}", allowed)]) from error
        if tried.ndim != 4 or tried.shape[:2] != (1, len(self._classes)):
            found = f"{config.model} with output {outputs[0].name} {list(tried.shape)}"
            raise ConfigError([Problem(MODEL_KEY, found, f"{allowed}, one for each entry of {config.classes.name}")])
        self.name = f"onnx {config.model.stem} {digest_file(config.model)[:8]}"

    @cached_property
    def _fingerprint(self) -> str:
        c = self._config
        made = digest(digest_file(c.model), self._classes, list(self._words.values()), c.side_px, c.mean, c.std)
        runtime = f"onnxruntime {onnxruntime.__version__} {self._session.get_providers()[0]}"
        return f"{self.name} rules {VERSION} {runtime} {made} {c.min_confidence:g}"

    def fingerprint(self) -> str:
        """The model's bytes, what runs it, classes, vocabulary, settings; not the threads, which change no answer."""
        return self._fingerprint

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view that do not overlap, in the views' order; within a view the largest first."""
        return [self._segment(view.pixels) for view in views]

    def _segment(self, pixels: Pixels) -> list[Segment]:
        height, width = pixels.shape[:2]
        best = np.zeros((height, width), np.float32)
        which = np.full((height, width), -1, np.int32)
        size = self._fixed or seen_size(height, width, self._config.side_px)
        shares = shares_by_label(self._scores(pixels, size)[0], self._classes)
        for i, share in enumerate(shares.values()):
            full = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
            surer = full > best
            best[surer], which[surer] = full[surer], i
        marked = [
            Marked(label, part, float(best[part].mean()))
            for i, label in enumerate(shares)
            if label is not None
            for part in parts(which == i)
        ]
        return segments([mark for mark in marked if mark.confidence >= self._config.min_confidence], self._words)

    def _scores(self, pixels: Pixels, size: tuple[int, int]) -> Floats:
        """1 x classes x height x width, at the model's own scale, of the picture at a height and width."""
        small = cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)
        scaled = (small.astype(np.float32) / 255 - self._config.mean) / self._config.std
        fed = np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], np.float32)
        return np.asarray(self._session.run(None, {self._input: fed})[0], np.float32)

    def _read_classes(self) -> list[str | None]:
        path = self._config.classes
        try:
            raw = parse_yaml(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            found = f"{path}: {' '.join(str(error).split())}"
            raise ConfigError([Problem(CLASSES_KEY, found, "a YAML list")]) from error
        if not isinstance(raw, list) or not raw:
            raise ConfigError([Problem(CLASSES_KEY, f"{path}: {type(raw).__name__}", "a YAML list of classes")])
        problems = [
            Problem(f"{path}: {i}", repr(entry), "a class of the vocabulary, or null")
            for i, entry in enumerate(raw)
            if entry is not None and not (isinstance(entry, str) and entry in self._words)
        ]
        if problems:
            raise ConfigError(problems)
        return raw

    def _load(self) -> Any:
        path = self._config.model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._config.threads
        options.log_severity_level = 4
        there = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        if self._config.device == "cuda" and not there:
            raise MachineError("device: cuda was asked for, and onnxruntime finds no GPU: install onnxruntime-gpu")
        providers = ["CUDAExecutionProvider"] if there and self._config.device != "cpu" else []
        if not path.is_file():
            raise ConfigError([Problem(MODEL_KEY, f"no file {path}", "a model in ONNX")])
        try:
            return onnxruntime.InferenceSession(path, options, providers=[*providers, "CPUExecutionProvider"])
        except _failures() as error:
            raise ConfigError([Problem(MODEL_KEY, f"{path}: {_said(error)}", "a model in ONNX")]) from error


def seen_size(height: int, width: int, side_px: int) -> tuple[int, int]:
    """Height and width at which the model sees a view: the long side as configured, both multiples of 32."""
    scale = side_px / max(height, width)
    return (
        max(1, round(height * scale / MULTIPLE_PX)) * MULTIPLE_PX,
        max(1, round(width * scale / MULTIPLE_PX)) * MULTIPLE_PX,
    )


def shares_by_label(scores: Floats, classes: Sequence[str | None]) -> dict[str | None, Floats]:
    """Softmax over a model's classes x height x width scores, those of one label added up; None for what has none."""
    powers = np.exp(scores - scores.max(axis=0))
    shares = powers / powers.sum(axis=0)
    found: dict[str | None, Floats] = {}
    for label, share in zip(classes, shares, strict=True):
        found[label] = found[label] + share if label in found else share
    return found


def _failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its exceptions have no common base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoModel,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )


def _said(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
