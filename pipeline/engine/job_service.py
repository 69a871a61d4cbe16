"""Runs the graph as jobs of a cluster: through Beam's job service (Flink's among others), or on Dataflow.

With several worker pools, each has a job of its own and its share of the work: Beam's portable job server gives a job
one worker. A pool that is lost leaves its share to the others, who find done what it had done.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from apache_beam.runners.runner import PipelineState

from pipeline.config.build import Build
from pipeline.engine.drawing import RegionTask
from pipeline.engine.graph import DriverAt, Element, Work, last_said, own_error, submit
from pipeline.engine.presence import Presence, serve_presence
from pipeline.engine.runners import Machinery, in_driver, near_workers, parallelism, pools, watched
from pipeline.engine.sharing import dealt, with_shared_room
from pipeline.errors import BuildStopped, MachineError
from pipeline.net.client import cache_folder
from pipeline.net.rate_limit_service import serve_limits
from pipeline.stopping import check_stop

log = logging.getLogger(__name__)

T = TypeVar("T")

_POLL_S = 1.0
STARTING_S = 300.0
"""A job whose first worker has not come in this time has no worker that can run it."""
ANSWER_S = 60.0
"""A job service that has not said in this time how a job is doing is frozen, or cut off: it answers in milliseconds."""
GONE_S = 20.0
"""A job that has had no worker for this time has lost it. Beam's own job server would wait for it forever."""


_UNREACHED = "StatusCode.UNAVAILABLE"
"""Stands in what a job service says of a job whose worker pool does not answer it."""


class _LostError(Exception):
    """The workers of a job are gone, or were never there."""


@dataclass(frozen=True)
class _Jobs:
    """The settings that all jobs of a build have in common."""

    how: Machinery
    build: Build
    limits_at: str
    presence: Presence
    stopping: threading.Event
    submitting: threading.Lock
    """Beam's pipelines are made one after the other."""

    def run(self, name: str, pool: str | None, elements: Sequence[Element]) -> None:
        """Run a job to its end.

        Raises:
            _LostError: its workers are gone.
            MachineError, BuildStopped: as a worker told, or the job service failed.
        """
        driver = DriverAt(self.limits_at, self.presence.at(name)) if not in_driver(self.how) else None
        options = _options(self.how, pool)
        try:
            with self.submitting:
                result = submit(
                    elements, self.build, _runner(self.how), options, driver, self.build.limits.workers, spread=True
                )
            self._wait(name, result)
        except (MachineError, BuildStopped, _LostError):
            raise
        except Exception as error:
            fault = self.presence.fault(name)
            if fault is None and pool is not None and _UNREACHED in str(error):
                log.warning("the job service does not reach worker pool %s: %s", pool, last_said(error))
                raise _LostError from error
            raise fault or own_error(error) from error

    def _wait(self, name: str, result: Any) -> None:
        while not PipelineState.is_terminal(self._state(result)):
            if self.stopping.wait(_POLL_S):
                _cancel(result)
                raise BuildStopped
            fault = self.presence.fault(name)
            if fault is not None or (watched(self.how) and self.presence.lost(name, STARTING_S, GONE_S)):
                _cancel(result)
                raise fault or _LostError
        with _beam_quiet():
            result.wait_until_finish()  # raises what went wrong

    def _state(self, result: Any) -> str:
        import grpc

        kept = "Finished work is kept; start it and the build again"
        try:
            state: str = _within(ANSWER_S, lambda: result.state)
        except grpc.RpcError as error:
            raise MachineError(f"the job service at {self.how.job_endpoint} was lost. {kept}") from error
        except TimeoutError as error:
            silent = f"has not answered for {ANSWER_S:.0f} s"
            raise MachineError(f"the job service at {self.how.job_endpoint} {silent}. {kept}") from error
        return state


