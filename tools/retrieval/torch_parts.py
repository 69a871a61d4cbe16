"""Import torch and open_clip, or say what to install."""

from pipeline.errors import MachineError
from pipeline.perception.devices import load_library, load_torch

try:
    torch = load_torch()
    open_clip = load_library("open_clip")
except MachineError as error:
    raise MachineError(
        "training, embedding and explaining need the extra retrieval: pip install 'geoscribe[retrieval]'"
    ) from error
