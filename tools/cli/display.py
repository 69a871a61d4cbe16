"""Progress of a build: a live table on a terminal, a line a minute elsewhere."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.console import ConsoleDimensions, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.engine.counts import Counts
from pipeline.engine.progress import SITES, Progress, StageProgress
from pipeline.net import traffic
from pipeline.net.outages import paused
from pipeline.quantity import quantity
from pipeline.stages import STAGES
from tools.cli.console import plain_console, time_words
from tools.cli.rates import Rates

PLAIN_EVERY_S = 60.0
_NAMES = (SITES, *(stage.name for stage in STAGES))
_PROVIDERS = 5
"""Providers that are shown, the busiest ones."""
_BETWEEN = 2
"""Blanks between two columns of the regions."""

Traffic = Mapping[str, Mapping[str, int]]


@contextmanager
def progress_display() -> Iterator[Callable[[Progress], None]]:
    """Yields the function that shows how far a build is."""
    console = plain_console(stderr=True)
    if not console.is_terminal:
        lines = PlainProgress(lambda line: print(line, flush=True))
        try:
            yield lines.report
        finally:
            lines.end()
        return
    table = LiveTable()
    with Live(Text("getting ready ..."), console=console, refresh_per_second=4, transient=True) as live:
        yield lambda progress: live.update(
            table.render(progress, traffic.counted(), paused(), console.size, time.monotonic())
        )


class PlainProgress:
    """A line a minute, and one at the end; each with the time (UTC)."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rates = Rates()
        self._said_at: float | None = None
        self._last = ""

    def report(self, progress: Progress) -> None:
        """Take note of the progress, and say it if it is time to."""
        self.at(progress, time.monotonic(), datetime.now(UTC))

    def at(self, progress: Progress, now: float, clock: datetime) -> None:
        """As `report`, at a moment: `now` in monotonic seconds, `clock` for people."""
        totals = totals_of(progress)
        self._rates.note(now, _sites(progress))
        said = [_stage_words(name, one, self._rates) for name, one in totals.items()]
        self._last = f"{clock:%Y-%m-%dT%H:%M:%SZ} {'; '.join(said)}" if said else ""
        if self._said_at is None:
            self._said_at = now  # there is nothing to tell yet
        elif now - self._said_at >= PLAIN_EVERY_S:
            self._said_at = now
            self._flush()

    def end(self) -> None:
        """Say how far it came."""
        self._flush()

    def _flush(self) -> None:
        if self._last:
            self._say(self._last)
        self._last = ""


