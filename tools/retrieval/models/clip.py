"""Build open_clip's CLIP, and load weights into it completely or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, Problem
from pipeline.perception.torch_models import DAMAGED, unusable
from tools.retrieval.models.bag import BagOfWords
from tools.retrieval.models.config import Activation, Shape, Weights
from tools.retrieval.torch_parts import open_clip, torch

VOCABULARY = 49_408
POSITIONS = "positional_embedding"
"""Name of the text tower's table of positions."""
FORMAT = "geoscribe-retrieval-1"
"""Stands in checkpoints of ours."""
_NOT_WEIGHTS = {"input_resolution", "context_length", "vocab_size"}
"""Numbers that OpenAI's archives keep among the weights."""


def build_clip(architecture: str | Shape, context: int) -> tuple[Any, Activation]:
    """Build a CLIP with random weights; returns it with its activation.

    Raises:
        ConfigError: open_clip has no plain CLIP of that name.
    """
    if isinstance(architecture, Shape):
        return _of_shape(architecture, context), architecture.activation
    known = open_clip.get_model_config(architecture)
    if known is None or not {*known} <= {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"}:
        allowed = "an architecture of open_clip with CLIP's own towers, as ViT-L-14-336-quickgelu, or sizes"
        raise ConfigError([Problem("model.clip", repr(architecture), allowed)])
    text = {**known["text_cfg"], "context_length": context}
    quick = bool(known.get("quick_gelu"))
    clip = open_clip.CLIP(known["embed_dim"], known["vision_cfg"], text, quick_gelu=quick)
    return clip, "quick_gelu" if quick else "gelu"


def _of_shape(shape: Shape, context: int) -> Any:
    vision = {
        "image_size": shape.image_px, "layers": shape.vision_layers, "width": shape.vision_width,
        "patch_size": shape.patch_px, "head_width": min(64, shape.vision_width),
    }  # fmt: skip
    text = {
        "context_length": context, "vocab_size": VOCABULARY, "width": shape.text_width, "heads": shape.text_heads,
        "layers": max(1, shape.text_layers),
    }  # fmt: skip
    quick = shape.activation == "quick_gelu"
    if shape.text_layers:
        return open_clip.CLIP(shape.embed, vision, text, quick_gelu=quick)
    return BagOfWords(shape.embed, vision, text, quick_gelu=quick, pooling=shape.text_pooling)


def image_px(clip: Any) -> int:
    """Side of the input pictures in pixels."""
    size = clip.visual.image_size
    return int(size[0] if isinstance(size, tuple) else size)


def load_weights(clip: Any, activation: Activation, weights: Weights, architecture: str | Shape) -> None:
    """Load initial weights; the table of text positions is interpolated if the model's is longer.

    Raises:
        ConfigError: the file is absent, damaged, of another architecture or another activation.
    """
    if weights.pretrained is not None:
        if not isinstance(architecture, str):
            allowed = "a file: the shape is of one's own"
            raise ConfigError([Problem("model.weights.pretrained", weights.pretrained, allowed)])
        found = open_clip.create_model(architecture, pretrained=weights.pretrained).state_dict()
        fill(clip, found, f"open_clip's {architecture}, {weights.pretrained}")
        return
    assert weights.file is not None
    stated = read_checkpoint(weights.file)
    trained = stated.get("activation", weights.activation)
    if trained != activation:
        found = f"weights of a model with {trained or 'an activation that is not said'}"
        allowed = f"{activation}, which the model of model.clip has (say it in model.weights.activation)"
        raise ConfigError([Problem("model.weights", found, allowed)])
    fill(clip, stated["clip"], str(weights.file))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file of weights: `clip` is a state dict with CLIP's names; our checkpoints hold more.

    Raises:
        ConfigError: it is absent, damaged or no state dict.
    """
    where, allowed = "model.weights.file", "a state dict of CLIP's names, saved by torch, or a checkpoint of ours"
    if not path.is_file():
        raise ConfigError([Problem(where, f"no file {path}", allowed)])
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        raise unusable(where, path, error, allowed) from error
    if isinstance(found, dict) and found.get("format") == FORMAT:
        clip = {key.removeprefix("clip."): v for key, v in found["model"].items() if key.startswith("clip.")}
        return found | {"clip": clip}
    for wrapper in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ConfigError([Problem(where, f"{path}: {type(found).__name__} of other things than tensors", allowed)])
    return {"clip": {key.removeprefix("module."): value for key, value in found.items() if key not in _NOT_WEIGHTS}}


def fill(clip: Any, found: Mapping[str, Any], where: str) -> None:
    """Load a state dict that must match the model tensor by tensor.

    Raises:
        ConfigError: a tensor is missing, over, or of another shape, or the table of positions is too long.
    """
    wanted = clip.state_dict()
    filled = dict(found)
    table, own = filled.get(POSITIONS), wanted[POSITIONS]
    if table is not None and table.ndim == 2 and table.shape[1] == own.shape[1] and len(table) != len(own):
        if len(table) > len(own):
            allowed = f"model.context: {len(table)}"
            raise ConfigError([Problem("model.context", f"{len(own)}, the weights have {len(table)}", allowed)])
        open_clip.model.resize_text_pos_embed(filled, clip)
    faults = [
        *(f"no {key}" for key in wanted.keys() - filled.keys()),
        *(f"{key}, which the model has not" for key in filled.keys() - wanted.keys()),
        *(
            f"{key} of {tuple(filled[key].shape)} for {tuple(wanted[key].shape)}"
            for key in wanted.keys() & filled.keys()
            if filled[key].shape != wanted[key].shape
        ),
    ]
    if faults:
        shown = "; ".join(sorted(faults)[:3]) + ("; ..." if len(faults) > 3 else "")
        found_text = f"{where}: {len(faults)} tensors that do not fit ({shown})"
        raise ConfigError([Problem("model.weights", found_text, "weights of the architecture of model.clip")])
    clip.load_state_dict({key: value.to(wanted[key].dtype) for key, value in filled.items()})
