"""One process of several that compute a loss and its gradient together: `python -m tests.retrieval.one_of_two OUT`.

Started by `test_losses` with torchrun's environment variables; the first process writes what came out.
"""

import sys
from typing import Any

from tools.retrieval.losses import average_gradients, gather_all, gather_nothing
from tools.retrieval.models.build import build_model
from tools.retrieval.models.config import CrossText2Loc, GeoBridge, ModelConfig, Planet, Shape
from tools.retrieval.torch_parts import torch
from tools.retrieval.train.devices import placed

ROWS = 12
SHAPE = Shape(
    embed=16, image_px=16, vision_layers=1, vision_width=32, patch_px=8, text_layers=1, text_width=32, text_heads=1
)
CONFIGS: tuple[ModelConfig, ...] = (
    CrossText2Loc(family="crosstext2loc", clip=SHAPE, context=16),
    GeoBridge(family="geobridge", clip=SHAPE, context=16, views=("drone", "aerial")),
    Planet(family="planet", clip=SHAPE, context=16, physical=0.5),
)


def whole_batch() -> tuple[dict[str, Any], Any]:
    """Rows of which some lack a view, and which of them are negatives of each other."""
    random = torch.Generator().manual_seed(3)
    batch: dict[str, Any] = {"text": torch.randint(1, 49000, (ROWS, 16), generator=random)}
    batch["text"][:, 9] = 49407
    batch["text"][:, 10:] = 0
    for view in ("drone", "aerial"):
        batch[view] = torch.randint(0, 256, (ROWS, 3, 16, 16), generator=random).to(torch.uint8)
        batch[f"has_{view}"] = torch.rand(ROWS, generator=random) > 0.25
    for name, length in (("colour", 48), ("orientation", 18), ("spectrum", 32)):
        batch[name] = torch.rand(ROWS, length, generator=random)
    batch["has_signatures"] = torch.rand(ROWS, generator=random) > 0.25
    overlap = torch.rand(ROWS, ROWS, generator=random) > 0.8
    return batch, ~(overlap | overlap.T)


def gradients(config: ModelConfig, rank: int, world: int) -> dict[str, Any]:
    """Loss terms and gradients of the process's share of the batch, averaged over the processes."""
    model, _ = build_model(config, seed=5)
    batch, negative = whole_batch()
    own = slice(rank * ROWS // world, (rank + 1) * ROWS // world)
    share = {name: values[own] for name, values in batch.items()}
    terms = model.losses(share, negative, gather_all if world > 1 else gather_nothing)
    terms["loss"].backward()
    if world > 1:
        average_gradients(model)
    found = {f"term {name}": value.detach() for name, value in terms.items()}
    for name, parameter in model.named_parameters():
        found[name] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
    return found


if __name__ == "__main__":
    with placed("cpu", "fp32") as place:
        found = [gradients(config, place.rank, place.world) for config in CONFIGS]
        if place.first:
            torch.save(found, sys.argv[1])