class LiveTable:
    """Regions that are worked on, totals, and providers; never larger than the terminal."""

    def __init__(self) -> None:
        self._rates = Rates()

    def render(
        self, progress: Progress, asked: Traffic, held: Mapping[str, str], size: ConsoleDimensions, now: float
    ) -> Group:
        """The renderable to show.

        Args:
            progress: of the build.
            asked: requests and bytes by provider.
            held: why hosts are paused.
            size: of the terminal.
            now: monotonic seconds.
        """
        counts = _sites(progress)
        for name, of in asked.items():
            counts["requests", name], counts["bytes", name] = of.get("requests", 0), of.get("bytes", 0)
        self._rates.note(now, counts)
        words = [_stage_words(name, one, self._rates) for name, one in totals_of(progress).items()]
        totals = [Text(line) for said in words for line in wrap(said, size.width)]
        pauses = [
            Text(f"paused: {host}: {why}", style="bold yellow", no_wrap=True, overflow="ellipsis")
            for host, why in sorted(held.items())[:_PROVIDERS]
        ]
        below: list[Table | Text] = [*totals, *([self._providers(asked)] if asked else []), *pauses]
        taken = len(totals) + (min(len(asked), _PROVIDERS) + 1 if asked else 0) + len(pauses)
        return Group(self._regions(progress, max(1, size.height - taken - 3), size.width), *below)

    def _regions(self, progress: Progress, rows: int, width: int) -> Table:
        """The regions on which most is being done, then those that are not finished."""
        regions = dict.fromkeys(region for region, _ in progress)
        rate = {r: max(self._rates.per_s(("sites", r, name)) for name in _NAMES[1:]) for r in regions}
        order = sorted(regions, key=lambda region: (_finished(progress, region), -rate[region]))
        lines = [(region, *_region_cells(progress, region, rate[region])) for region in order[:rows]]
        header = ("region", *_NAMES, "failed", "sites/min")
        numbers = sum(max(map(cell_len, column)) + _BETWEEN for column in list(zip(header, *lines, strict=True))[1:])
        room = max(len(header[0]), width - numbers)  # a long name is cut off before any number is
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in header:
            table.add_column(column, justify="left" if column == header[0] else "right", no_wrap=True)
        for name, *cells in lines:
            table.add_row(name if cell_len(name) <= room else set_cell_size(name, room - 1) + "…", *cells)
        rest = order[rows:]
        if rest:
            done = sum(_finished(progress, region) for region in rest)
            table.add_row(f"and {len(rest)} more: {done} done", style="dim")
        return table

    def _providers(self, asked: Traffic) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("provider", no_wrap=True)
        for column in ("requests", "per s", "MB/s"):
            table.add_column(column, justify="right", no_wrap=True)
        for name in sorted(asked, key=lambda name: -self._rates.per_s(("requests", name)))[:_PROVIDERS]:
            per_s, size = self._rates.per_s(("requests", name)), self._rates.per_s(("bytes", name))
            table.add_row(name, f"{asked[name].get('requests', 0):,}", f"{per_s:.1f}", f"{size / 1e6:.1f}")
        return table


def _sites(progress: Progress) -> dict[Hashable, float]:
    """Finished sites and units by stage, and sites by region and stage."""
    counts: dict[Hashable, float] = {}
    for (region, name), stage in progress.items():
        counts["sites", name] = counts.get(("sites", name), 0.0) + stage.counts.total
        counts["units", name] = counts.get(("units", name), 0.0) + stage.units_done
        counts["sites", region, name] = stage.counts.total
    return counts


def totals_of(progress: Progress) -> dict[str, StageProgress]:
    """All regions together, by stage."""
    found: dict[str, StageProgress] = {}
    for name in _NAMES:
        ones = [stage for (_, n), stage in progress.items() if n == name]
        if ones:
            counts = sum((stage.counts for stage in ones), Counts(0, {}))
            found[name] = StageProgress(sum(s.units for s in ones), sum(s.units_done for s in ones), counts)
    return found


def _stage_words(name: str, stage: StageProgress, rates: Rates) -> str:
    what = "regions" if name == SITES else "units"
    words = f"{name}: {stage.units_done:,} of {stage.units:,} {what}"
    failed = sum(stage.counts.failed.values())
    if failed:
        words += f", {quantity(failed, 'site')} failed"
    if stage.units_done >= stage.units:
        return words + ", done"
    per_min = rates.per_s(("sites", name)) * 60
    return f"{words}, {per_min:.0f} sites/min, {_left(stage, rates.per_s(('units', name)))}"


def _left(stage: StageProgress, units_per_s: float) -> str:
    if units_per_s <= 0:
        return "time left unknown"
    return f"about {time_words((stage.units - stage.units_done) / units_per_s, digits=0)} left"


def _region_cells(progress: Progress, region: str, per_s: float) -> list[str]:
    failed = sum(sum(progress[region, n].counts.failed.values()) for n in _NAMES if (region, n) in progress)
    cells = [_cell(name, progress.get((region, name))) for name in _NAMES]
    return [*cells, f"{failed:,}" if failed else "-", f"{per_s * 60:.0f}"]


def _finished(progress: Progress, region: str) -> bool:
    stages = [progress[region, name] for name in _NAMES if (region, name) in progress]
    return all(stage.units_done >= stage.units for stage in stages)


def _cell(name: str, stage: StageProgress | None) -> str:
    if stage is None:
        return ""
    if name == SITES:
        return f"{stage.counts.total:,}" if stage.units_done else "..."
    return f"{stage.units_done:,}/{stage.units:,}"
