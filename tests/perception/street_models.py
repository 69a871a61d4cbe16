"""Engines with the corpus's real weights: 150 classes of street segmentation, and a detector of 80."""

from pathlib import Path
from typing import Any


def street_models(corpus: Path) -> list[dict[str, Any]]:
    """`perception.segmenters` of a build file: `deeplab-ade20k` in ONNX, which needs no extra, and `yolox-nano`."""
    weights = corpus / "weights"
    return [
        {
            "engine": "semantic", "model": str(weights / "ade20k_mnv2_513.onnx"),
            "spec": {
                "classes": "ade20k", "background": True,
                "input": {"scale": 1 / 127.5, "mean": [1, 1, 1], "std": [1, 1, 1]},
            },
        },
        {
            "engine": "detector", "model": str(weights / "yolox_nano_416.onnx"),
            "spec": {
                "classes": "coco",
                "input": {"scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1], "colours": "bgr", "fit": "top-left"},
            },
        },
    ]  # fmt: skip
