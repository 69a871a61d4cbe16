"""The plan of a queue: which samples are judged, how they are drawn, how many twice; and the file that holds one."""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from pipeline.config.strict_yaml import parse_yaml
from pipeline.errors import ConfigError, Problem
from schemas.records import Outcome, Split
from tools.audit.records import DISAGREEMENTS, ReasonCode, Verdict

PLAN_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
Share = Annotated[float, Field(ge=0, le=1)]


class Filters(BaseModel):
    """Which samples a plan draws from; an empty list lets all through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    regions: list[str] = []
    splits: list[Split] = []
    writers: list[str] = []
    outcomes: list[Outcome] = []
    """Samples with a claim of such an outcome."""
    witnessed_below: Share | None = None
    """Samples of whose claims a smaller share is witnessed."""
    verdicts: list[Verdict] = []
    """Samples that somebody judged so before."""
    reasons: list[ReasonCode] = []
    """Samples that somebody rejected or edited for such a reason before."""


class Plan(BaseModel):
    """One queue."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, StringConstraints(pattern=PLAN_NAME)]
    filters: Filters = Filters()
    method: Literal["stratified", "random"] = "stratified"
    """`stratified` draws the same share of each region, split and writer."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """How many to draw; all if left out."""
    lot_size: Annotated[int, Field(ge=1)] | None = None
    """n of acceptance sampling: so many of each region, in place of `samples`."""
    accept_at_most: Annotated[int, Field(ge=0)] | None = None
    """c of acceptance sampling: a region with at most so many bad samples among n is accepted."""
    double_share: Share = 0.15
    """Share that two people judge blind."""
    attention_share: Share = 0.1
    """Attention checks beside the samples, as a share of them."""
    which_share: Share = 0.0
    """Share of the samples of which it is asked, too, which of four aerial views is told of."""
    alike_share: Share = 0.0
    """Share of the samples whose short text is held against those that sound like it."""
    gold: dict[str, Verdict] = {}
    """Samples whose right verdict is known; they are judged as well, and measure annotators."""
    seed: int = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.name == DISAGREEMENTS:
            raise ValueError(f"the queue {DISAGREEMENTS!r} makes itself")
        if (self.lot_size is None) != (self.accept_at_most is None):
            raise ValueError("acceptance sampling needs both lot_size (n) and accept_at_most (c)")
        if self.lot_size is not None and self.samples is not None:
            raise ValueError("lot_size takes the place of samples")
        if self.lot_size is not None and self.accept_at_most is not None and self.accept_at_most >= self.lot_size:
            raise ValueError("accept_at_most must be less than lot_size")
        return self


def read_plan(file: Path) -> Plan:
    """A plan from a YAML file.

    Raises:
        ConfigError: it cannot be read, or is no plan.
    """
    try:
        return Plan.model_validate(parse_yaml(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError([Problem(str(file), " ".join(str(error).split()), "a YAML file")]) from error
    except ValidationError as error:
        raise ConfigError(
            [
                Problem(".".join(map(str, fault["loc"])) or str(file), repr(fault["input"])[:200], fault["msg"])
                for fault in error.errors()
            ]
        ) from error
