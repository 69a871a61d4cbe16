"""Files that commands write, and standard output."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import Buffer

from pipeline.errors import ConfigError, Problem


@contextmanager
def writing(out: Path, option: str = "--out") -> Iterator[Path]:
    """Make the folder that a file goes to, and say in a line what is wrong if the file cannot be written.

    Args:
        out: the file.
        option: of the command line, that names it.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield out
    except (OSError, ValueError) as error:  # the latter from Pillow, of a suffix that is no picture's
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(
            [Problem(option, f"{out}, which cannot be written ({said})", "a file in a folder")]
        ) from error


def lasting(out: io.TextIOWrapper) -> io.TextIOWrapper:
    """Standard output that outlives its reader: after `| head` has what it wants, the rest goes nowhere."""
    try:
        number = out.fileno()
    except io.UnsupportedOperation:
        return out  # no file of the system: within another program
    out.flush()
    pipe = io.BufferedWriter(_Pipe(number, "w", closefd=False))
    return io.TextIOWrapper(pipe, out.encoding, line_buffering=out.line_buffering)


class _Pipe(io.FileIO):
    def write(self, data: Buffer) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)
