"""State of the running server: the database and the dataset, which may be revised meanwhile."""

import json
import logging
import threading
from typing import Any

from sqlalchemy import Row, insert, select, update

from pipeline.errors import ConfigError, MachineError
from tools.audit.attention import spoilt
from tools.audit.database.opening import Desk
from tools.audit.database.tables import settings, tasks
from tools.audit.library import Library
from tools.audit.queue import set_aside
from tools.audit.records import Planted, text_digest

log = logging.getLogger(__name__)
_LOOK_S = 10.0
"""How often it is looked whether the dataset was revised."""


class Room:
    """The open desk."""

    def __init__(self, desk: Desk, library: Library) -> None:
        """Sets tasks aside whose samples are not as they were when the tasks were drawn."""
        self.desk, self.library = desk, library
        self._lock, self._looked = threading.Lock(), desk.clock()
        with desk.reading() as connection:
            known = connection.execute(select(settings.c.value).where(settings.c.key == "revision")).scalar()
        if known != library.revision:
            self._compare("desk", library)

    def follow_revision(self, alias: str) -> None:
        """Open the dataset's newer revision, if there is one, and set aside the tasks whose texts it changed."""
        with self._lock:
            if self.desk.clock() < self._looked + _LOOK_S:
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

    def options(self, task: Row[Any]) -> list[str]:
        """The samples that a choice is between."""
        found: list[str] = json.loads(task.shown).get("options", [])
        return found

    def _compare(self, alias: str, library: Library) -> None:
        stale: list[str] = []
        with self.desk.reading() as connection:
            for task in connection.execute(select(tasks).where(tasks.c.state == "open")).all():
                facts = library.facts.get(task.sample_id)
                gone = facts is None or any(i not in library.facts for i in self.options(task))
                if gone or _digest(task, library) != task.text_sha256:
                    stale.append(task.task_id)
        if stale:
            log.warning("%d tasks are set aside: the dataset was revised, and their samples changed", len(stale))
            set_aside(self.desk, alias, stale, "stale", f"changed by revision {library.revision}")
        with self.desk.writing() as connection:
            query = update(settings).where(settings.c.key == "revision").values(value=library.revision)
            if not connection.execute(query).rowcount:
                connection.execute(insert(settings).values(key="revision", value=library.revision))


def _digest(task: Row[Any], library: Library) -> str:
    if not task.planted:
        return library.facts[task.sample_id].text_sha256
    sample, planted = library.sample(task.sample_id), Planted.model_validate_json(task.planted)
    if planted.before and planted.before not in {sentence.text for sentence in sample.sentences}:
        return ""  # the sentence that was made untrue is there no more
    return text_digest(spoilt(sample, planted))
