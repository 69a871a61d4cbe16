"""Build the configured model."""

from typing import Any

from tools.retrieval.models.anchored import Anchored
from tools.retrieval.models.clip import build_clip, load_weights
from tools.retrieval.models.config import CrossText2Loc, GeoBridge, ModelConfig
from tools.retrieval.models.planet import Planet
from tools.retrieval.torch_parts import torch


def build_model(config: ModelConfig, seed: int, *, weights: bool = True) -> tuple[Any, str]:
    """Build the configured model; returns it with its activation.

    Args:
        config: which.
        seed: of the weights that are drawn.
        weights: load those that the configuration names; not where a checkpoint follows.

    Raises:
        ConfigError: there is no such architecture, or weights that do not fit it.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        clip, activation = build_clip(config.clip, config.context)
        if config.weights is not None and weights:
            load_weights(clip, activation, config.weights, config.clip)
        if isinstance(config, CrossText2Loc):
            return Anchored(clip, config.views, image_terms=False, most_scale=config.most_scale), activation
        if isinstance(config, GeoBridge):
            return Anchored(
                clip, config.views, image_terms=config.image_terms, most_scale=config.most_scale
            ), activation
        return Planet(clip, physical=config.physical, most_scale=config.most_scale), activation
