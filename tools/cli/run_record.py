"""`run.json` in a workspace: what the last run on it did, for scripts and for whoever asks later."""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.config.build import Build
from pipeline.config.running import Prices
from pipeline.digest import digest
from pipeline.engine.outcome import Outcome
from pipeline.engine.parts import Part
from pipeline.engine.progress import Progress
from pipeline.errors import ConfigError, MachineError
from pipeline.net import traffic
from pipeline.publishing.manifest import package_versions, shareable
from pipeline.storage import open_store
from tools.cli.display import totals_of
from tools.cli.last_run import RUN
from tools.cli.records import outcome_record, progress_record

log = logging.getLogger(__name__)


def cost_of(providers: Mapping[str, Mapping[str, int]], prices: Prices) -> dict[str, Any]:
    """The cost of a run's requests and tokens, by provider; those that cost nothing are left out."""
    found = {}
    for name, counts in providers.items():
        spent = counts.get("requests", 0) / 1e3 * prices.thousand_requests.get(name, 0.0)
        spent += counts.get("prompt_tokens", 0) / 1e6 * prices.million_prompt_tokens
        spent += counts.get("completion_tokens", 0) / 1e6 * prices.million_completion_tokens
        if spent:
            found[name] = round(spent, 6)
    return {"currency": prices.currency, "by_provider": found, "total": round(sum(found.values()), 6)}


@dataclass
class RunRecord:
    """A run that has begun."""

    build: Build
    command: str
    part: Part | None = None
    runner: str = "local"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    since: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    """How far it is; None until the workspace is claimed."""

    @property
    def path(self) -> str:
        """Its path in the workspace: parts that run at once have one each."""
        return f"run.part-{self.part.number}-of-{self.part.of}.json" if self.part else RUN

    def noting(self, show: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """Takes note of the progress, and shows it. As work begins, a record is written that has no end yet."""

        def report(progress: Progress) -> None:
            begins, self.progress = self.progress is None, progress
            if begins:
                self.write(None)
            if progress:
                show(progress)

        return report

    def write(self, ended: str | None, outcome: Outcome | None = None) -> None:
        """Write the record; `ended` is None while the run goes on, and stays so if it is killed.

        A run that was refused wrote nothing, and has none.
        """
        content: dict[str, Any] = {
            "command": self.command,
            "build": self.build.name,
            "config_digest": digest(shareable(self.build), length=16),
            "packages": package_versions(),
            "started_at": self.started.isoformat(timespec="seconds"),
            # A clock that is set back does not matter.
            "seconds": round(time.monotonic() - self.since, 3) if ended is not None else None,
            "ended": ended,
            "outcome": outcome_record(outcome) if outcome is not None else None,
            "progress": progress_record(totals_of(self.progress)) if self.progress is not None else None,
            # Workers of a cluster count for themselves.
            "providers": traffic.counted() if self.runner == "local" else None,
        }
        if content["providers"] is not None:
            content["cost"] = cost_of(content["providers"], self.build.assumptions.prices)
        try:
            data = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
            open_store(self.build.workspace).write(self.path, data.encode())
        except (ConfigError, MachineError) as error:
            log.warning("%s was not written: %s", self.path, error)
