"""Scores the composer on the synthetic world: `python -m tools.dev.bench.composer FOLDER [SITES]`.

Builds a larger demo (`configs/demo.yaml`, real OCR and the default segmenter, 500 sites by default) in FOLDER, where
a build that was stopped goes on, and prints what `geoscribe report` says of its descriptions, with 95 % intervals.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from tools.dataset import open_dataset
from tools.metrics.intervals import Estimate
from tools.report.captions import EVIDENCE, REPETITION, WORDS, Captions, Measure, measure

DEMO = Path(__file__).parents[3] / "configs" / "demo.yaml"
RADIUS_M = 1_500


def larger_demo(folder: Path, sites: int) -> dict[str, Any]:
    """The demo's build file with so many sites, in a folder of its own."""
    raw: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    raw |= {"workspace": str(folder / "workspace"), "dataset": str(folder / "dataset")}
    for region in raw["regions"]:
        region["radius_m"] = RADIUS_M
    raw["sampling"]["max_sites"] = sites // len(raw["regions"])
    return raw


def show(found: Captions) -> None:
    """Print the figures of all samples together."""
    whole = found.rows[0]
    print(f"{whole.drawn} descriptions")
    for measure_ in (*EVIDENCE, *WORDS, *REPETITION):
        _line(measure_, whole.figures[measure_.key])
    extra = {
        "directions against the truth": found.true_directions,
        "quoted words against the truth": found.true_quotes,
    }
    for title, figure in extra.items():
        _line(Measure("", title, ""), figure)
    _line(Measure("", "similarity of two texts", "", percent=False, decimals=3), found.similarity)


def _line(of: Measure, figure: Estimate | None) -> None:
    if figure is None:
        print(f"{of.title:32} none")
        return
    factor, unit, decimals = (100, " %", 1) if of.percent else (1, "", of.decimals)
    value, low, high = (f"{factor * number:.{decimals}f}" for number in (figure.value, figure.low, figure.high))
    print(f"{of.title:32} {value}{unit} ({low} to {high})")


def main(folder: Path, sites: int) -> None:
    outcome = run_build(parse_build(larger_demo(folder, sites), base=folder))
    print(f"{outcome.sites} sites; failed: {outcome.failed or 'none'}")
    show(measure(open_dataset(str(folder / "dataset"))))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 500)
