"""Files that commands write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
