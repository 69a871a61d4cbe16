"""A dataset of copies of synthetic places, and a real server of the audit desk on it."""

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import insert

from pipeline.publishing.publish import publish
from pipeline.storage import open_store
from tools.audit.database.opening import Desk, open_desk
from tools.audit.database.tables import settings
from tools.audit.decisions import decide
from tools.audit.library import Library
from tools.audit.people import Person, enrol
from tools.audit.plan_file import Plan
from tools.audit.plans import make_plan
from tools.audit.queue import take
from tools.audit.records import Decision
from tools.dataset import open_dataset
from tools.dev.bench.revisions import bench_build, finished, make_layers

SITES = 40
"""Sites of a unit."""
SIDE_PX = 640
DECIDED = 2_000
"""Decisions that are in the log before anything is measured."""


def make_dataset(folder: Path, samples: int, side_px: int = SIDE_PX) -> None:
    """Publish so many copies of built places, with their pictures (long side, pixels)."""
    folder.mkdir(parents=True, exist_ok=True)
    build = bench_build(folder, side_px)
    layers = make_layers(build, samples // SITES, SITES)
    store = open_store(build.workspace)
    units = [finished(store, files) for files in layers]
    done = publish(build, units, open_store(build.dataset), synthetic={"town", "above", "plan"}, provenance={})
    print(f"{sum(s.rows for s in done.shards)} samples, {sum(s.bytes for s in done.shards) / 1e6:.0f} MB")


@dataclass(frozen=True)
class Server:
    """A running `geoscribe audit`."""

    url: str
    desk: Desk
    library: Library
    process: psutil.Process
    tokens: dict[str, str]

    def memory_mb(self) -> float:
        """Resident memory, MB."""
        return float(self.process.memory_info().rss / 1e6)


@contextlib.contextmanager
def server(folder: Path, database: str, port: int, people: int = 0) -> Iterator[Server]:
    """The desk on the dataset, with one queue of all samples, and `DECIDED` of them decided.

    Args:
        folder: of `make_dataset`.
        database: path or URL.
        port: to listen on.
        people: how many have a token; with none there is one person, who needs none.
    """
    desk, library = open_desk(database), Library(open_dataset(str(folder / "dataset")))
    manifest = library.dataset.manifest
    with desk.writing() as connection:  # the pictures of copies need no check
        for key, value in (("dataset", manifest.name), ("verified", manifest.digest)):
            connection.execute(insert(settings).values(key=key, value=value))
    n = len(library.facts)
    plan = Plan(name="bench", lot_size=n, accept_at_most=n // 2, double_share=0, attention_share=0)
    make_plan(desk, library, plan, "lead")
    enrol(desk, "early", "annotator", with_token=False)
    decide_some(desk, Person("early", "annotator"), min(DECIDED, n // 5))
    tokens = {f"p{i}": enrol(desk, f"p{i}", "annotator", with_token=True) for i in range(people)}
    command = [sys.executable, "-m", "tools.cli.main", "audit", str(folder / "dataset"), "--port", str(port)]
    process = subprocess.Popen([*command, "--database", database], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        yield Server(url, desk, library, psutil.Process(process.pid), tokens)
    finally:
        process.terminate()
        process.wait()
        desk.close()


def decide_some(desk: Desk, person: Person, count: int) -> None:
    """Accept so many tasks."""
    for _ in range(count):
        (task,) = take(desk, person, count=1)
        decision = Decision(
            decision_id=str(uuid.uuid4()), version=task.version, text_sha256=task.text_sha256, verdict="accept"
        )
        decide(desk, person, task.task_id, decision)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/login", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server ended before it answered")
