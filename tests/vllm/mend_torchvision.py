"""Lets PyPI's torchvision be imported beside a torch without CUDA: `python mend_torchvision.py`, once after installing.

PyPI's wheel for Linux is linked against CUDA; with a torch for CPUs its operators do not load, and the import ends at
the first description of one of them. Only the operators' signatures are missed there: the image processors of the
Qwen-VL models use none of them. They are declared here, in the installed file itself, as vLLM starts processes of its
own.
"""

import importlib.util
from pathlib import Path

FIRST = '@torch.library.register_fake("torchvision::nms")'
DECLARED = """# Declared by geoscribe, for a torch without CUDA.
if not torchvision.extension._has_ops():
    for _name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{_name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

"""


def mend() -> None:
    """Declare them, unless they are declared."""
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    file = Path(spec.origin).parent / "_meta_registrations.py"
    text = file.read_text()
    if "torch.library.define" in text:
        return
    assert text.count(FIRST) == 1, f"{file} is not the one that this was written for"
    file.write_text(text.replace(FIRST, DECLARED + FIRST))


if __name__ == "__main__":
    mend()
