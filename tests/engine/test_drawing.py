"""Drawing sites as a step of the graph. The synthetic world's regions stand for ones that a network is asked for."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.build import Build
from pipeline.engine import drawing, prepared
from pipeline.engine.build import run_build
from pipeline.engine.drawing import read_note
from pipeline.engine.layers import list_layers
from pipeline.engine.progress import Progress
from pipeline.engine.units import NotDrawnError, commit_drawn
from pipeline.engine.workspace import collect_garbage, read_state
from pipeline.errors import ConfigError, MachineError, Problem
from pipeline.regions.ground import NothingThereError
from pipeline.stages import imagery
from pipeline.stopping import clear_stop
from pipeline.storage import open_store
from tests.command import run_here

HANGING_S = 120.0
Draw = Callable[..., Any]


@pytest.fixture
def drawn_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Draw]], None]:
    """Has regions be drawn by the graph, and by these functions those that are named."""
    monkeypatch.setattr(prepared, "asked_over_network", lambda _: ["a network"])

    def install(ways: dict[str, Draw]) -> None:
        def draw(build: Build, tools: Any, region: Any, *rest: Any) -> Any:
            return ways.get(region.name, commit_drawn)(build, tools, region, *rest)

        monkeypatch.setattr(drawing, "commit_drawn", draw)

    install({})
    return install


def raising(error: Exception) -> Draw:
    def draw(*_: Any) -> Any:
        raise error

    return draw


def files(build: Build) -> set[str]:
    return {file.path for file in list_layers(open_store(build.workspace))}


def test_units_of_a_region_go_on_while_another_is_drawn(
    small_build: Callable[..., Build],
    small_finished: Callable[..., Build],
    drawn_by: Callable[[dict[str, Draw]], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    went_on, fetch = threading.Event(), imagery.imagery
    overlapped = []

    def fetching(sites: Any, *rest: Any) -> Any:
        went_on.set()
        return fetch(sites, *rest)

    def slowly(*given: Any) -> Any:
        overlapped.append(went_on.wait(HANGING_S))
        return commit_drawn(*given)

    monkeypatch.setattr(imagery, "imagery", fetching)
    drawn_by({"south": slowly})
    shown: list[Progress] = []
    few = {"sampling__max_sites": 2}
    build = small_build(tmp_path / "drawn", **few)
    run_build(build, report=lambda progress: shown.append(dict(progress)))
    assert overlapped == [True]
    assert files(build) == files(small_finished(tmp_path / "before", **few))
    last = shown[-1]
    assert {key[0] for key in last} == {"north", "south"}
    assert all(stage.units_done == stage.units > 0 for stage in last.values())
    assert last["south", "sites"].counts.ok == 2


def test_regions_that_cannot_be_drawn_are_counted_noted_and_drawn_by_the_next_build(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    drawn_by({"south": raising(NotDrawnError("nobody answers"))})
    build = small_build(sampling__max_sites=2, limits__allowed_failed_share=0.4)
    stages = ("imagery", "cues", "captions")
    outcome = run_build(build, stages=stages)
    assert (outcome.not_drawn, outcome.empty, outcome.sites) == (["nobody answers"], [], 2)
    assert outcome.too_many_undrawn
    assert outcome.wanting
    store = open_store(build.workspace)
    assert [note.said for note in read_state(store).notes] == ["nobody answers"]
    collect_garbage(store)
    assert [note.said for note in read_state(store).notes] == ["nobody answers"]

    drawn_by({})
    mended = run_build(build, stages=stages)
    assert (mended.not_drawn, mended.sites) == ([], 4)
    assert not mended.wanting
    assert read_state(store).notes == []
    assert "undrawn" not in {entry.path.partition("/")[0] for entry in store.entries()}


def test_gc_keeps_rows_that_are_yet_to_be_carried_over(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    coarse = {"sampling__unit_resolution": 8}
    before = small_build(**coarse, sampling__max_sites=1)
    run_build(before, stages=("imagery",))
    drawn_by({"south": raising(NotDrawnError("nobody answers"))})
    grown = small_build(**coarse, sampling__max_sites=2)
    run_build(grown, stages=("sites",))
    store = open_store(grown.workspace)
    assert {(file.layer, file.region) for file in collect_garbage(store)} == {("sites", "north")}
    drawn_by({})
    run_build(grown, stages=("imagery",))
    left = {(file.layer, file.region) for file in collect_garbage(store)}
    assert left == {("imagery", "north"), ("imagery", "south"), ("sites", "south")}


def test_a_build_without_any_unit_is_not_called_finished(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    drawn_by({name: raising(NotDrawnError("nobody answers")) for name in ("north", "south")})
    build = small_build()
    with pytest.raises(MachineError, match="nobody answers"):
        run_build(build, stages=("imagery",))
    said = run_here("status", build.workspace, environment={}).stdout
    assert "no units yet, as it could not be drawn: 2 regions" in said
    assert "finished" not in said


def test_few_enough_undrawn_regions_are_allowed(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    drawn_by({"south": raising(NotDrawnError("nobody answers"))})
    build = small_build(sampling__max_sites=2, limits__allowed_failed_share=0.5)
    outcome = run_build(build, stages=("sites",))
    assert outcome.not_drawn == ["nobody answers"]
    assert not outcome.wanting


def test_a_build_of_which_no_region_could_be_drawn_stops_with_every_reason(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    empty = NothingThereError([Problem("regions.1", "no photo in south", "a region that has some")])
    drawn_by({"north": raising(NotDrawnError("nobody answers")), "south": raising(empty)})
    with pytest.raises(MachineError, match=r"^nobody answers$"):
        run_build(small_build())
    drawn_by({"north": raising(empty), "south": raising(empty)})
    with pytest.raises(ConfigError, match="no photo in south"):
        run_build(small_build())


def test_a_full_disk_stops_the_drawing_of_all(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    drawn_by({"south": raising(MachineError("the disk is full"))})
    with pytest.raises(MachineError, match="the disk is full"):
        run_build(small_build())
    clear_stop()


def test_a_limit_counts_units_in_the_order_of_regions(
    small_build: Callable[..., Build], drawn_by: Callable[[dict[str, Draw]], None]
) -> None:
    north_waits = threading.Event()

    def late(*given: Any) -> Any:
        assert north_waits.wait(HANGING_S)
        return commit_drawn(*given)

    def early(*given: Any) -> Any:
        file = commit_drawn(*given)
        north_waits.set()
        return file

    drawn_by({"north": late, "south": early})
    build = small_build(sampling__max_sites=2)
    run_build(build, stages=("imagery",), limit_units=1)
    made = [file for file in list_layers(open_store(build.workspace)) if file.layer == "imagery"]
    assert [file.region for file in made] == ["north"]


def test_a_note_of_another_recipe_or_a_damaged_one_says_nothing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.write("undrawn/north.json", b'["north", "abc", false, "nobody answers", []]')
    assert read_note(store, "north", "abc").said == "nobody answers"
    for recipe, data in (
        ("def", None),
        ("abc", b"{"),
        ("abc", b"[1]"),
        ("abc", b'["north", "abc", false, "x", [[1]]]'),
    ):
        if data is not None:
            store.write("undrawn/north.json", data)
        assert read_note(store, "north", recipe).said == "the sites of region north have not been drawn yet"
