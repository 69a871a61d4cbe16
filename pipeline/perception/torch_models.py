"""Models that run on torch, loaded from files that may be anything: those of segment-anything and transformers."""

import pickle
from pathlib import Path
from typing import Any

from pipeline.digest import digest, digest_file
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.perception.devices import load_library, load_torch

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


CHECKPOINT = "perception.segmenters.checkpoint"


def unusable(where: str, path: Path, error: Exception, allowed: str) -> ConfigError:
    """The message for a file of weights that cannot be used: the first line of what the library found."""
    said = str(error).strip().split("\n")[0][:200] or type(error).__name__
    return ConfigError([Problem(where, f"{path}: {said}", allowed)])


def load_sam(checkpoint: Path, model: str, device: str) -> Any:
    """A segment-anything model in evaluation mode.

    Args:
        checkpoint: its weights, .pth.
        model: key of segment-anything's registry of architectures.
        device: as torch calls it.

    Raises:
        ConfigError: the file is damaged, or of another architecture.
        MachineError: the extra `perception` is not installed.
    """
    torch, registry = load_torch(), load_library("segment_anything").sam_model_registry
    where, allowed = CHECKPOINT, f"the weights of segment-anything's {model}, a .pth file"
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


def load_transformers(auto: str, name: str, revision: str | None, where: str, allowed: str) -> tuple[Any, Any]:
    """Processor and model of transformers in evaluation mode, from safetensors alone, every weight of it loaded.

    Args:
        auto: the class of transformers that finds the model's own.
        name: a folder, or a name on the Hugging Face hub.
        revision: commit of the hub's model.
        where: the setting that names it.
        allowed: what may stand there, in words.

    Raises:
        ConfigError: the folder is absent, or what it holds is damaged or of another kind.
        MachineError: the extra `perception` is not installed, or the hub cannot be reached.
    """
    transformers = load_library("transformers")
    transformers.utils.logging.disable_progress_bar()
    folder = Path(name)
    local = folder.is_dir()
    if not local and revision is None:
        raise ConfigError([Problem(where, f"no folder {folder}", f"a folder with {allowed}")])
    options = {"revision": revision or "main", "local_files_only": local, "trust_remote_code": False}
    try:
        processor = transformers.AutoProcessor.from_pretrained(name, **options)
        model, loaded = getattr(transformers, auto).from_pretrained(
            name, use_safetensors=True, output_loading_info=True, **options
        )
    except (*DAMAGED, load_library("safetensors").SafetensorError) as error:
        if local:
            raise unusable(where, folder, error, allowed) from error
        raise MachineError(
            f"{name} at {revision} could not be had from the Hugging Face hub ({error}); where it cannot be reached, "
            f"set {where.rpartition('.')[2]} to a folder that holds the model"
        ) from error
    absent = sorted(loaded["missing_keys"])  # transformers would go on with random numbers in their place
    if absent:
        raise ConfigError([Problem(where, f"{name}: no weights for {', '.join(absent[:3])}", allowed)])
    return processor, model.eval()


def weights_digest(name: str, revision: str | None) -> str:
    """Digest of a transformers model: of the bytes of its folder, or of its name and revision on the hub."""
    folder = Path(name)
    if folder.is_dir():
        return digest([digest_file(path) for path in sorted(folder.iterdir()) if path.is_file()])
    return digest(name, revision)
