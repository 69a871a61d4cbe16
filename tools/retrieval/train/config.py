"""The training file: data, model and training parameters."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from pipeline.config.base import Name, Section, Share
from pipeline.config.strict_yaml import parse_yaml
from pipeline.errors import ConfigError, Problem
from tools.retrieval.data.order import Hardness
from tools.retrieval.data.select import REFERENCES, Reference, Selection, View
from tools.retrieval.data.texts import TextChoice
from tools.retrieval.models.config import ModelConfig, Weights


class Data(Section):
    """Data to train on."""

    datasets: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders or URLs of published datasets."""
    train: Selection = Selection()
    val: Selection = Selection(splits=("val",))
    """Rows that decide which weights are the best. Never test rows: those are for `geoscribe retrieval evaluate`."""
    text: TextChoice = "description"
    also: TextChoice | None = None
    """A second text of each row, such as `tags`. Which of the two a row is trained with is drawn anew each time."""
    heading_up: bool = False
    """Turn chips so that what lies ahead of the camera is at the top, as the texts' words left and right have it."""
    most_overlap: Share = 0.0
    """Rows whose chips overlap by more than this share are no negatives of each other."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that read, for each process that trains; 0: it reads itself."""
    window: Annotated[int, Field(ge=1, le=4_096)] = 16
    """Row groups whose rows are mixed with each other; a worker holds as many in memory."""
    keep: bool = False
    """Keep every row's input in memory once it is made: for datasets that fit. Only without workers."""


class Hard(Section):
    """Hard negatives."""

    epoch: Annotated[int, Field(ge=0)]
    """From this one on, counted from 0."""
    negatives: Hardness
    """`near`: batches of neighbouring places whose chips do not overlap; `alike`: of texts the model finds alike."""


class Train(Section):
    """Parameters of the training."""

    epochs: Annotated[int, Field(ge=0, le=10_000)] = 40
    """0: keep the model as it starts, to look at its figures."""
    batch: Annotated[int, Field(ge=2, le=65_536)] = 128
    """Rows of all processes together."""
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-5
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    warmup: Share = 0.0
    """Share of all steps in which the learning rate rises to its value; it then falls as a cosine to 0."""
    clip_gradient: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of the gradient."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """`auto`: bf16 on a GPU that has it, fp16 on one that has not, fp32 on a CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 42
    hard: tuple[Hard, ...] = ()
    cluster: Annotated[int, Field(ge=2, le=1_024)] = 4
    """Rows of a batch that are hard to tell apart, once negatives are."""
    select: Literal["R@1", "R@5", "R@10", "MRR"] = "R@1"
    """The measure on the val rows by which weights are selected: those with the highest one are kept as `best.pt`."""
    validate_epochs: Annotated[int, Field(ge=1)] = 1
    """Look at the val rows every so many epochs."""
    keep_steps: Annotated[int, Field(ge=1)] = 1_000
    """Write what is needed to go on every so many steps, beside the end of each epoch."""
    log_steps: Annotated[int, Field(ge=1)] = 10
    drop_tokens: Share = 0.0
    """Share of a text's tokens that are left out, drawn anew each time, so that no single word decides."""
    texts: Literal["own", "shuffled"] = "own"
    """`shuffled`: each text with another place's picture. A control: what it learns is no retrieval."""


class Retrieval(Section):
    """The training file."""

    name: Name
    run: Path
    """Folder for checkpoints, log and curves."""
    data: Data
    model: ModelConfig
    train: Train = Train()

    @field_validator("run")
    @classmethod
    def _not_here(cls, run: Path) -> Path:
        if run == Path():
            raise ValueError("a folder of its own")
        return run

    @property
    def views(self) -> tuple[View, ...]:
        """Views that the model takes beside the text."""
        return tuple(self.model.views)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The views from above among these, whose chips define overlap."""
        return tuple(view for view in REFERENCES if view in self.views)


def load_retrieval(path: Path) -> Retrieval:
    """Read a training file. Relative paths in it are taken from its own folder.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([Problem(str(path), error.strerror or str(error), "a readable YAML file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), " ".join(str(error).split()), "valid YAML in UTF-8")]) from error
    return parse_retrieval(raw, path.parent)


def parse_retrieval(raw: Any, base: Path) -> Retrieval:
    """Check a training file given as a mapping; relative paths are taken from `base`.

    Raises:
        ConfigError: naming every key that is wrong, what was found and what is allowed.
    """
    try:
        found = Retrieval.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([_problem(detail) for detail in error.errors()]) from error
    data = found.data.model_copy(update={"datasets": tuple(_place(base, url) for url in found.data.datasets)})
    model = found.model
    if model.weights is not None and model.weights.file is not None:
        weights: Weights = model.weights.model_copy(update={"file": (base / model.weights.file).resolve()})
        model = model.model_copy(update={"weights": weights})
    problems = list(_impossible(found))
    if problems:
        raise ConfigError(problems)
    return found.model_copy(update={"data": data, "model": model, "run": (base / found.run).resolve()})


def _impossible(config: Retrieval) -> list[Problem]:
    tested = sorted({split for split in config.data.val.splits if split.startswith("test")})
    problems = []
    if tested:
        problems.append(Problem("data.val.splits", ", ".join(tested), "rows that no figure is reported of, as val"))
    if config.data.keep and config.data.workers:
        problems.append(Problem("data.keep", "true with workers", "true with workers: 0, or false"))
    starts = [hard.epoch for hard in config.train.hard]
    if starts != sorted(set(starts)):
        problems.append(Problem("train.hard", f"epochs {starts}", "ascending epochs"))
    return problems


def _place(base: Path, url: str) -> str:
    return url if "://" in url else str((base / url).resolve())


def _problem(detail: Any) -> Problem:
    where = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return Problem(where, "an unknown key", "the keys in `geoscribe retrieval schema`")
    if detail["type"] == "missing":
        return Problem(where, "nothing", "this key is required")
    shown = "this section" if isinstance(detail["input"], dict) else repr(detail["input"])
    return Problem(where, shown, message)
