"""Drawing the sites of builds over the network: what a plan says that it takes, and regions where nothing is."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.engine.build import run_build
from pipeline.engine.build_file import load_build
from pipeline.engine.cost import plan
from pipeline.stopping import clear_stop
from tests.dev.standin.here import running_here
from tests.standin_builds.builds import (
    KEY_ENV,
    geoscribe_here,
    imagery_rows,
    mapillary,
    overpass,
    panoramax,
    tiles,
    write_build,
)
from tools.dev.standin import Fault, Match, Part, Plan, Rule, Running

HERE: dict[str, Any] = {"name": "vieux-port", "centre": [46.1591, -1.1520], "radius_m": 450}
EMPTY: dict[str, Any] = {"name": "sahara", "centre": [22.0, 10.0], "radius_m": 500}
"""Land, where the stand-in has no photo."""
SEA = [{"name": f"sea-{i}", "centre": [40.0, -40.0 - i], "radius_m": 500} for i in range(2)]
FEW = {"spacing_m": 60, "max_sites": 6}
DRAWN = {"map": {"type": "world", "seed": 3}}


@pytest.fixture(scope="module")
def standin() -> Iterator[Running]:
    """Without faults."""
    with running_here() as server:
        yield server


def kartaview(server: Running) -> dict[str, Any]:
    """A section of a street source."""
    return {
        "type": "kartaview",
        "endpoint": f"{server.api}/kartaview",
        "allowed_hosts": [server.pictures_host],
        "rate": {"per_s": 50, "at_once": 8},
    }


def planned_and_asked(kind: str, method: str, folder: Path, standin: Running, **changes: Any) -> tuple[int, int]:
    """Requests that a plan counts for drawing sites by a method, and those that drawing them then takes."""
    clear_stop()

    def build(how: str) -> Any:
        few = changes | {"regions": [HERE], "sampling": FEW | {"method": how}}
        return load_build(write_build(folder / how, standin, **few))

    def counted(how: str) -> int:
        return sum(source.requests for source in plan(build(how)).sources if source.kind == kind)

    before = len(standin.log())
    planned = counted(method) - counted("grid")  # which takes none
    assert len(standin.log()) == before
    assert run_build(build(method), stages=("sites",)).not_drawn == []
    return planned, len(standin.log()) - before


@pytest.mark.parametrize("street", [panoramax, mapillary, kartaview])
def test_a_plan_counts_what_drawing_at_photos_asks(
    street: Callable[[Running], dict[str, Any]], standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENV, standin.key)
    photos = {"photos": street(standin)}
    planned, asked = planned_and_asked("street", "imagery", tmp_path, standin, sources__street=photos)
    assert 0 < asked == planned


def test_a_plan_counts_what_drawing_along_roads_asks(standin: Running, tmp_path: Path) -> None:
    around = {"map": overpass(standin)}
    planned, asked = planned_and_asked("map", "roads", tmp_path, standin, sources__map=around)
    assert 0 < asked == planned


def test_a_region_where_the_network_has_nothing_is_told_and_the_others_are_built(
    standin: Running, tmp_path: Path
) -> None:
    file = write_build(tmp_path, standin, regions=[EMPTY, HERE], sources__map=DRAWN, sampling=FEW)
    why = "region without sites: no photo of the street source street within sahara"
    first = geoscribe_here("build", file, "--stages", "imagery")
    assert first.returncode == 0, first.stderr
    assert why in first.stdout
    assert "region sahara has no sites" in first.stderr
    rows = list(imagery_rows(tmp_path).values())
    assert Counter(row.region for row in rows) == {"vieux-port": 6}
    natives = [row.aerial.native_gsd_m for row in rows if row.aerial]
    assert natives
    assert natives == [pytest.approx(0.414, abs=0.003)] * len(
        natives
    )  # zoom 18, the coarsest as fine as the 0.6 m asked for
    assert {row.map.native_gsd_m for row in rows if row.map} == {None}  # drawn
    again = geoscribe_here("build", file, "--stages", "imagery")
    assert again.returncode == 0
    assert "tables made: none" in again.stdout.splitlines()
    assert why in again.stdout  # it was asked again: it may have photos by then


def test_a_build_without_a_site_is_refused_and_names_all_its_regions(standin: Running, tmp_path: Path) -> None:
    regions = [EMPTY, EMPTY | {"name": "tibesti", "centre": [21.0, 17.0]}]
    said = geoscribe_here("build", write_build(tmp_path, standin, regions=regions, sampling=FEW))
    assert said.returncode == 2
    assert "configuration error (2 problems)" in said.stderr
    assert "within sahara" in said.stderr
    assert "within tibesti" in said.stderr


def test_regions_whose_source_is_out_of_order_are_told_and_hold_nobody_back(tmp_path: Path) -> None:
    broken = Plan(rules=[Rule(match=Match(part=Part.VECTOR), fault=Fault.SERVER_ERROR)])
    with running_here() as sound, running_here(broken) as server:
        street = {"street": panoramax(server), "other": panoramax(sound)}
        of = {"a": "street", "b": "other", "c": "street"}
        regions = [HERE | {"name": name, "street": source} for name, source in of.items()]
        changes = {
            "sources__street": street,
            "sources__map": DRAWN,
            "sampling": FEW | {"max_sites": 2},
            "network__tries": 2,
        }
        file = write_build(tmp_path, server, regions=regions, limits__allowed_failed_share=0.5, **changes)
        said = geoscribe_here("build", file, "--stages", "imagery")
        assert said.returncode == 1, said.stderr
        for name in ("a", "c"):
            assert f"region not drawn: the sites of region {name} cannot be drawn: " in said.stdout
        assert "2 of 3 regions were not drawn" in said.stdout
        assert {row.region for row in imagery_rows(tmp_path).values()} == {"b"}
        told = geoscribe_here("status", tmp_path / "workspace").stdout
        assert told.count("region not drawn: ") == 2

        file = write_build(tmp_path, server, regions=[HERE | {"name": n, "street": "other"} for n in of], **changes)
        again = geoscribe_here("build", file, "--stages", "imagery")
        assert again.returncode == 0, again.stderr
        assert {row.region for row in imagery_rows(tmp_path).values()} == {"a", "b", "c"}
        assert "not drawn" not in geoscribe_here("status", tmp_path / "workspace").stdout


def test_regions_on_open_water_are_all_named_before_anybody_is_asked(standin: Running, tmp_path: Path) -> None:
    sampling = FEW | {"method": "uniform"}
    file = write_build(tmp_path, standin, regions=[HERE, *SEA], sources__map=DRAWN, sampling=sampling)
    before = len(standin.log())
    said = geoscribe_here("build", file)
    assert said.returncode == 2
    assert "regions.1: found sea-0" in said.stderr
    assert "regions.2: found sea-1" in said.stderr
    assert len(standin.log()) == before


def test_coverage_tells_shares_reasons_and_regions_without_sites(standin: Running, tmp_path: Path) -> None:
    file = write_build(tmp_path, standin, regions=[HERE, EMPTY], sources__map=DRAWN, sampling=FEW | {"distractors": 2})
    before = len(standin.log())
    said = geoscribe_here("coverage", file, "--out", tmp_path / "coverage.png", "--sites", "4")
    assert said.returncode == 0, said.stderr
    rows = {line.split()[0]: line.split() for line in said.stdout.splitlines() if line.strip()}
    assert rows["vieux-port"][1:3] == ["6", "4"]
    assert rows["vieux-port"][4] == "100%"
    assert rows["sahara"][1:6] == ["0", "0", "0%", "0%", "0%"]
    assert "no photo of the street source street within sahara" in said.stdout
    picture = Image.open(tmp_path / "coverage.png").convert("RGB")
    assert (34, 139, 84) in {colour for _, colour in picture.getcolors(1 << 24) or []}  # of sites that have everything
    assert Part.PICTURE not in {entry.part for entry in standin.log()[before:]}


def test_a_failed_site_keeps_why_it_lacks_other_views(tmp_path: Path) -> None:
    taken_down = Plan(rules=[Rule(match=Match(part=Part.PICTURE), fault=Fault.NOT_FOUND)])
    with running_here(taken_down) as server:
        corner = {"aerial": tiles(server) | {"bbox": [-1.1470, 46.1591, -1.1400, 46.1700]}}
        changes = {"sources__map": DRAWN, "sources__aerial": corner, "sampling": FEW}
        file = write_build(tmp_path, server, regions=[HERE], limits__allowed_missing_share=1.0, **changes)
        assert geoscribe_here("build", file, "--stages", "imagery").returncode == 0
    rows = list(imagery_rows(tmp_path).values())
    assert "gone" in {row.reason for row in rows}
    assert ("aerial", "no_overlap") in {(view.view, view.reason) for row in rows for view in row.missing}
