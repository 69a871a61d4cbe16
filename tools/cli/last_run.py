"""What `run.json` in a workspace, written by `run_record`, tells `geoscribe status` of the last run."""

import logging

from pydantic import AwareDatetime, BaseModel, Field, NonNegativeFloat, PositiveFloat, ValidationError

from pipeline.engine.outcome import Busy
from pipeline.stages import STAGES
from pipeline.storage import Store

log = logging.getLogger(__name__)

RUN = "run.json"
"""Its path in the workspace."""
_ORDER = {stage.name: place for place, stage in enumerate(STAGES)}


class _StageBusy(BaseModel):
    seconds: NonNegativeFloat


class _RunBusy(BaseModel):
    seconds: PositiveFloat
    stages: dict[str, _StageBusy] = Field(min_length=1)


class _RunOutcome(BaseModel):
    busy: _RunBusy | None = None


class LastRun(BaseModel):
    """The part of `run.json` that `status` shows; the file may be of any version of geoscribe."""

    started_at: AwareDatetime
    seconds: NonNegativeFloat | None
    ended: str | None
    """How it ended; None if it goes on, or was killed."""
    outcome: _RunOutcome | None

    @property
    def busy(self) -> Busy | None:
        """How busy the stages were; None if none ran, if they ran in other processes, or if the run was stopped."""
        found = self.outcome.busy if self.outcome is not None else None
        if found is None or not any(stage.seconds for stage in found.stages.values()):
            return None
        ordered = sorted(found.stages, key=lambda name: _ORDER.get(name, len(_ORDER)))  # the file's are by name
        return Busy(found.seconds, {name: found.stages[name].seconds for name in ordered})


def last_run(store: Store) -> LastRun | None:
    """The last run on a workspace that was no part; None, with a warning, if its record cannot be read."""
    try:
        return LastRun.model_validate_json(store.read(RUN))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        fault = error.errors()[0]
        log.warning("%s cannot be read: %s: %s", RUN, ".".join(map(str, fault["loc"])) or "content", fault["msg"])
        return None
