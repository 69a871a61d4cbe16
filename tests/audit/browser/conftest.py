"""A real browser, Debian's Chromium, and a real server in a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright
from sqlalchemy import insert

from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from tests.engine.conftest import write_small
from tests.real_places import geoscribe, write_real
from tools.audit.database.opening import Desk, open_desk
from tools.audit.database.tables import settings
from tools.dataset import open_dataset

ROOT = Path(__file__).parents[3]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window. Absent: the test is skipped, or failed where CI=true."""
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "no Chromium: `make test-browser` installs Debian's"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        # There is no network for it but this machine.
        alone = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        started = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--enable-unsafe-swiftshader", alone]
        )
        yield started
        started.close()


@dataclass
class Server:
    """`geoscribe audit` on a dataset, which tests may kill and start again."""

    dataset: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.dataset.with_name(f"{self.dataset.name}.audit.sqlite")

    def command(self, *args: str | Path) -> str:
        """Another command on the same audit."""
        done = subprocess.run(
            [sys.executable, "-m", "tools.cli.main", "audit", *map(str, args)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def take_as_verified(self) -> None:
        """Skip `verify`, for a dataset that a test made by hand."""
        desk = open_desk(str(self.database))
        with desk.writing() as connection:
            manifest = open_dataset(str(self.dataset)).manifest
            for key, value in (("dataset", manifest.name), ("verified", manifest.digest)):
                connection.execute(insert(settings).values(key=key, value=value))
        desk.close()

    def plan(self, text: str) -> None:
        """Draw a queue."""
        file = self.dataset.with_name("plan.yaml")
        file.write_text(text)
        self.command("plan", self.dataset, file)

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.cli.main", "audit", str(self.dataset), "--port", str(self.port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.url}/login", timeout=5):
                    return self
            except urllib.error.HTTPError as error:
                error.close()
                return self
            except OSError:
                assert self.process.poll() is None, "the server ended before it answered"
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """As a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def opened(self) -> Desk:
        """The database, read from outside."""
        return open_desk(str(self.database), create=False)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Path], Server]]:
    """Copies a dataset and makes a server for it, which is not started yet."""
    made: list[Server] = []

    def server(dataset: Path) -> Server:
        copy = tmp_path / f"copy-{len(made)}" / "dataset"
        shutil.copytree(dataset, copy)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            made.append(Server(copy, free.getsockname()[1]))
        return made[-1]

    yield server
    for one in made:
        one.kill()


@dataclass
class Watched:
    """A page of which all is noted that should not happen."""

    page: Page
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def said(self, message: ConsoleMessage) -> None:
        """Note an error in the console."""
        if message.type == "error":
            self.errors.append(message.text)

    def asked_by_dialog(self, dialog: Dialog) -> None:
        """Note a dialog, and close it."""
        self.errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def left(self, asked: str, home: str) -> None:
        """Note a request to another place."""
        if not asked.startswith((home, "blob:")):
            self.elsewhere.append(asked)


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Opens a page in a new browser profile."""
    contexts = []

    def opened(url: str, width: int = 1280, height: int = 800, theme: str = "light") -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type]  # light or dark
        )
        contexts.append(context)
        watched = Watched(context.new_page())
        page = watched.page
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("console", watched.said)
        page.on("dialog", watched.asked_by_dialog)
        page.on("request", lambda asked: watched.left(asked.url, url))
        page.goto(url)
        return watched

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of the synthetic world, with 360-degree photos."""
    changes = {
        "sources__street": {"town": {"type": "world", "seed": 3, "panoramas": 1.0}},
        "imagery__long_side_px": 640,
        "sampling__max_sites": 12,
    }
    folder = tmp_path_factory.mktemp("synthetic")
    run_build(load_build(write_small(folder, changes)))
    return folder / "dataset"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """A dataset of real photos of Seoul, some of them 360 degrees, with its map; it has no aerial view."""
    folder = tmp_path_factory.mktemp("real")
    geoscribe("build", write_real(folder, corpus, "seoul", sampling={"max_sites": 10}))
    return folder / "dataset"


@pytest.fixture(params=["synthetic", "real"])
def place(request: pytest.FixtureRequest) -> Path:
    """Both datasets, one after the other."""
    found: Path = request.getfixturevalue(request.param)
    return found


def at_work(watched: Watched) -> Page:
    """The page, once it shows a task."""
    page = watched.page
    page.click("a.button")
    page.wait_for_selector("main[data-ready]")
    return page


def press(page: Page, key: str) -> None:
    """Press a key that judges, once the sample is on the screen: before that it does nothing."""
    page.wait_for_selector("main[data-ready]")
    page.keyboard.press(key)


def settled(page: Page) -> None:
    """Wait until the server has every decision, and the next sample is on the screen."""
    expect(page.locator(".status")).not_to_contain_text("saving", timeout=30_000)
    page.wait_for_selector("main[data-ready]")
