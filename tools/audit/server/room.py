"""State of the running server: the database and the dataset, which may be revised meanwhile."""

import logging
import threading

from sqlalchemy import insert, select, update

from pipeline.errors import ConfigError, MachineError
from tools.audit.database.opening import Desk
from tools.audit.database.tables import settings, tasks
from tools.audit.figures import figures_of
from tools.audit.library import Library
from tools.audit.queue import set_aside
from tools.audit.readings import Reading
from tools.audit.records import Figure
from tools.audit.shown import is_current
from tools.dataset import open_dataset

log = logging.getLogger(__name__)
_LOOK_S = 10.0
"""How often it is looked whether the dataset was revised."""


class Room:
    """The open desk."""

    def __init__(self, desk: Desk, library: Library) -> None:
        """Sets tasks aside whose samples are not as they were when the tasks were drawn."""
        self.desk, self.library = desk, library
        self._lock, self._looked = threading.Lock(), desk.clock()
        self._reporting, self._readings = threading.Lock(), (library, dict[int, Reading]())
        with desk.reading() as connection:
            known = connection.execute(select(settings.c.value).where(settings.c.key == "revision")).scalar()
        if known != library.revision:
            self._compare("desk", library)

    def figures(self) -> list[Figure]:
        """The figures of the audit as it stands. They are computed once at a time; what was read is kept for the next.

        Raises:
            MachineError: a shard is missing or damaged.
        """
        with self._reporting:
            library, kept = self.library, self._readings
            if kept[0] is not library:
                kept = self._readings = (library, {})
            return figures_of(self.desk, library, kept[1])

    def check_dataset(self) -> None:
        """Refuse to go on while the dataset is not there: its samples are not broken.

        Raises:
            MachineError: it cannot be opened.
        """
        try:
            open_dataset(self.library.dataset.store.url)
        except ConfigError as error:
            raise MachineError(f"the dataset is not where it was: {self.library.dataset.store.url}") from error

    def follow_revision(self, alias: str, *, at_once: bool = False) -> None:
        """Open the dataset's newer revision, if there is one, and set aside the tasks whose texts it changed.

        Unless `at_once` is set, it is looked for every few seconds only.
        """
        with self._lock:
            if not at_once and 0 <= self.desk.clock() - self._looked < _LOOK_S:  # less than 0: the clock was set back
                return
            self._looked = self.desk.clock()
            try:
                newer = self.library.revised()
            except (
                ConfigError,
                MachineError,
            ) as error:  # it is just being published, or gone: what is open still reads
                log.warning("the dataset cannot be opened again: %s", error)
                return
            if newer is not None:
                self._compare(alias, newer)
                self.library = newer

    def _compare(self, alias: str, library: Library) -> None:
        with self.desk.reading() as connection:
            opened = connection.execute(select(tasks).where(tasks.c.state == "open")).all()
        stale = [task.task_id for task in opened if not is_current(task, library)]
        if stale:
            log.warning("%d tasks are set aside: the dataset was revised, and their samples changed", len(stale))
            set_aside(self.desk, alias, stale, "stale", f"changed by revision {library.revision}")
        with self.desk.writing() as connection:
            query = update(settings).where(settings.c.key == "revision").values(value=library.revision)
            if not connection.execute(query).rowcount:
                connection.execute(insert(settings).values(key="revision", value=library.revision))
