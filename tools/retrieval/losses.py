"""Contrastive losses over the batches of all processes; overlapping places are not negatives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.geo.overlaps import Overlaps, find_overlaps
from tools.retrieval.data.index import Index
from tools.retrieval.data.select import Reference
from tools.retrieval.torch_parts import torch

Tensor = Any
"""torch.Tensor; torch is an extra."""
Gather = Callable[[Tensor], Tensor]
"""From this process's rows to those of all processes, in the order of the processes."""


def info_nce(a: Tensor, b: Tensor, scale: Tensor, negative: Tensor) -> Tensor:
    """Symmetric InfoNCE (van den Oord et al. 2018; CLIP): row i of `a` belongs to row i of `b`.

    Args:
        a: n x d, of length 1.
        b: n x d, of length 1.
        scale: what cosines are multiplied with.
        negative: n x n; where it is False, the pair is no negative and takes no part. The diagonal does not matter.

    Returns:
        The mean cross-entropy in nats, 0 of no rows.
    """
    if not len(a):
        return a.sum() * 0
    with torch.autocast(a.device.type, enabled=False):  # half precision cannot tell large logits apart
        logits = scale.float() * a.float() @ b.float().T
    own = torch.eye(len(a), dtype=torch.bool, device=a.device)
    logits = logits.masked_fill(~(negative | own), float("-inf"))
    right = torch.arange(len(a), device=a.device)
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2


def gather_nothing(rows: Tensor) -> Tensor:
    """Return the rows unchanged: for a single process."""
    return rows


def gather_all(rows: Tensor) -> Tensor:
    """Concatenate the rows of all processes; gradients flow back to each process.

    Every process computes the loss of the whole batch, so that a row's gradient comes back once from each: averaged
    over the processes, as `average_gradients` does, it is that of one process with the whole batch.
    """
    return _GatherAll.apply(rows) if rows.requires_grad else _gathered(rows)


class _GatherAll(torch.autograd.Function):  # type: ignore[misc]  # torch is an extra, and untyped here
    @staticmethod
    def forward(_context: Any, rows: Tensor) -> Tensor:
        return _gathered(rows)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        whole = gradient.contiguous()
        torch.distributed.all_reduce(whole)
        return whole.chunk(torch.distributed.get_world_size())[torch.distributed.get_rank()]


def _gathered(rows: Tensor) -> Tensor:
    parts = [torch.empty_like(rows) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def average_gradients(model: Any) -> None:
    """Average gradients over all processes; a missing gradient counts as 0."""
    world = torch.distributed.get_world_size()
    for parameter in model.parameters():
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= world


@dataclass(frozen=True)
class Negatives:
    """Decides which rows of a dataset may be negatives of each other."""

    index: Index
    references: tuple[Reference, ...]
    """The views from above that the model takes."""
    most_overlap: float
    """Rows whose chips overlap by more than this share are no negatives of each other."""

    @cached_property
    def _stated(self) -> Overlaps:
        assert self.index.overlaps is not None
        return self.index.overlaps.above(self.most_overlap)

    def among(self, rows: Tensor) -> Tensor:
        """Mask of negatives among some rows, n x n: False for rows that overlap and for the same row drawn twice."""
        chosen = rows.cpu().numpy()
        overlapping = chosen[:, None] == chosen
        if self.index.overlaps is not None:
            place = {int(row): at for at, row in enumerate(chosen)}
            for at, row in enumerate(chosen.tolist()):
                overlapping[at, [place[other] for other in self._stated.of(row).tolist() if other in place]] = True
        else:
            found = find_overlaps(self.index.chips(*self.references)[chosen], self.most_overlap)
            overlapping[np.repeat(np.arange(len(chosen)), np.diff(found.start)), found.other] = True
        return torch.from_numpy(~overlapping).to(rows.device)
