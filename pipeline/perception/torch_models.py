"""Models that run on torch, loaded from files that may be anything: segment-anything's, and open_clip's as a namer."""

import pickle
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipeline.config_perception import ClipLabels
from pipeline.digest import digest_file
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.perception.devices import BatchSize, load_library, load_torch
from pipeline.perception.masks import Bools
from pipeline.perception.vocabulary import Term
from pipeline.sources.base import Pixels

PROMPT = "a photo of a {}"
MARGIN = 0.15
"""What is seen around a mask's box when it is named, as a share of the box's longer side."""

# What torch, safetensors and open_clip raise on a file that is damaged, no weights, or of another model.
DAMAGED = (
    RuntimeError,
    pickle.UnpicklingError,
    EOFError,
    OSError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
)


def unusable(where: str, path: Path, error: Exception, allowed: str) -> ConfigError:
    """What to say of a file of weights that cannot be used: the first line of what the library found."""
    said = str(error).strip().split("\n")[0][:200] or type(error).__name__
    return ConfigError([Problem(where, f"{path}: {said}", allowed)])


def load_sam(checkpoint: Path, model: str, device: str) -> Any:
    """A segment-anything model in evaluation mode.

    Args:
        checkpoint: its weights, .pth.
        model: key of segment-anything's registry of architectures.
        device: as torch calls it.

    Raises:
        ConfigError: the file is absent, damaged, or of another architecture.
        MachineError: the extra `perception` is not installed.
    """
    torch, registry = load_torch(), load_library("segment_anything").sam_model_registry
    where, allowed = "perception.segmenter.checkpoint", f"the weights of segment-anything's {model}, a .pth file"
    if not checkpoint.is_file():
        raise ConfigError([Problem(where, f"no file {checkpoint}", allowed)])
    sam = registry[model]()
    try:
        weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
        fits = isinstance(weights, dict) and {k: v.shape for k, v in weights.items()} == {
            k: v.shape for k, v in sam.state_dict().items()
        }
    except DAMAGED as error:
        raise unusable(where, checkpoint, error, allowed) from error
    if not fits:
        raise ConfigError([Problem(where, f"{checkpoint}: other tensors than {model} has", allowed)])
    sam.load_state_dict(weights)
    return sam.eval().to(device)


class ClipNamer:
    """Names crops with the vocabulary's classes, by an image-text model of open_clip.

    The class whose text (`PROMPT`) lies nearest to the crop wins; the confidence is its share in the softmax over all
    classes. Not safe to call from several threads at once.
    """

    def __init__(self, config: ClipLabels, words: Mapping[str, Term], device: str, batch: int) -> None:
        """Loads the model and embeds the classes.

        Raises:
            ConfigError: an unknown architecture or tag, or a file that is damaged or of another architecture.
            MachineError: open_clip is absent, or the weights cannot be downloaded.
        """
        self._torch = load_torch()
        self._device = device
        self._labels = list(words)
        self._batch = BatchSize(batch, "crop to be named")
        self._model, self._prepare, tokenizer = _open_clip(config, device)
        with self._torch.inference_mode():
            texts = tokenizer([PROMPT.format(label) for label in self._labels]).to(device)
            self._texts = self._model.encode_text(texts, normalize=True)
        file = Path(config.weights)
        weights = digest_file(file) if file.is_file() else config.weights
        self.fingerprint = f"open_clip {version('open_clip_torch')} {config.model} {weights} {PROMPT} {MARGIN}"

    def names(self, crops: Sequence[Pixels]) -> list[tuple[str, float]]:
        """Class and confidence of each crop.

        Raises:
            MachineError: memory does not suffice for one crop.
        """
        return self._batch.map(crops, self._names)

    def _names(self, crops: Sequence[Pixels]) -> list[tuple[str, float]]:
        with self._torch.inference_mode():
            pictures = self._torch.stack([self._prepare(Image.fromarray(crop)) for crop in crops]).to(self._device)
            features = self._model.encode_image(pictures, normalize=True)
            shares = (self._model.logit_scale.exp() * features @ self._texts.T).softmax(dim=1)
            best, which = shares.max(dim=1)
        return [
            (self._labels[i], float(share)) for i, share in zip(which.cpu().tolist(), best.cpu().tolist(), strict=True)
        ]


def _open_clip(config: ClipLabels, device: str) -> tuple[Any, Any, Any]:
    """Model, preprocessing and tokenizer."""
    open_clip = load_library("open_clip")
    where = "perception.segmenter.labels"
    if config.model not in open_clip.list_models():
        raise ConfigError([Problem(f"{where}.model", config.model, "an architecture of open_clip.list_models()")])
    file = Path(config.weights)
    tags = open_clip.list_pretrained_tags_by_model(config.model)
    if not file.is_file() and config.weights not in tags:
        raise ConfigError(
            [Problem(f"{where}.weights", config.weights, f"a file, or one of {', '.join(tags) or 'no tags'}")]
        )
    try:
        model, _, prepare = open_clip.create_model_and_transforms(
            config.model, pretrained=config.weights, weights_only=True, device=device
        )
        tokenizer = open_clip.get_tokenizer(config.model)
    except (*DAMAGED, pickle.PickleError) as error:
        if file.is_file():
            raise unusable(f"{where}.weights", file, error, f"weights of {config.model}") from error
        raise MachineError(
            f"open_clip's {config.model} {config.weights} could not be loaded ({error}): it is downloaded from the "
            "Hugging Face hub; where that cannot be reached, set labels.weights to a local file"
        ) from error
    return model.eval(), prepare, tokenizer


def crop(pixels: Pixels, blurred: Pixels, mask: Bools) -> Pixels:
    """What a mask shows, for a model that takes whole pictures: its box with a margin, blurred outside the mask.

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
