"""Runs a closed-set model: onnxruntime for .onnx, LiteRT for .tflite. Both take an array and give arrays."""

import os
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from queue import LifoQueue
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pipeline.config.perception import Device
from pipeline.errors import ConfigError, MachineError, Problem

_KINDS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


@dataclass(frozen=True)
class ModelInputShape:
    """Shape and layout of a model's one input."""

    sides: tuple[int | None, ...]
    """Length of each axis; None for what may have any."""
    kind: str
    """Type of its numbers: float32, float16 or uint8."""


class Runtime(Protocol):
    """A loaded model. Several threads may call it at once."""

    name: str
    """Library, version, and what computes."""
    input: ModelInputShape

    def run(self, fed: NDArray[Any]) -> NDArray[Any]:
        """The model's first output.

        Raises:
            RuntimeFault: it cannot work on such an array.
        """
        ...


class RuntimeFault(Exception):  # noqa: N818 - it is one: the model's, not ours
    """The library's error for an input that the model cannot take."""


def load_runtime(path: Path, device: Device, threads: int, where: str) -> Runtime:
    """A model, ready to run.

    Args:
        path: .onnx or .tflite.
        device: a GPU computes .onnx alone, with the package onnxruntime-gpu.
        threads: that a call uses.
        where: the setting that names the file.

    Raises:
        ConfigError: the file is damaged, of another kind, or its input is not one of numbers that pictures are made of.
        MachineError: a GPU is asked for and absent, or .tflite and LiteRT is not installed.
    """
    if path.suffix == ".tflite":
        return _LiteRt(path, device, threads, where)
    return _Onnx(path, device, threads, where)


class _Onnx:
    def __init__(self, path: Path, device: Device, threads: int, where: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        there = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
        if device == "cuda" and not there:
            raise MachineError("device: cuda was asked for, and onnxruntime finds no GPU: install onnxruntime-gpu")
        providers = ["CUDAExecutionProvider"] if there and device != "cpu" else []
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=[*providers, "CPUExecutionProvider"])
        except _onnx_failures() as error:
            raise ConfigError([Problem(where, f"{path}: {_said(error)}", "a model in ONNX")]) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _KINDS:
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise ConfigError([Problem(where, f"{path} with input {found}", f"one input of {', '.join(_KINDS)}")])
        self._name = inputs[0].name
        sides = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
        self.input = ModelInputShape(sides, _KINDS[inputs[0].type])
        self.name = f"onnxruntime {onnxruntime.__version__} {self._session.get_providers()[0]}"

    def run(self, fed: NDArray[Any]) -> NDArray[Any]:
        """See `Runtime`."""
        try:
            return np.asarray(self._session.run(None, {self._name: fed})[0])
        except _onnx_failures() as error:
            raise RuntimeFault(_said(error)) from error


class _LiteRt:
    """An interpreter serves one call at a time, so there are as many as calls at once, up to the number of cores."""

    def __init__(self, path: Path, device: Device, threads: int, where: str) -> None:
        if device == "cuda":
            raise MachineError(f"device: cuda was asked for, and {path.name} is computed by the CPU alone: set auto")
        self._threads = threads
        self._interpreters: LifoQueue[Any] = LifoQueue()
        try:
            self._make: Any = import_module("ai_edge_litert.interpreter").Interpreter
        except ImportError as error:
            raise MachineError(
                f"{path.name} needs LiteRT ({error}): pip install 'geoscribe[litert]', or take a model in ONNX"
            ) from error
        self._content = path.read_bytes()
        try:
            first = self._ready()
        except (ValueError, RuntimeError) as error:
            raise ConfigError([Problem(where, f"{path}: {_said(error)}", "a model in TFLite")]) from error
        inputs = first.get_input_details()
        kind = np.dtype(inputs[0]["dtype"]).name
        sides = tuple(int(side) for side in inputs[0]["shape_signature"])
        if len(inputs) != 1 or kind not in _KINDS.values() or min(sides) < 1:
            found = ", ".join(f"{i['name']} {np.dtype(i['dtype']).name} {list(i['shape_signature'])}" for i in inputs)
            raise ConfigError([Problem(where, f"{path} with input {found}", "one input of a fixed size")])
        self.input = ModelInputShape(sides, kind)
        self.name = f"ai-edge-litert {version('ai-edge-litert')}"
        self._interpreters.put(first)
        for _ in range((os.cpu_count() or 1) - 1):
            self._interpreters.put(None)  # made when it is first needed: those made lie above

    def run(self, fed: NDArray[Any]) -> NDArray[Any]:
        """See `Runtime`."""
        interpreter = self._interpreters.get()
        try:
            interpreter = interpreter or self._ready()
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], fed)
            interpreter.invoke()
            return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
        except (ValueError, RuntimeError) as error:
            raise RuntimeFault(_said(error)) from error
        finally:
            self._interpreters.put(interpreter)

    def _ready(self) -> Any:
        interpreter = self._make(model_content=self._content, num_threads=self._threads)
        interpreter.allocate_tensors()
        return interpreter


def _onnx_failures() -> tuple[type[Exception], ...]:
    """The exceptions of onnxruntime, which have no common base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoModel,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )


def _said(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
