"""Device, precision and process group of a training."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.perception.devices import chosen
from tools.retrieval.torch_parts import torch

Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class Place:
    """Device, precision and rank of this process."""

    device: str
    """As torch calls it."""
    precision: Precision
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def computing(self) -> AbstractContextManager[Any]:
        """Context in which the forward pass runs in half precision, if configured."""
        if self.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self.precision == "bf16" else torch.float16
        return torch.autocast(self.device.partition(":")[0], dtype=kind)  # type: ignore[no-any-return]  # untyped

    def scaler(self) -> Any:
        """Gradient scaler, active in fp16 only."""
        return torch.amp.GradScaler(self.device.partition(":")[0], enabled=self.precision == "fp16")

    def wait(self) -> None:
        """Wait for all processes."""
        if self.world > 1:
            torch.distributed.barrier()


@contextmanager
def placed(
    device: Literal["auto", "cpu", "cuda"], precision: Literal["auto", "fp32", "bf16", "fp16"]
) -> Iterator[Place]:
    """Set up this process; under `torchrun` it joins the process group.

    Raises:
        ConfigError: fp16 on a CPU.
        MachineError: a GPU was asked for and there is none.
    """
    kind = chosen(device)
    if kind == "cpu" and precision == "fp16":
        raise ConfigError([Problem("train.precision", "fp16 on a CPU", "fp32 or bf16")])
    how: Precision = precision if precision != "auto" else _best(kind)
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if world == 1:
        yield Place(kind, how)
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        if local >= torch.cuda.device_count():
            raise MachineError(f"process {local} of this machine has no GPU of its own: start fewer with torchrun")
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Place(f"cuda:{local}" if kind == "cuda" else "cpu", how, rank, world)
    finally:
        torch.distributed.destroy_process_group()


def _best(kind: str) -> Precision:
    if kind == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
