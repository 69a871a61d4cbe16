"""Progress of a build: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table

from pipeline.engine.progress import Progress, StageProgress
from pipeline.net.outages import paused
from pipeline.stages import STAGES
from tools.cli.console import plain_console

ROWS = 24
"""A table taller than the terminal cannot be updated in place."""
PLAIN_EVERY_S = 10.0


@contextmanager
def progress_display() -> Iterator[Callable[[Progress], None]]:
    """Yields the function that shows how far a build is."""
    console = plain_console(stderr=True)
    started = time.monotonic()
    if not console.is_terminal:
        yield _plain(started)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda progress: live.update(_table(progress, time.monotonic() - started))


def _plain(started: float) -> Callable[[Progress], None]:
    done: set[tuple[str, str]] = set()
    said_at = started

    def report(progress: Progress) -> None:
        nonlocal said_at
        for key, stage in progress.items():
            if stage.units_done >= stage.units and key not in done:
                done.add(key)
                print(f"{key[0]} {key[1]}: {_words(stage)}", flush=True)
        now = time.monotonic()
        if now - said_at >= PLAIN_EVERY_S and any(s.units_done < s.units for s in progress.values()):
            said_at = now
            for name in (stage.name for stage in STAGES):
                stages = [stage for (_, n), stage in progress.items() if n == name]
                if stages and any(s.units_done < s.units for s in stages):
                    units, of = sum(s.units_done for s in stages), sum(s.units for s in stages)
                    print(f"{name}: {units} of {of} units, {_left(stages, now - started)}", flush=True)

    return report


def _words(stage: StageProgress) -> str:
    failed = ", ".join(f"{n} {reason}" for reason, n in stage.counts.failed.items())
    return f"{stage.units_done} of {stage.units} units, {stage.counts.ok} sites ok" + (
        f", failed: {failed}" if failed else ""
    )


def _left(stages: list[StageProgress], elapsed: float) -> str:
    done, of = sum(s.units_done for s in stages), sum(s.units for s in stages)
    if not done:
        return "time left unknown"
    seconds = elapsed * (of - done) / done
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"


def _table(progress: Progress, elapsed: float) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("region", "stage", "units", "sites ok", "failed", "sites/min", "left"):
        table.add_column(column, justify="right" if column in ("units", "sites ok", "sites/min") else "left")
    open_first = sorted(progress.items(), key=lambda item: item[1].units_done >= item[1].units)
    for (region, name), stage in open_first[:ROWS]:
        finished = stage.units_done >= stage.units
        table.add_row(
            region,
            name,
            f"{stage.units_done}/{stage.units}",
            str(stage.counts.ok),
            ", ".join(f"{n} {reason}" for reason, n in stage.counts.failed.items()) or "-",
            f"{stage.counts.total / elapsed * 60:.0f}" if elapsed > 0 else "",
            "done" if finished else _left([stage], elapsed),
        )
    if len(progress) > ROWS:
        table.add_row(f"and {len(progress) - ROWS} more")
    for host, why in sorted(paused().items()):
        table.add_row("paused", host, why[:80], style="bold yellow")
    return table
