"""The audit desk under load: a dataset of copies of synthetic places, a real server, and what works at it.

    python -m tools.dev.bench.audit dataset FOLDER [SAMPLES]          # 10,000; the others need it
    python -m tools.dev.bench.audit keys FOLDER [PRESSES]             # Chromium: from a key to the next sample
    python -m tools.dev.bench.audit load FOLDER [MINUTES] [sqlite|postgresql]
    python -m tools.dev.bench.audit report FOLDER                     # the report of some 10,000 decisions
    python -m tools.dev.bench.audit recall [ANNOTATORS]               # skill of simulated annotators, found again

One region is one lot of acceptance sampling, so that what is counted for a lot is in each figure.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from tools.dev.bench.audit_desk import make_dataset, server
from tools.dev.bench.audit_keys import keys
from tools.dev.bench.audit_load import ANNOTATORS, load
from tools.dev.bench.audit_recall import recall
from tools.dev.bench.audit_report import report
from tools.dev.postgresql import running as postgresql


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "dataset":
        make_dataset(Path(rest[0]).resolve(), int(rest[1]) if rest[1:] else 10_000)
    elif what == "keys":
        with tempfile.TemporaryDirectory() as home, server(Path(rest[0]), f"{home}/audit.sqlite", 8791) as running:
            keys(running, int(rest[1]) if rest[1:] else 300)
    elif what == "load":
        minutes, kind = float(rest[1]) if rest[1:] else 5.0, rest[2] if rest[2:] else "sqlite"
        with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
            database = f"{home}/audit.sqlite"
            if kind == "postgresql":
                (Path(home) / "server").mkdir()
                database = f"{stack.enter_context(postgresql(Path(home) / 'server'))}/postgres"
            load(stack.enter_context(server(Path(rest[0]), database, 8792, ANNOTATORS)), minutes, kind)
    elif what == "report":
        with tempfile.TemporaryDirectory() as home, server(Path(rest[0]), f"{home}/audit.sqlite", 8793, 1) as running:
            report(running)
    elif what == "recall":
        recall(int(rest[0]) if rest else 40)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).parents[3]))
    main()
