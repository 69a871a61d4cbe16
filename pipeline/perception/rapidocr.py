"""Text on street photos, read by RapidOCR (PP-OCRv6 small). The weights are in the package; nothing is downloaded."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config.perception import RapidOcr
from pipeline.errors import MachineError
from pipeline.imaging.types import Pixels
from pipeline.perception.base import TextBox, View
from pipeline.perception.noise import text_box
from pipeline.perception.openvino_session import OpenVinoSession
from pipeline.perception.second_reading import with_second_reading

SHORT_SIDE_PX = 960
"""Views are scaled up to this: on 1024 x 768 photos it finds more small signs than 736 or 1280, at 0.5 s a view."""
LONG_SIDE_PX = 2000
"""And never beyond this, which bounds memory for views of any shape."""

_RULES = 2  # raise when the filters in `pipeline.perception.noise` or `.text` change
_WEIGHTS = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
_MEND = "pip install 'rapidocr>=3.10' 'onnxruntime>=1.31'"


class RapidOcrEngine:
    """Reads Latin, Chinese and Japanese text. Hangul and other scripts come out as rubbish of low confidence.

    Several threads may read at once: sessions of onnxruntime are safe to share, and RapidOCR keeps no state between
    calls beyond settings that are the same in each.
    """

    def __init__(self, config: RapidOcr) -> None:
        try:
            import rapidocr
            from rapidocr import RapidOCR  # a lazy name: only this loads its dependencies
        except ImportError as error:
            raise MachineError(f"the OCR engine cannot be loaded ({error}): {_MEND}") from error
        folder = Path(rapidocr.__file__).parent / "models"
        self._weights = {stage: folder / file for stage, file in _WEIGHTS.items()}
        for path in self._weights.values():
            if not path.is_file():
                raise MachineError(f"{path.name} is missing from the rapidocr package: {_MEND} --force-reinstall")
        self._config = config
        self.name = f"rapidocr {version('rapidocr')}"
        self._reader: Any = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.text_score": config.min_confidence,
                "Global.max_side_len": LONG_SIDE_PX,
                # The classifier for upside-down lines costs 15 % and turned no corpus sign the right way round.
                "Global.use_cls": False,
                # Scaling is done below. The package's own, by the short side, has no bound for a narrow picture.
                "Det.limit_type": "max",
                "Det.limit_side_len": LONG_SIDE_PX,
                # RapidOCR takes all cores when asked for more than there are.
                "EngineConfig.onnxruntime.intra_op_num_threads": min(config.threads, os.cpu_count() or 1),
                **{f"{stage}.model_path": str(path) for stage, path in self._weights.items()},
            }
        )
        _normalise_by_table(self._reader)
        self._runtime = f"onnxruntime {version('onnxruntime')}"
        if config.runtime == "openvino":
            self._runtime = self._run_by_openvino()

    @cached_property
    def _fingerprint(self) -> str:
        weights = blake2b(b"".join(path.read_bytes() for path in self._weights.values()), digest_size=8).hexdigest()
        return f"{self.name} rules {_RULES} {self._runtime} {weights} {self._config.min_confidence:g}"

    def _run_by_openvino(self) -> str:
        """Put other sessions in place of those that RapidOCR made; the recogniser keeps the alphabet that it read."""
        settings = (self._config.precision, min(self._config.threads, os.cpu_count() or 1))
        detector, recogniser = (OpenVinoSession(self._weights[stage], *settings) for stage in ("Det", "Rec"))
        self._reader._load_det_model().session = detector
        self._reader._load_rec_model().session = recogniser
        return detector.name

    def fingerprint(self) -> str:
        """Package and runtime versions, weights and settings; not the number of threads, which changes no answer."""
        return self._fingerprint

    def read(self, views: Sequence[View]) -> list[list[TextBox]]:
        """Text boxes of each view, in the views' order; within a view from the top, then from the left."""
        return [self._read(view.pixels) for view in views]

    def _read(self, pixels: Pixels) -> list[TextBox]:
        height, width = pixels.shape[:2]
        scale = min(max(1.0, SHORT_SIDE_PX / min(height, width)), LONG_SIDE_PX / max(height, width))
        bgr: Pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        if scale != 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            how = cv2.INTER_CUBIC if scale > 1.0 else cv2.INTER_AREA
            bgr = np.asarray(cv2.resize(bgr, size, interpolation=how), np.uint8)
        found = with_second_reading(self._boxes(bgr), bgr, self._boxes)
        ratio = np.array([width / bgr.shape[1], height / bgr.shape[0]])
        return [replace(box, polygon=_scaled(box.polygon, ratio)) for box in found]

    def _boxes(self, bgr: Pixels) -> list[TextBox]:
        """The text boxes read in a picture at the scale that it has."""
        answer = self._reader(bgr)
        if answer.boxes is None:
            return []
        height, width = bgr.shape[:2]
        boxes = (
            text_box(words, float(confidence), np.asarray(corners, float), width, height)
            for words, confidence, corners in zip(answer.txts, answer.scores, answer.boxes, strict=True)
        )
        return [box for box in boxes if box is not None]


def _normalise_by_table(reader: Any) -> None:
    """Let RapidOCR's detector look up the 256 values of a channel, where it would compute each pixel in float64."""
    detector = reader._load_det_model()
    preparing = detector.get_preprocess()
    every = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    table = preparing.normalize(every).astype(np.float32)[None]
    preparing.normalize = lambda pixels: cv2.LUT(pixels, table)
    detector.get_preprocess = lambda: preparing  # keeps no state between calls


def _scaled(polygon: Sequence[float], ratio: NDArray[np.float64]) -> tuple[float, ...]:
    points = np.asarray(polygon, float).reshape(-1, 2) * ratio
    return tuple(points.round(2).ravel().tolist())
