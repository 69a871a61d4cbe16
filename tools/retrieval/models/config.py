"""Configuration of a model."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section
from tools.retrieval.data.select import View

Activation = Literal["quick_gelu", "gelu"]


class Shape(Section):
    """Sizes of a custom CLIP."""

    embed: Annotated[int, Field(ge=8, le=4_096)]
    """Width of the vectors."""
    image_px: Annotated[int, Field(ge=16, le=1_024)]
    vision_layers: Annotated[int, Field(ge=1, le=64)] | tuple[int, int, int, int]
    """Blocks of a vision transformer; four numbers: of the stages of CLIP's ResNet."""
    vision_width: Annotated[int, Field(ge=8, le=4_096)]
    patch_px: Annotated[int, Field(ge=2, le=64)] = 16
    text_layers: Annotated[int, Field(ge=0, le=64)]
    """Blocks of the text tower. 0: the words' vectors in any order, joined as `text_pooling` says (`models.bag`)."""
    text_pooling: Literal["mean", "max"] = "mean"
    """For a text tower without blocks. `max`: of each feature the largest value among the words, which further words
    do not thin out."""
    text_width: Annotated[int, Field(ge=8, le=4_096)]
    text_heads: Annotated[int, Field(ge=1, le=64)]
    activation: Activation = "quick_gelu"


class Weights(Section):
    """Initial weights of a model."""

    file: Path | None = None
    """A state dict of CLIP's names, such as a released CrossText2Loc checkpoint, or a checkpoint of ours."""
    activation: Activation | None = None
    """What a file's model was trained with, which nothing in a bare state dict tells: OpenAI's CLIP and all that is
    tuned from it, CrossText2Loc among it, `quick_gelu`."""
    pretrained: str | None = None
    """A tag of open_clip (`openai`), which downloads it."""

    @model_validator(mode="after")
    def _one(self) -> "Weights":
        if (self.file is None) == (self.pretrained is None):
            raise ValueError("either file or pretrained")
        return self


class _Clip(Section):
    clip: str | Shape = "ViT-L-14-336-quickgelu"
    """One of open_clip's architectures by name, or sizes."""
    context: Annotated[int, Field(ge=8, le=1_024)] = 300
    """Text tokens, start and end marks included. A longer table than that of the weights is interpolated from it."""
    weights: Weights | None = None
    most_scale: Annotated[float, Field(gt=1)] | None = 100.0
    """The largest factor that cosines are multiplied with in the loss; None: as large as it grows."""


class CrossText2Loc(_Clip):
    """Text against a view from above (CVG-Text, arXiv 2412.17007), or against several, each with a tower of its own."""

    family: Literal["crosstext2loc"]
    views: Annotated[tuple[View, ...], Field(min_length=1)] = ("aerial",)


class GeoBridge(_Clip):
    """Drone, street and aerial view with text as the anchor (GeoLoc, arXiv 2512.02697)."""

    family: Literal["geobridge"]
    views: Annotated[tuple[View, ...], Field(min_length=2)] = ("drone", "street", "aerial")
    image_terms: bool = True
    """Hold the views against each other, too; without it, against the text alone."""


class Planet(_Clip):
    """CrossText2Loc whose text must also tell the aerial chip's colours, structure and texture (CORE, 2603.08491)."""

    family: Literal["planet"]
    views: tuple[Literal["aerial"]] = ("aerial",)
    physical: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the physical loss (lambda)."""

    @model_validator(mode="after")
    def _attends(self) -> "Planet":
        if isinstance(self.clip, Shape) and not self.clip.text_layers:
            raise ValueError("text_layers of 1 or more: its queries attend to what the text tower makes of each token")
        return self


ModelConfig = Annotated[CrossText2Loc | GeoBridge | Planet, Field(discriminator="family")]
