"""Models as ONNX files, written byte by byte: the package `onnx` is not needed to run one.

Protocol buffers: a field is its number times 8 plus its kind (0 number, 2 bytes), then the value; numbers stand in
groups of seven bits, lowest first. Field numbers are those of onnx.proto.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Dimension = int | str
_KINDS = {"float32": 1, "uint8": 2, "int64": 7, "float16": 10}


def colour_model(
    references: NDArray[np.float64],
    *,
    shrink: int = 4,
    shape: Sequence[Dimension] = (1, 3, "height", "width"),
    kind: str = "float32",
    class_map: bool = False,
    last: bool = False,
) -> bytes:
    """A model that scores each class by how near a pixel's colour lies to the class's own.

    A 1 x 1 convolution (the squared distance without the part that is the same for all classes) and a mean over
    `shrink` x `shrink` pixels, so that the output is of another scale than the input.

    Args:
        references: classes x 3, RGB from 0 to 1.
        shrink: input pixels an output pixel, each way.
        shape: of the input; names for sides that may have any length. With three at its end, channels come last.
        kind: of the input's numbers; bytes are from 0 to 255, all others from 0 to 1.
        class_map: give the likeliest class a pixel and no scores.
        last: give the scores with the classes as the last axis.
    """
    sharp = 60.0
    full = 255.0 if kind == "uint8" else 1.0
    weights = (2 * sharp * references / full).astype(np.float32).reshape(-1, 3, 1, 1)
    biases = (-sharp * (references**2).sum(axis=1)).astype(np.float32)
    nodes = [_node("Cast", ["image"], "numbers", {"to": _KINDS["float32"]})]
    here = "numbers"
    if len(shape) == 4 and shape[3] == 3:
        nodes.append(_node("Transpose", [here], "channels_first", {"perm": [0, 3, 1, 2]}))
        here = "channels_first"
    nodes += [
        _node("Conv", [here, "weights", "biases"], "near", {}),
        _node("AveragePool", ["near"], "scores", {"kernel_shape": [shrink] * 2, "strides": [shrink] * 2}),
    ]
    sides: tuple[Dimension, ...] = (1, len(references), "h", "w")
    output, output_kind = "scores", "float32"
    if class_map:
        nodes.append(_node("ArgMax", ["scores"], "classes", {"axis": 1, "keepdims": 0}))
        output, sides, output_kind = "classes", (1, "h", "w"), "int64"
    elif last:
        nodes.append(_node("Transpose", ["scores"], "last", {"perm": [0, 2, 3, 1]}))
        output, sides = "last", (1, "h", "w", len(references))
    tensors = [_tensor("weights", weights), _tensor("biases", biases)]
    return _model(nodes, tensors, _value("image", shape, kind), _value(output, sides, output_kind))


def constant_model(output: NDArray[np.float32], shape: Sequence[Dimension]) -> bytes:
    """A model that gives the same whatever it is shown."""
    nodes = [_node("Identity", ["always"], "output", {})]
    return _model(nodes, [_tensor("always", output)], _value("images", shape), _value("output", output.shape))


def _model(nodes: Iterable[bytes], tensors: Iterable[bytes], given: bytes, gives: bytes) -> bytes:
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "model")
    graph += b"".join(_bytes(5, tensor) for tensor in tensors) + _bytes(11, given) + _bytes(12, gives)
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, 17))


def _node(kind: str, inputs: Iterable[str], output: str, attributes: Mapping[str, int | list[int]]) -> bytes:
    made = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
    for name, value in attributes.items():
        if isinstance(value, int):
            made += _bytes(5, _text(1, name) + _number(3, value) + _number(20, 2))
        else:
            made += _bytes(5, _text(1, name) + b"".join(_number(8, one) for one in value) + _number(20, 7))
    return made


def _tensor(name: str, values: NDArray[np.float32]) -> bytes:
    shape = b"".join(_number(1, side) for side in values.shape)
    return shape + _number(2, 1) + _text(8, name) + _bytes(9, values.astype("<f4").tobytes())


def _value(name: str, shape: Sequence[Dimension], kind: str = "float32") -> bytes:
    sides = b"".join(_bytes(1, _text(2, side) if isinstance(side, str) else _number(1, side)) for side in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, _KINDS[kind]) + _bytes(2, sides)))


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
