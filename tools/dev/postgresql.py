"""A real PostgreSQL of Debian's packages, started in a folder for tests and measurements."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


def programs() -> Path | None:
    """Folder of the newest PostgreSQL's programs; None where none is installed."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), default=None)


@contextmanager
def running(home: Path) -> Iterator[str]:
    """A server in a folder until the end of the block: `postgresql://postgres@127.0.0.1:PORT`.

    It does not wait for the disk, so it is for what ends with it.

    Raises:
        FileNotFoundError: no PostgreSQL is installed.
        subprocess.CalledProcessError: it does not start; its log is in the folder.
    """
    found = programs()
    if found is None:
        raise FileNotFoundError("no PostgreSQL: `apt-get install postgresql` installs Debian's")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    # PostgreSQL refuses to run as root, as in a container; then it runs as nobody.
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    if drop:
        for folder in (home, *list(home.parents)[:-2]):
            folder.chmod(folder.stat().st_mode | 0o011)
        shutil.chown(home, NOBODY, NOBODY)
    data = home / "data"

    def do(program: str, *arguments: str | Path) -> None:
        command = [*drop, found / program, "-D", data, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=home)  # noqa: S603 - Debian's programs

    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    do("initdb", "-A", "trust", "-U", "postgres")
    do("pg_ctl", "-o", options, "-l", home / "log", "-w", "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        do("pg_ctl", "-m", "immediate", "stop")