def run_jobs(work: Sequence[Work], regions: Sequence[RegionTask], build: Build, how: Machinery) -> None:
    """Run on the workers of a job service, or on Dataflow. Let regions be drawn without stages, and then run the units.

    Raises:
        MachineError: all workers or the job service were lost, or a stage stopped.
        BuildStopped: the user stopped the build.
    """
    near, lanes, workers = near_workers(how), pools(how), parallelism(how)
    left: list[Element] = [*work, *filter(None, dealt(regions, workers))]
    build = with_shared_room(build, workers)
    with serve_limits(cache_folder(build.network), near) as limits_at, serve_presence(near) as presence:
        jobs = _Jobs(how, build, limits_at, presence, threading.Event(), threading.Lock())
        for round_ in itertools.count(1):
            shares = zip(lanes, dealt(left, len(lanes)), strict=True)
            jobs_of = {f"{round_}-{n}": (pool, share) for n, (pool, share) in enumerate(shares) if share}
            lost = _round(jobs, jobs_of)
            if not lost:
                check_stop()  # workers in this process stop by it
                return
            left = [element for name in lost for element in jobs_of[name][1]]
            gone = [jobs_of[name][0] for name in lost]
            lanes = [lane for lane in lanes if lane not in gone]
            if not lanes:
                break
            log.warning("lost: worker pool %s; the others take over its work", ", ".join(map(str, gone)))
    raise MachineError(
        "all workers were lost (killed, or out of memory?), or could not be started. Finished work is kept; see what "
        "the worker pools say, and start the build again"
    )


def _round(jobs: _Jobs, work: dict[str, tuple[str | None, tuple[Element, ...]]]) -> list[str]:
    """Run jobs beside each other; returns the names of those whose workers were lost."""
    with ThreadPoolExecutor(len(work), "job") as threads:
        running = {threads.submit(_kept, jobs, name, pool, share): name for name, (pool, share) in work.items()}
        try:
            done, open_ = wait(running, return_when=FIRST_EXCEPTION)
            failed = next((error for job in done if (error := job.exception()) is not None), None)
            if failed is not None:
                raise failed
            assert not open_
            return sorted(running[job] for job in done if not job.result())
        finally:
            if not all(job.done() for job in running):
                jobs.stopping.set()


def _kept(jobs: _Jobs, name: str, pool: str | None, share: tuple[Element, ...]) -> bool:
    """Run a job; returns whether its workers were there to the end."""
    try:
        jobs.run(name, pool, share)
    except _LostError:
        return False
    return True


def _runner(how: Machinery) -> Any:
    if how.runner == "dataflow":
        from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

        return DataflowRunner()
    from apache_beam.runners.portability.portable_runner import PortableRunner

    return PortableRunner()


def _options(how: Machinery, pool: str | None) -> list[str]:
    """Options of Beam for a job on a pool."""
    place = [f"--job_endpoint={how.job_endpoint}"] if how.job_endpoint is not None else []
    workers = ["--environment_type=EXTERNAL", f"--environment_config={pool}"] if pool is not None else []
    return [*place, *workers, *how.beam_options]


def _within(seconds: float, ask: Callable[[], T]) -> T:
    """What a call gives, which Beam makes without a deadline.

    Raises:
        TimeoutError: it has not returned; its thread is left behind.
    """
    answer: Future[T] = Future()

    def settle() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 - raised where it is asked for
            answer.set_exception(error)

    threading.Thread(target=settle, name="job service", daemon=True).start()
    return answer.result(seconds)


def _cancel(result: Any) -> None:
    """Cancel a job as far as its service can; the build ends all the same, and its workers stop with it."""
    try:
        _within(ANSWER_S, result.cancel)
    except Exception as error:  # noqa: BLE001 - of the service's client; it is being left
        log.info("a job could not be cancelled: %s", error)


@contextmanager
def _beam_quiet() -> Iterator[None]:
    """Keep Beam from logging a worker's traceback, on the root logger, of what is said in a line."""

    def no_message_of_a_job(record: logging.LogRecord) -> bool:
        return not record.pathname.endswith("portable_runner.py")

    root = logging.getLogger()
    root.addFilter(no_message_of_a_job)
    try:
        yield
    finally:
        root.removeFilter(no_message_of_a_job)
