"""What a process's scheduler promises: order, bounds, and faults that end it."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.build import Build
from pipeline.engine import scheduler
from pipeline.engine.build import prepare
from pipeline.engine.layers import list_layers
from pipeline.engine.scheduler import Batch, Room, Scheduler, StageQueue
from pipeline.engine.units import UnitTask, with_todo
from pipeline.engine.workspace import read_state
from pipeline.errors import BuildStopped, MachineError
from pipeline.stages import Stage, imagery
from pipeline.stopping import check_stop, clear_stop

WAIT_S = 60.0


class Jobs:
    """Jobs that run until they are let go."""

    def __init__(self, queue: StageQueue, *sites: int) -> None:
        self.started: list[int] = []
        self._go = [threading.Event() for _ in sites]
        self._ended = [threading.Event() for _ in sites]
        self._changed = threading.Condition()
        for number, size in enumerate(sites):
            queue.put(size, lambda number=number: self._run(number))  # type: ignore[misc]

    def _run(self, number: int) -> None:
        with self._changed:
            self.started.append(number)
            self._changed.notify_all()
        assert self._go[number].wait(WAIT_S)

    def end(self, number: int) -> None:
        self._go[number].set()

    def wait_for(self, *numbers: int) -> None:
        """Wait until just these have started, in this order of numbers."""
        with self._changed:
            assert self._changed.wait_for(lambda: sorted(self.started) == sorted(numbers), WAIT_S), self.started


def test_a_stage_works_on_so_many_units_at_once_in_the_order_in_which_they_came() -> None:
    queue = StageQueue("imagery", Room(units=2))
    jobs = Jobs(queue, 1, 100, 1, 1)
    jobs.wait_for(0, 1)
    jobs.end(1)
    jobs.wait_for(0, 1, 2)
    jobs.end(0)
    jobs.wait_for(0, 1, 2, 3)
    jobs.end(2)
    jobs.end(3)
    assert queue.busy_s > 0


def test_small_units_are_taken_up_until_twice_a_models_room_is_full() -> None:
    queue = StageQueue("captions", Room(sites=4))
    jobs = Jobs(queue, 3, 3, 3, 3)
    jobs.wait_for(0, 1, 2)  # six sites leave place for another unit, nine do not
    jobs.end(1)
    jobs.wait_for(0, 1, 2, 3)
    for number in (0, 2, 3):
        jobs.end(number)


def test_of_large_units_two_are_taken_up() -> None:
    queue = StageQueue("captions", Room(sites=4))
    jobs = Jobs(queue, 100, 100, 100)
    jobs.wait_for(0, 1)
    jobs.end(0)
    jobs.wait_for(0, 1, 2)
    jobs.end(1)
    jobs.end(2)


def test_the_share_of_a_room_in_use_is_at_most_all_of_it() -> None:
    assert Room(units=4).share(3, 300) == 0.75
    assert Room(sites=64).share(2, 16) == 0.25
    assert Room(sites=64).share(2, 100) == 1.0


def units_of(build: Build) -> tuple[Any, list[UnitTask]]:
    clear_stop()
    ready = prepare(build)
    return ready, [with_todo(task, ["imagery"]) for task in ready.survey(list_layers(ready.store))]


def failing(error: BaseException) -> Callable[..., Any]:
    def run(*_: Any) -> Any:
        raise error

    return run


@pytest.fixture(autouse=True)
def _going_on() -> Any:
    yield
    clear_stop()


def test_memory_is_given_back_after_the_last_stage_of_each_unit(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, tasks = units_of(small_build())
    done: list[str] = []

    def do(stage: Stage, task: UnitTask, *_: object) -> UnitTask:
        done.append(stage.name)
        return task

    monkeypatch.setattr(scheduler, "do_stage", do)
    monkeypatch.setattr(scheduler, "give_back", lambda: done.append("given back"))
    batch = Batch(Scheduler(ready.registry, 1), ready.store, ready.registry, in_driver=True)
    batch.start(tasks[0])
    batch.wait()
    assert done == ["imagery", "cues", "captions", "given back"]
    batch.start(tasks[1])
    batch.wait()
    assert done.count("given back") == 2


def test_in_the_drivers_process_a_fault_stops_what_is_queued_and_is_the_drivers_to_say(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, tasks = units_of(small_build())
    monkeypatch.setattr(imagery, "imagery", failing(MachineError("the disk is full")))
    batch = Batch(Scheduler(ready.registry, 1), ready.store, ready.registry, in_driver=True)
    for task in tasks:
        batch.start(task)
    batch.wait()
    with pytest.raises(MachineError, match="the disk is full"):
        check_stop()
    assert read_state(ready.store).stages[0].done == 0


def test_in_a_worker_of_a_cluster_a_fault_is_raised_and_what_is_queued_is_dropped(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, tasks = units_of(small_build())
    asked = []

    def run(sites: Any, *_: Any) -> Any:
        asked.append(sites)
        raise BuildStopped

    monkeypatch.setattr(imagery, "imagery", run)
    scheduler = Scheduler(ready.registry, 1)
    batch = Batch(scheduler, ready.store, ready.registry, in_driver=False)
    for task in tasks:
        batch.start(task)
    with pytest.raises(BuildStopped):
        batch.wait()
    assert len(tasks) > 1
    assert len(asked) == 1
    check_stop()  # the worker may serve the next build


def test_a_fault_that_should_not_be_ends_the_batch_with_it(
    small_build: Callable[..., Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, tasks = units_of(small_build())
    monkeypatch.setattr(imagery, "imagery", failing(RuntimeError("a bug")))
    batch = Batch(Scheduler(ready.registry, 1), ready.store, ready.registry, in_driver=True)
    for task in tasks:
        batch.start(task)
    with pytest.raises(RuntimeError, match="a bug"):
        batch.wait()
