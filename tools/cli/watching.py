"""`geoscribe status --watch`: the progress of a build that another process runs."""

import contextlib
import time

from pipeline.engine.counts import Counts
from pipeline.engine.progress import SITES, Progress, StageProgress
from pipeline.engine.workspace import State, read_state
from pipeline.storage import Store
from tools.cli.display import progress_display

LEAST_PAUSE_S = 2.0


def watch_state(store: Store) -> None:
    """Show how far a build is, again and again, until everything is finished or somebody presses Ctrl-C.

    Raises:
        ConfigError: it is no workspace.
    """
    with contextlib.suppress(KeyboardInterrupt), progress_display() as report:
        while True:
            started = time.monotonic()
            progress = progress_of(read_state(store))
            report(progress)
            if all(stage.units_done >= stage.units for stage in progress.values()):
                return
            # A large workspace in a bucket takes long to list: spend at most a tenth of the time on it.
            time.sleep(max(LEAST_PAUSE_S, 9 * (time.monotonic() - started)))


def progress_of(state: State) -> Progress:
    """A workspace's state as the progress of a build that makes all of it."""
    progress: Progress = {}
    for note in state.notes:
        progress[note.region, SITES] = StageProgress(1, int(note.empty))
    for region, sites in state.sites.items():
        progress[region, SITES] = StageProgress(1, 1, Counts(sites, {}))
    for one in state.stages:
        progress[one.region, one.stage] = StageProgress(one.units, one.done, one.counts)
    return progress
