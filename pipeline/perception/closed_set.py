"""Loads a closed-set model, whose classes are those that it was trained on, and runs it once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from numpy.typing import NDArray

from pipeline.config.perception import DetectorModel, DetectorSegments, SemanticModel, SemanticSegments
from pipeline.errors import ConfigError, Problem
from pipeline.perception.class_map import class_labels
from pipeline.perception.model_input import ModelInput, Shown
from pipeline.perception.models.store import ModelInUse, resolve
from pipeline.perception.runtime import Runtime, RuntimeFault, load_runtime
from pipeline.perception.vocabulary import Term, read_vocabulary

MODEL, SPEC = "perception.segmenters.model", "perception.segmenters.spec"

SpecT = TypeVar("SpecT", DetectorModel, SemanticModel)


@dataclass(frozen=True)
class ClosedSetModel(Generic[SpecT]):
    """A model that ran once, with what its output means."""

    model: ModelInUse
    path: Path
    spec: SpecT
    words: Mapping[str, Term]
    """The vocabulary."""
    labels: Sequence[str | None]
    """The vocabulary's word for each class; None for a class that is not told."""
    runtime: Runtime
    input: ModelInput
    shown: Shown
    """The small black picture of the first run."""
    output: NDArray[Any]
    """Result of the first run."""


def load(
    config: DetectorSegments | SemanticSegments, kind: Literal["detector", "semantic"], spec_type: type[SpecT]
) -> ClosedSetModel[SpecT]:
    """The model of a segmenter's section.

    Raises:
        ConfigError: a file is absent or damaged, a class is not in the vocabulary, or the model does not run on a
            picture as its spec describes it.
        MachineError: a named model is not there, a GPU is asked for and absent, or the runtime is not installed.
    """
    model = resolve(config.model, (kind,), MODEL)
    spec = config.spec or (model.listed and model.listed.spec)
    assert isinstance(spec, spec_type)
    words = read_vocabulary(config.vocabulary)
    labels = class_labels(spec, words, SPEC)
    (path,) = model.files
    runtime = load_runtime(path, config.device, config.threads, MODEL)
    seen = ModelInput(runtime.input, spec.input, f"{SPEC}.input")
    shown = seen.trial()
    try:
        output = runtime.run(shown.fed)
    except RuntimeFault as error:
        raise ConfigError([Problem(MODEL, f"{path}: {error}", "a model that runs")]) from error
    return ClosedSetModel(model, path, spec, words, labels, runtime, seen, shown, output)
