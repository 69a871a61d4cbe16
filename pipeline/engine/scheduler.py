"""Takes units through the stages in one process: each stage has a queue and works on several units at once.

So the network, the processors and the model servers are busy at the same time. Dialogues of many small units fill the
servers' room while imagery and cues of other units are made. Only a unit at work holds its tables: one that waits in a
queue is a name.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.engine.memory import give_back
from pipeline.engine.processes import ShardProcesses, available
from pipeline.engine.shard_jobs import ShardJob, do_job
from pipeline.engine.units import UnitTask
from pipeline.engine.work import do_stage
from pipeline.errors import BuildStopped, MachineError
from pipeline.registry.registry import Registry
from pipeline.stages import STAGES, Stage
from pipeline.stages.captions import STAGE as CAPTIONS
from pipeline.stopping import check_stop, request_stop
from pipeline.storage import Store, open_store

_LEAST_UNITS = 2
"""Units that a model is given at once, however large: when one comes to its end, the other fills the room."""


@dataclass(frozen=True)
class Room:
    """How much a stage works on at once."""

    units: int | None = None
    """Maximum number of units, for a stage that computes or fetches."""
    sites: int | None = None
    """Number of sites that a model server's room is for. Twice as many are taken up, so that some always wait for room:
    a unit's tables are read before its first dialogue, and held until its last one ends."""

    def has_place(self, units: int, sites: int) -> bool:
        """Whether another unit is taken up beside so many units with so many sites."""
        if self.sites is None:
            return self.units is None or units < self.units
        return units < _LEAST_UNITS or sites < 2 * self.sites

    def share(self, units: int, sites: int) -> float:
        """Share of the room that is used by so many units with so many sites."""
        held, room = (units, self.units) if self.sites is None else (sites, self.sites)
        return min(1.0, held / room) if room else float(held > 0)


@dataclass
class StageQueue:
    """Runs jobs in the order in which they came, each in a thread, as many at once as there is room for."""

    name: str
    room: Room
    busy_s: float = 0.0
    """Time for which the room was in use: half of it for two seconds is one second."""
    _waiting: deque[tuple[int, Callable[[], None]]] = field(default_factory=deque)
    _units: int = 0
    _sites: int = 0
    _since: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, sites: int, job: Callable[[], None]) -> None:
        """Run a job on a unit of so many sites as soon as there is room. The job must not raise."""
        with self._lock:
            self._waiting.append((sites, job))
            self._take_up()

    def _take_up(self) -> None:
        while self._waiting and self.room.has_place(self._units, self._sites):
            sites, job = self._waiting.popleft()
            self._hold(1, sites)
            threading.Thread(target=self._run, args=(sites, job), name=f"stage-{self.name}", daemon=True).start()

    def _run(self, sites: int, job: Callable[[], None]) -> None:
        try:
            job()
        finally:
            with self._lock:
                self._hold(-1, -sites)
                self._take_up()

    def _hold(self, units: int, sites: int) -> None:
        now = time.monotonic()
        self.busy_s += self.room.share(self._units, self._sites) * (now - self._since)
        self._units, self._sites, self._since = self._units + units, self._sites + sites, now


class Scheduler:
    """The queues of a process's stages."""

    def __init__(self, registry: Registry, units_at_once: int) -> None:
        captioned = registry.captioner.room
        model = Room(sites=captioned) if captioned is not None else Room(units=units_at_once)
        rooms = {stage.name: Room(units=units_at_once) for stage in STAGES} | {CAPTIONS.name: model}
        self.queues = {name: StageQueue(name, room) for name, room in rooms.items()}
        self.shards = StageQueue("shards", Room(units=available(units_at_once)))


class Batch:
    """Units that are waited for together."""

    def __init__(self, scheduler: Scheduler, store: Store, registry: Registry, *, in_driver: bool) -> None:
        """No unit is in it yet.

        Args:
            scheduler: The process's.
            store: The workspace.
            registry: What the stages work with.
            in_driver: Whether this is the driver's process. Then a fault stops the whole process's work, and the driver
                says it; otherwise `wait` raises it.
        """
        self._scheduler = scheduler
        self._store = store
        self._registry = registry
        self._in_driver = in_driver
        self._processes: ShardProcesses | None = None
        self._open = 0
        self._error: BaseException | None = None
        self._stopped = False
        self._changed = threading.Condition()

    def start(self, task: UnitTask | ShardJob) -> None:
        """Take a unit through the stages, or make a shard; returns at once."""
        with self._changed:
            self._open += 1
        if isinstance(task, ShardJob):
            self._start_shard(task)
        else:
            self._queue(task, STAGES)

    def wait(self) -> None:
        """Wait until all units are done, or dropped because the build is being stopped.

        Raises:
            MachineError, BuildStopped: outside of the driver's process: as the first stage that failed raised it.
            Exception: a stage failed unexpectedly.
        """
        try:
            with self._changed:
                while self._open and (self._in_driver or self._error is None):
                    self._changed.wait()
                if self._error is not None:
                    raise self._error
        finally:
            if self._processes is not None:
                self._processes.close(stopping=bool(self._open) or self._stopped)

    def _start_shard(self, job: ShardJob) -> None:
        """The driver has processes of its own for shards; a worker is one."""
        queue, build = self._scheduler.shards, self._registry.build
        if self._in_driver and self._processes is None:
            self._processes = ShardProcesses(queue.room.units or 1)
        processes = self._processes

        def make() -> None:
            if processes is not None:
                processes.run(job, build.workspace, build.dataset)
            else:
                do_job(job, self._store, open_store(build.dataset, where="dataset"))

        queue.put(1, lambda: self._guarded(make))

    def _queue(self, task: UnitTask, stages: Sequence[Stage]) -> None:
        queue = self._scheduler.queues[stages[0].name]
        queue.put(task.size, lambda: self._work(task, stages))

    def _work(self, task: UnitTask, stages: Sequence[Stage]) -> None:
        stage, *rest = stages

        def do() -> bool:
            done = do_stage(stage, task, self._store, self._registry)
            if not rest:
                give_back()
                return False
            self._queue(done, rest)
            return True

        self._guarded(do)

    def _guarded(self, job: Callable[[], bool | None]) -> None:
        """Do a job, unless there is no use in it any more. If it returns True, more of its work is queued."""
        try:
            if self._error is None:
                check_stop()
                if job():
                    return
        except (MachineError, BuildStopped) as error:
            self._stopped = True
            if self._in_driver:
                # A runner would print the traceback of what is no bug; the driver says it in a line.
                request_stop(error if isinstance(error, MachineError) else None)
            else:
                self._fail(error)
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`
            self._stopped = True
            if self._in_driver:
                request_stop()
            self._fail(error)
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()


_schedulers: "weakref.WeakKeyDictionary[Registry, Scheduler]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def scheduler_of(registry: Registry, units_at_once: int) -> Scheduler:
    """The process's scheduler for a build: several bundles of a runner share its queues."""
    with _lock:
        return _schedulers.setdefault(registry, Scheduler(registry, units_at_once))


def busy_of(registry: Registry) -> dict[str, float]:
    """By stage: seconds for which its room in this process was in use so far. Empty if nothing ran in it."""
    with _lock:
        scheduler = _schedulers.get(registry)
    return {name: queue.busy_s for name, queue in scheduler.queues.items()} if scheduler is not None else {}
