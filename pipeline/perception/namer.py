"""Names a mask by an image-text model: by the vocabulary's class whose text lies nearest to the crop."""

import pickle
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from PIL import Image

from pipeline.config.perception import OpenClipLabels, TransformersLabels
from pipeline.digest import digest_file
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.imaging.types import Pixels
from pipeline.perception.devices import BatchSize, load_library, load_torch
from pipeline.perception.masks import Bools
from pipeline.perception.torch_models import DAMAGED, load_transformers, unusable, weights_digest
from pipeline.perception.vocabulary import Term

PROMPT = "a photo of a {}"
MARGIN = 0.15
"""Margin around a mask's box when it is named, as a share of the box's longer side."""
_KEY = "perception.segmenters.labels"


class ImageText(Protocol):
    """An image-text model of whatever library. Embeddings are rows of length 1."""

    fingerprint: str
    sharpness: Any
    """Factor of cosines before the softmax."""

    def texts(self, texts: Sequence[str]) -> Any:
        """Embeddings of texts."""
        ...

    def pictures(self, pictures: Sequence[Image.Image]) -> Any:
        """Embeddings of pictures."""
        ...


class Namer:
    """Names crops with the vocabulary's classes.

    The class whose text (`PROMPT`) lies nearest to the crop wins; the confidence is its share in the softmax over all
    classes. Not safe to call from several threads at once.
    """

    def __init__(
        self, config: OpenClipLabels | TransformersLabels, words: Mapping[str, Term], device: str, batch: int
    ) -> None:
        """Loads the model and embeds the classes.

        Raises:
            ConfigError: an unknown architecture or tag, or weights that are damaged or of another architecture.
            MachineError: the extra `perception` is not installed, or the weights cannot be downloaded.
        """
        self._torch = load_torch()
        self._labels = list(words)
        self._batch = BatchSize(batch, "crop to be named")
        self._model: ImageText = (
            _OpenClip(config, device) if isinstance(config, OpenClipLabels) else _Transformers(config, device)
        )
        with self._torch.inference_mode():
            self._texts = self._model.texts([PROMPT.format(label) for label in self._labels])
        self.fingerprint = f"{self._model.fingerprint} {PROMPT} {MARGIN}"

    def names(self, crops: Sequence[Pixels]) -> list[tuple[str, float]]:
        """Class and confidence of each crop.

        Raises:
            MachineError: memory does not suffice for one crop.
        """
        return self._batch.map(crops, self._names)

    def _names(self, crops: Sequence[Pixels]) -> list[tuple[str, float]]:
        with self._torch.inference_mode():
            pictures = self._model.pictures([Image.fromarray(crop) for crop in crops])
            shares = (self._model.sharpness * pictures @ self._texts.T).softmax(dim=1)
            best, which = shares.max(dim=1)
        return [
            (self._labels[i], float(share)) for i, share in zip(which.cpu().tolist(), best.cpu().tolist(), strict=True)
        ]


class _OpenClip:
    """A model of open_clip."""

    def __init__(self, config: OpenClipLabels, device: str) -> None:
        self._torch, self._device = load_torch(), device
        self._model, self._prepare, self._tokenizer = _open_clip(config, device)
        self.sharpness = self._model.logit_scale.exp()
        file = Path(config.weights)
        weights = digest_file(file) if file.is_file() else config.weights
        self.fingerprint = f"open_clip {version('open_clip_torch')} {config.model} {weights}"

    def texts(self, texts: Sequence[str]) -> Any:
        return self._model.encode_text(self._tokenizer(list(texts)).to(self._device), normalize=True)

    def pictures(self, pictures: Sequence[Image.Image]) -> Any:
        stacked = self._torch.stack([self._prepare(picture) for picture in pictures])
        return self._model.encode_image(stacked.to(self._device), normalize=True)


class _Transformers:
    """A model of transformers."""

    def __init__(self, config: TransformersLabels, device: str) -> None:
        where, allowed = f"{_KEY}.model", "a zero-shot image classification model of transformers, safetensors"
        self._processor, model = load_transformers(
            "AutoModelForZeroShotImageClassification", config.model, config.revision, where, allowed
        )
        self._model, self._device = model.to(device), device
        self.sharpness = self._model.logit_scale.exp()
        self.fingerprint = f"transformers {version('transformers')} {weights_digest(config.model, config.revision)}"

    def texts(self, texts: Sequence[str]) -> Any:
        # SigLIP was trained on texts filled up to its window; to CLIP it makes no difference.
        asked = self._processor(text=list(texts), padding="max_length", truncation=True, return_tensors="pt")
        return _unit(self._model.get_text_features(**asked.to(self._device)))

    def pictures(self, pictures: Sequence[Image.Image]) -> Any:
        shown = self._processor(images=list(pictures), return_tensors="pt")
        return _unit(self._model.get_image_features(**shown.to(self._device)))


def _unit(answer: Any) -> Any:
    features = answer.pooler_output
    return features / features.norm(dim=-1, keepdim=True)


def _open_clip(config: OpenClipLabels, device: str) -> tuple[Any, Any, Any]:
    """Model, preprocessing and tokenizer."""
    open_clip = load_library("open_clip")
    if config.model not in open_clip.list_models():
        raise ConfigError([Problem(f"{_KEY}.model", config.model, "an architecture of open_clip.list_models()")])
    file = Path(config.weights)
    tags = open_clip.list_pretrained_tags_by_model(config.model)
    if not file.is_file() and config.weights not in tags:
        raise ConfigError(
            [Problem(f"{_KEY}.weights", config.weights, f"a file, or one of {', '.join(tags) or 'no tags'}")]
        )
    try:
        model, _, prepare = open_clip.create_model_and_transforms(
            config.model, pretrained=config.weights, weights_only=True, device=device
        )
        tokenizer = open_clip.get_tokenizer(config.model)
    except (*DAMAGED, pickle.PickleError) as error:
        if file.is_file():
            raise unusable(f"{_KEY}.weights", file, error, f"weights of {config.model}") from error
        raise MachineError(
            f"open_clip's {config.model} {config.weights} could not be loaded ({error}): it is downloaded from the "
            "Hugging Face hub; where that cannot be reached, set labels.weights to a local file"
        ) from error
    return model.eval(), prepare, tokenizer


def crop(pixels: Pixels, blurred: Pixels, mask: Bools) -> Pixels:
    """Crop a mask for a model that takes whole pictures: its box with a margin, blurred outside the mask.

    Yang et al. 2023 (Fine-Grained Visual Prompting) found blurring to keep the context that cutting out loses, while
    the model still names the thing and not what is beside it.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = mask.shape
    margin = round(MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0]))
    window = (
        slice(max(0, rows[0] - margin), min(height, rows[-1] + 1 + margin)),
        slice(max(0, columns[0] - margin), min(width, columns[-1] + 1 + margin)),
    )
    return np.where(mask[window][..., None], pixels[window], blurred[window])


def blur(pixels: Pixels) -> Pixels:
    """The picture without detail: a Gaussian of a fiftieth of its long side."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(pixels.shape) / 50), np.uint8)
