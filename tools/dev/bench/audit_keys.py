"""From a key press to the next sample shown, in Debian's Chromium (`python -m tools.dev.bench.audit keys`)."""

import shutil
import statistics
import time

from playwright.sync_api import Page, sync_playwright

from tools.dev.bench.audit_desk import Server

PACE_S = 1.0
"""Between two decisions of a fast annotator."""
AT_ONCE = 60
"""Decisions of the second run, as fast as the page takes them."""


def keys(server: Server, presses: int) -> None:
    """Accept samples by keyboard; print what the page itself measures from key to decoded picture."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(server.url)
        started = time.perf_counter()
        page.click("a.button")
        page.wait_for_selector(".large img")
        page.evaluate("document.querySelector('.large img').decode()")
        first = time.perf_counter() - started
        print(
            f"first page of the desk: {_bytes(page) / 1e3:.0f} kB without pictures, {first:.2f} s to the first sample"
        )
        _pressed(page, presses, PACE_S, f"{presses} samples, one a second")
        started = time.perf_counter()
        _pressed(page, AT_ONCE, 0.0, f"{AT_ONCE} samples as fast as the page takes them")
        print(f"  {60 * AT_ONCE / (time.perf_counter() - started):.0f} decisions a minute")
        print(f"server: {server.memory_mb():.0f} MB, {len(server.library.facts)} samples in the dataset")
        browser.close()


def _bytes(page: Page) -> int:
    """Bytes of all that the page loaded from the server but the pictures of samples."""
    found: int = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter(e => !e.name.includes('/api/tasks/')).reduce((sum, e) => sum + e.transferSize, 0)"
    )
    return found


def _pressed(page: Page, presses: int, pace_s: float, what: str) -> None:
    page.evaluate("performance.clearMeasures()")
    for n in range(presses):
        page.wait_for_selector("main[data-ready]")
        page.keyboard.press("a")
        while page.evaluate("performance.getEntriesByName('next-sample').length") <= n:
            page.wait_for_timeout(2)
        page.wait_for_timeout(1000 * pace_s)
    times = page.evaluate("performance.getEntriesByName('next-sample').map(e => e.duration)")
    cuts = statistics.quantiles(times, n=20)
    print(
        f"{what}: median {statistics.median(times):.0f} ms, 95th percentile {cuts[18]:.0f} ms, most {max(times):.0f} ms"
    )
