"""A model of RapidOCR run by OpenVINO, several threads at once, in float32 or bfloat16."""

import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MachineError

MEND = "pip install 'geoscribe[openvino]'"


@cache
def _core() -> Any:
    """OpenVINO's `Core`: one for the process, and kept to its end.

    Each has a CPU plugin, which puts a signal stack of its own in the thread's place for it and unmaps it when it goes.
    After two that went in the order in which they came, the thread's signal stack is no memory: the next signal that
    Python handles, a child's end or Ctrl-C, is the kernel's SIGSEGV.
    """
    from openvino import Core

    return Core()


class OpenVinoSession:
    """Takes the place of RapidOCR's own session, whose single request two threads may not share."""

    def __init__(self, weights: Path, precision: Literal["f32", "bf16"], threads: int) -> None:
        """Compile a model.

        Args:
            weights: ONNX.
            precision: of the numbers computed with.
            threads: that a call uses.

        Raises:
            MachineError: OpenVINO is not installed, or this processor does not compute in bfloat16 itself. OpenVINO
                would compute in float32 without a word, with other results.
        """
        try:
            core = _core()
        except ImportError as error:
            raise MachineError(f"OpenVINO cannot be loaded ({error}): {MEND}, or `runtime: onnxruntime`") from error
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise MachineError("this processor does not compute in bfloat16: set `precision: f32` for rapidocr")
        self.name = f"openvino {version('openvino')} {precision}"
        self._model: Any = core.compile_model(
            core.read_model(weights),
            "CPU",
            {
                # Left out, the hint lets processors that have bfloat16 choose it.
                "INFERENCE_PRECISION_HINT": precision,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                # Sessions of several workers would be pinned to the same core.
                "ENABLE_CPU_PINNING": False,
            },
        )
        self._of_thread = threading.local()

    def __call__(self, fed: NDArray[np.float32]) -> NDArray[np.float32]:
        """The model's first output."""
        request = getattr(self._of_thread, "request", None)
        if request is None:
            request = self._of_thread.request = self._model.create_infer_request()
        request.infer([fed])
        return np.array(request.get_output_tensor(0).data)  # a copy: the next call writes to the same place
