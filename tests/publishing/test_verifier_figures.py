"""What manifest and card say of the verifier, and what publish does with one that cannot be believed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h3
import pytest

from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue, Grounding, Verifier
from pipeline.errors import MachineError
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.records import Control
from tests.publishing.folders import SMALL, put, tree
from tools.dataset import open_dataset
from tools.report.page import render_report
from tools.verify.verify import verify

MakeUnit = Callable[..., FinishedUnit]
MakeBuild = Callable[..., Build]


def control(kind: Any, holds: bool, answer: Any, counted: bool = True) -> Control:
    return Control(kind=kind, text="A red door is ahead.", holds=holds, answer=answer, counted=counted)


SHARP = [
    control("side", False, "no"), control("side", False, "cannot"), control("look", False, "yes"),
    control("sign", True, "yes"), control("sign", True, "no"), control("look", False, "yes", counted=False),
]  # fmt: skip
SLEEPY = [control("side", False, "yes"), control("look", False, "yes")]


def units(make_unit: MakeUnit, controls: list[Control]) -> list[FinishedUnit]:
    first, second = sorted(h3.grid_disk(h3.latlng_to_cell(40.0, -105.0, 9), 20))[:2]
    return [
        make_unit("north", first, sites=4, bad=1, controls=controls), make_unit("south", second, sites=3)
    ]  # fmt: skip


def by_a_model(build: Build, **grounding: Any) -> Build:
    judge = Verifier(model="judge|1", endpoints=["http://127.0.0.1:1/v1"])
    captioner = Dialogue(engine="dialogue", model="writer", verifier=judge)
    return build.model_copy(update={"captioner": captioner, "grounding": Grounding.model_validate(grounding)})


def test_manifest_card_and_report_have_the_measured_errors_with_intervals(
    make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    manifest = put(by_a_model(make_build(**SMALL)), units(make_unit, SHARP), tmp_path)
    found = manifest.counts.verifier
    assert list(found) == ["all", "look", "side", "sign"]
    assert (found["all"].false_accept.wrong, found["all"].false_accept.of) == (4, 12)  # four sites; one does not count
    assert (found["side"].false_accept.wrong, found["side"].false_accept.of) == (0, 8)
    assert (found["sign"].false_refuse.wrong, found["sign"].false_refuse.of) == (4, 8)
    assert found["sign"].false_accept.share is None
    assert 0.13 < found["all"].false_accept.low < 1 / 3 < found["all"].false_accept.high < 0.61

    card = (tmp_path / "README.md").read_text()
    assert "The verifier is judge\\|1." in card
    assert "| `all` | 4 of 12 | 33.3% (13.8% to 60.9%) | 4 of 8 | 50.0% (21.5% to 78.5%) |" in card
    assert "| `sign` | 0 of 0 |  | 4 of 8 |" in card
    page = render_report(open_dataset(str(tmp_path)))
    assert "33.3% (13.8% to 60.9%)" in page
    assert "controls below" in page
    assert verify(open_store(str(tmp_path))) == []


def test_without_a_verifier_nothing_is_said_of_one(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    manifest = put(make_build(**SMALL), units(make_unit, []), tmp_path)
    assert manifest.counts.verifier == {}
    assert "verifier" not in (tmp_path / "README.md").read_text()
    assert "no model judged the claims" in render_report(open_dataset(str(tmp_path)))


def test_a_build_whose_verifier_is_below_the_floor_is_not_published(
    make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    """However few controls each process saw: publish counts those of all sites."""
    floor = {"false_accept": 0.2, "min_controls": 8}
    build = by_a_model(make_build(**SMALL), verifier_floor=floor)
    with pytest.raises(
        MachineError, match=r"8 of 8 \(68% to 100%\), and grounding\.verifier_floor\.false_accept is 20%"
    ):
        put(build, units(make_unit, SLEEPY), tmp_path)
    assert not any(path.name.endswith((".parquet", "manifest.json")) for path in map(Path, tree(tmp_path)))
    put(
        by_a_model(make_build(**SMALL), verifier_floor=floor | {"min_controls": 9}),
        units(make_unit, SLEEPY),
        tmp_path,
    )
