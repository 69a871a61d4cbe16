"""Checkpoints of a training: everything needed to resume bit for bit, and the best weights."""

import os
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.perception.torch_models import DAMAGED
from tools.retrieval.models.clip import FORMAT
from tools.retrieval.torch_parts import torch

LAST, BEST = "last.pt", "best.pt"


def keep(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Write a checkpoint atomically.

    Raises:
        MachineError: the disk is full or not writable.
    """
    temporary = folder / f".{name}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    except OSError as error:
        raise MachineError(f"cannot write {folder / name}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def kept(folder: Path, name: str, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Read a checkpoint of this training; None if there is none yet.

    Raises:
        ConfigError: it is damaged, or of a training with other settings.
    """
    path = folder / name
    if not path.is_file():
        return None
    allowed = "the run folder of this configuration, or a new one"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        said = str(error).split("\n")[0][:200] or type(error).__name__
        raise ConfigError([Problem("run", f"{path}: {said}", allowed)]) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ConfigError([Problem("run", f"{path}, which is no checkpoint of this version", allowed)])
    other = sorted(key for key in settings if found["settings"].get(key) != settings[key])
    if other:
        raise ConfigError([Problem("run", f"{path}, of a training with other {', '.join(other)}", allowed)])
    return found


def random_state() -> dict[str, Any]:
    """State of torch's random generators."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Restore what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
