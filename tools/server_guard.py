"""Runs a model server and ends it, with its workers, when the process that asked for it is gone: however that ended.

`python server_guard.py COMMAND...`, a script of its own that imports nothing of ours. The one who starts it keeps the
other end of its standard input, which closes with that process, also when it is killed outright. It is to be the
leader of a session (`start_new_session`), so that its process group is the server and the server's workers.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_GRACE_S = 5.0
"""For a server that is told to end while nobody waits for it."""


def main() -> int:
    """Run the command; its exit code is ours."""
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - our parent's command
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    alone = threading.Event()
    threading.Thread(target=_watch, args=(server, alone), daemon=True).start()
    code = server.wait()
    if alone.is_set():
        os.killpg(os.getpgrp(), signal.SIGKILL)  # its workers, and us
    return code if code >= 0 else 128 - code  # as a shell says it


def _watch(server: "subprocess.Popen[bytes]", alone: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    alone.set()
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(_GRACE_S)
        return
    server.kill()


if __name__ == "__main__":
    sys.exit(main())
