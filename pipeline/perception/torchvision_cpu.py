"""Makes `import torchvision` work next to a CPU build of torch.

PyPI's torchvision for Linux is linked against the CUDA build of torch. Next to a CPU build its C++ operators do not
load, their schemas are never registered, and the import stops with `operator torchvision::nms does not exist`. EasyOCR
and segment-anything import torchvision, and need of its operators only non-maximum suppression.

On exactly that error `install` declares the schemas of `nms` and `qnms`, gives `nms` a kernel written in NumPy and
imports torchvision again. `roi_align` then runs on torchvision's own Python code; `roi_pool`, `ps_roi_align` and
`deform_conv2d` stay absent. It replaces the private `torchvision.extension._has_ops`, so torchvision is pinned.
"""

import importlib
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MISSING_OPERATOR = "operator torchvision::nms does not exist"
_SCHEMA = "{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_lock = threading.Lock()
_library: list[Any] = []  # the operators are registered for as long as this holds the object that registered them


def install() -> bool:
    """Make torchvision importable; safe to call many times and from any thread.

    Returns:
        True if the operators are this module's, False if torchvision's own work.

    Raises:
        ImportError: torch or torchvision is absent. Any other error of their import passes unchanged.
    """
    torch: Any = importlib.import_module("torch")
    with _lock:
        if _library:
            return True
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if _MISSING_OPERATOR not in str(error):
                raise
        else:
            return False
        _forget()
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(_SCHEMA.format(name=name))
        library.impl("nms", _nms, "CPU")
        try:
            extension: Any = importlib.import_module("torchvision").extension
        except BaseException:
            _forget()
            raise
        extension._has_ops = lambda: True  # asked by batched_nms, which refuses to run without
        _library.append(library)
        return True


def _forget() -> None:
    """Drop half-imported modules."""
    for name in [module for module in sys.modules if module.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


def _nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    torch: Any = importlib.import_module("torch")
    kept = suppressed(boxes.detach().double().numpy(), scores.detach().double().numpy(), iou_threshold)
    return torch.from_numpy(kept)


def suppressed(boxes: NDArray[np.float64], scores: NDArray[np.float64], iou_threshold: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression.

    Args:
        boxes: n x 4, x1, y1, x2, y2.
        scores: n.
        iou_threshold: a box goes when its overlap with a kept one (intersection over union) is greater.

    Returns:
        Indices of the boxes that stay, best score first, equal scores in the order given.
    """
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = boxes.reshape(-1, 4).T
    area = (x2 - x1) * (y2 - y1)
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        width = np.clip(np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]), 0.0, None)
        height = np.clip(np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]), 0.0, None)
        shared = width * height
        # Multiplied out, so that two empty boxes do not divide by zero.
        order = rest[shared <= iou_threshold * (area[best] + area[rest] - shared)]
    return np.array(kept, np.int64)
