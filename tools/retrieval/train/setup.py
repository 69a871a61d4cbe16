"""Set up a training: input, rows, optimizer."""

import logging
from typing import Any

from pipeline.errors import ConfigError, Problem
from tools.retrieval.data.batches import Input
from tools.retrieval.data.index import Index, read_index
from tools.retrieval.models.clip import image_px
from tools.retrieval.models.config import Planet
from tools.retrieval.models.tokens import ClipTokens
from tools.retrieval.torch_parts import torch
from tools.retrieval.train.config import Retrieval

log = logging.getLogger(__name__)


def input_of(config: Retrieval, model: Any) -> Input:
    """Input that the model expects from a row."""
    return Input(
        text=config.data.text,
        views=config.views,
        size_px=image_px(model.clip),
        heading_up=config.data.heading_up,
        signatures=isinstance(config.model, Planet),
        tokens=ClipTokens(config.model.context),
        also=config.data.also,
    )


def training_rows(config: Retrieval) -> tuple[Index, Index]:
    """Read the training and validation rows; log how many are left out, and why."""
    data, found = config.data, []
    for name in ("train", "val"):
        try:
            index = read_index(
                data.datasets, getattr(data, name), views=config.views, heading_up=data.heading_up, text=data.text
            )
        except ConfigError as error:
            raise ConfigError([_under(f"data.{name}", problem) for problem in error.problems]) from error
        for reason, count in index.left_out.items():
            log.warning("data.%s: %d of %d rows left out: %s", name, count, count + len(index), reason)
        long = index.longer_than(data.text, config.model.context)
        if long:
            log.warning(
                "data.%s: %d of %d texts are longer than the model's %d tokens and are cut",
                name, long, len(index), config.model.context,
            )  # fmt: skip
        found.append(index)
    shared = set(found[0].ids.tolist()) & set(found[1].ids.tolist())
    if shared:
        said = f"{len(shared)} rows that are trained on, such as {min(shared)}"
        raise ConfigError([Problem("data.val", said, "rows of another split or region")])
    return found[0], found[1]


def _under(prefix: str, problem: Problem) -> Problem:
    where = problem.where if problem.where == "datasets" else f"{prefix}.{problem.where}"
    return Problem(where, problem.found, problem.allowed)


def optimizer_of(config: Retrieval, model: Any) -> Any:
    """Create Adam as in the papers, or AdamW without weight decay on scalars, biases and norms."""
    settings = config.train
    if settings.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    flat = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    rest = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    groups = [{"params": rest, "weight_decay": settings.weight_decay}, {"params": flat, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)
