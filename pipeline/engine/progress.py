"""Progress of a running build, read from the workspace; the same for all runners."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.engine.counts import Counts
from pipeline.engine.drawing import RegionTask
from pipeline.engine.layers import DamagedLayerError, LayerFile, list_layers, read_counts
from pipeline.engine.units import UnitTask, survey, with_todo
from pipeline.errors import MachineError
from pipeline.quantity import quantity
from pipeline.storage import Store

log = logging.getLogger(__name__)


@dataclass
class StageProgress:
    """Progress of one stage of one region."""

    units: int
    """Number of units that this build processes."""
    units_done: int = 0
    counts: Counts = field(default_factory=lambda: Counts(0, {}))
    """Sites of the finished units."""


SITES = "sites"
"""Takes the place of the stage for a region that is to be drawn."""

Progress = dict[tuple[str, str], StageProgress]
"""Progress by region and stage."""


class Watcher:
    """Lists the workspace at intervals and reports what was committed of these tasks since the build began.

    Other parts of the build may be at work on the same workspace: their tables do not count.
    """

    def __init__(
        self,
        store: Store,
        tasks: Sequence[UnitTask],
        regions: Sequence[RegionTask],
        report: Callable[[Progress], None],
    ) -> None:
        self._store = store
        self._report = report
        self._before = list_layers(store)
        self._known = set(self._before)
        self._progress: Progress = {}
        self._undrawn = {task.region: task for task in regions}
        for region in self._undrawn:
            self._progress[region, SITES] = StageProgress(1)
        self._units: set[tuple[str, str]] = set()
        self._expected: set[tuple[str, str, str]] = set()
        self._expect(tasks)
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> "Watcher":
        self._report(self._progress)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        pause = 1.0
        while not self._finished.wait(pause):
            started = time.monotonic()
            self._look()
            # A large workspace in a bucket takes long to list: spend at most a tenth of the time on it.
            pause = max(1.0, 10 * (time.monotonic() - started))

    def _look(self) -> None:
        try:
            new = [file for file in list_layers(self._store) if file not in self._known]
        except MachineError:
            return  # the stages meet the same fault and say so
        for file in new:
            if file.layer == SITES and file.region in self._undrawn:
                self._arrived(self._undrawn.pop(file.region), file)
        for file in new:
            self._known.add(file)
            self._count(file)
        self._report(self._progress)

    def _expect(self, tasks: Iterable[UnitTask]) -> None:
        tasks = list(tasks)
        self._units |= {task.key for task in tasks}
        self._expected |= {(*task.key, stage) for task in tasks for stage in task.todo}
        for key, units in Counter((task.region, stage) for task in tasks for stage in task.todo).items():
            self._progress[key] = StageProgress(units)

    def _arrived(self, task: RegionTask, file: LayerFile) -> None:
        """A region was drawn: from now on its units are expected."""
        try:
            units = survey(self._store, self._before, [file], {task.region: task.bases})
        except (DamagedLayerError, FileNotFoundError):
            return  # the stages meet the same fault
        sites = sum(unit.size for unit in units)
        self._progress[task.region, SITES] = StageProgress(1, 1, Counts(sites, {}))
        about = {"region": task.region, "stage": SITES, "sites": sites}
        said = f"{quantity(sites, 'site')} in {quantity(len(units), 'unit')}"
        log.info("%s: %s", task.region, said, extra=about)
        of_part = [unit for unit in units if task.part is None or task.part.has(*unit.key)]
        self._expect(with_todo(unit, task.stages) for unit in of_part)

    def _count(self, file: LayerFile) -> None:
        if (file.region, file.unit) not in self._units:
            return
        try:
            counts = read_counts(self._store, file)
        except (DamagedLayerError, FileNotFoundError):
            return  # superseded meanwhile
        _log(file, counts)
        key = file.region, file.unit, file.layer
        if key in self._expected:
            self._expected.remove(key)
            entry = self._progress[file.region, file.layer]
            entry.units_done += 1
            entry.counts += counts


def _log(file: LayerFile, counts: Counts) -> None:
    """Tell of a committed table: a line, and one for each reason that sites failed for."""
    about = {"region": file.region, "unit": file.unit, "stage": file.layer}
    log.info("%s %s %s: %s ok", *about.values(), quantity(counts.ok, "site"), extra=about | {"ok": counts.ok})
    for reason, sites in sorted(counts.failed.items()):
        said = counts.details[reason].counted[:1] if reason in counts.details else ()
        more = {"reason": reason, "sites": sites, "detail": said[0][0] if said else ""}
        failed = quantity(sites, "site")
        log.info("%s %s %s: %s failed: %s", *about.values(), failed, reason, extra=about | more)
