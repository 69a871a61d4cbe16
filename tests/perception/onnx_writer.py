"""A semantic model as an ONNX file, written byte by byte: the package `onnx` is not needed to run one.

Protocol buffers: a field is its number times 8 plus its kind (0 number, 2 bytes), then the value; numbers stand in
groups of seven bits, lowest first. Field numbers are those of onnx.proto.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Dimension = int | str


def colour_model(
    references: NDArray[np.float64], *, shrink: int = 4, shape: Sequence[Dimension] = (1, 3, "height", "width")
) -> bytes:
    """A model that scores each class by how near a pixel's colour lies to the class's own.

    A 1 x 1 convolution (the squared distance without the part that is the same for all classes) and a mean over
    `shrink` x `shrink` pixels, so that the output is of another scale than the input.

    Args:
        references: classes x 3, RGB from 0 to 1.
        shrink: input pixels an output pixel, each way.
        shape: of the input; names for sides that may have any length.
    """
    sharp = 60.0
    weights = (2 * sharp * references).astype(np.float32).reshape(-1, 3, 1, 1)
    biases = (-sharp * (references**2).sum(axis=1)).astype(np.float32)
    sides = [shrink, shrink]
    nodes = [
        _node("Conv", ["image", "weights", "biases"], "near", []),
        _node("AveragePool", ["near"], "scores", [("kernel_shape", sides), ("strides", sides)]),
    ]
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "colours")
    graph += _bytes(5, _tensor("weights", weights)) + _bytes(5, _tensor("biases", biases))
    graph += _bytes(11, _value("image", shape)) + _bytes(12, _value("scores", (1, len(references), "h", "w")))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, 17))


def _node(kind: str, inputs: Iterable[str], output: str, attributes: Iterable[tuple[str, list[int]]]) -> bytes:
    made = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
    for name, values in attributes:
        made += _bytes(5, _text(1, name) + b"".join(_number(8, value) for value in values) + _number(20, 7))
    return made


def _tensor(name: str, values: NDArray[np.float32]) -> bytes:
    shape = b"".join(_number(1, side) for side in values.shape)
    return shape + _number(2, 1) + _text(8, name) + _bytes(9, values.astype("<f4").tobytes())


def _value(name: str, shape: Sequence[Dimension]) -> bytes:
    sides = b"".join(_bytes(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, sides)))


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, content: bytes) -> bytes:
    return _groups(field * 8 + 2) + _groups(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _groups(field * 8) + _groups(value)


def _groups(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])
