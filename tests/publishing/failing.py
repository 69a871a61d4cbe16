"""A folder to publish into in which something goes wrong at a change that can be chosen."""

from collections.abc import Callable
from pathlib import Path

from obstore.store import LocalStore

from pipeline.storage import Store


class Killed(BaseException):
    pass


class Failing(Store):
    """A store on which the nth change fails, by what `fail` does before or after it."""

    def __init__(self, folder: Path, changes: int, fail: Callable[[], None], *, after: bool = False) -> None:
        super().__init__(str(folder), LocalStore(folder), folder)
        self.left = changes
        self.fail, self.after = fail, after

    def _change(self, change: Callable[[], object]) -> None:
        if self.left == 0 and not self.after:
            self.fail()
        change()
        if self.left == 0 and self.after:
            self.fail()
        self.left -= 1

    def write(self, path: str, data: bytes) -> None:
        self._change(lambda: super(Failing, self).write(path, data))

    def adopt_new(self, temporary: Path, path: str) -> bool:
        self._change(lambda: super(Failing, self).adopt_new(temporary, path))
        return True

    def delete(self, path: str) -> None:
        self._change(lambda: super(Failing, self).delete(path))


def kill() -> None:
    raise Killed
