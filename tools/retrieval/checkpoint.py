"""Load a trained model from its checkpoint, with the input that it expects."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.config.perception import Device
from pipeline.errors import ConfigError, Problem
from pipeline.perception.devices import chosen
from tools.retrieval.data.batches import Input
from tools.retrieval.models.build import build_model
from tools.retrieval.models.clip import FORMAT, read_checkpoint
from tools.retrieval.train.config import Retrieval
from tools.retrieval.train.setup import input_of


@dataclass(frozen=True)
class Trained:
    """A model in evaluation mode."""

    model: Any
    device: str
    wanted: Input
    config: Retrieval
    """Settings of its training; datasets and run folder are not known."""


def load_trained(path: Path, device: Device = "auto") -> Trained:
    """Load `best.pt` or `last.pt` of a run folder.

    Raises:
        ConfigError: it is absent, damaged, or none of ours. Bare weights of CLIP go into a training file instead.
    """
    found = read_checkpoint(path)
    allowed = "best.pt or last.pt of a run folder (bare weights: name them in a training file, with epochs: 0)"
    if found.get("format") != FORMAT:
        raise ConfigError([Problem("CHECKPOINT", f"{path}, a bare state dict", allowed)])
    settings = found["settings"]
    nowhere = {"name": "loaded", "run": path.parent, "data": {"datasets": ("-",), **settings["data"]}}
    try:
        config = Retrieval.model_validate(settings | nowhere)
    except ValidationError as error:
        raise ConfigError([Problem("CHECKPOINT", f"{path}, of another version of geoscribe", allowed)]) from error
    model, _ = build_model(config.model, 0, weights=False)
    model.load_state_dict(found["model"])
    place = chosen(device)
    return Trained(model.to(place).eval(), place, input_of(config, model), config)
