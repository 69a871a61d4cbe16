"""Which regions are held out, and that what is published keeps its split."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pytest

from pipeline.config.build import Build
from pipeline.engine.build_file import load_build, parse_build
from pipeline.errors import ConfigError
from pipeline.publishing.division import Places
from pipeline.publishing.keys import NO_KEYS
from pipeline.publishing.splits import NOTHING, RegionSplit, Remembered, draw_splits, held_out

CATALOGUE = Path(__file__).parents[2] / "configs" / "world-225.yaml"


@pytest.fixture(scope="module")
def catalogue() -> Build:
    return load_build(CATALOGUE)


def with_unseen(build: Build, share: float, **publish: Any) -> Build:
    rest = (1 - share) / 10
    splits = {"train": 8 * rest, "val": rest, "test_seen": rest, "test_unseen": share}
    section = type(build.publish).model_validate({"splits": splits} | publish)
    return build.model_copy(update={"publish": section})


def test_every_continent_gives_its_part(catalogue: Build) -> None:
    held = held_out(with_unseen(catalogue, 0.2), {})
    of = {region.name: region.continent for region in catalogue.regions}
    assert len(held) == 45
    counts = {continent: sum(of[name] == continent for name in held) for continent in set(of.values())}
    assert counts == {"AF": 5, "AS": 12, "EU": 12, "NA": 8, "OC": 3, "SA": 5}
    assert held != held_out(with_unseen(catalogue, 0.2).model_copy(update={"seed": 1}), {})


def test_a_region_keeps_what_it_was_when_others_come(catalogue: Build) -> None:
    fewer = catalogue.model_copy(update={"regions": catalogue.regions[:100]})
    first = held_out(with_unseen(fewer, 0.1), {})
    before = {region.name: region.name in first for region in fewer.regions}
    second = held_out(with_unseen(catalogue, 0.1), before)
    assert second & {region.name for region in fewer.regions} == first
    assert 22 <= len(second) <= 24  # the parts of continents are rounded twice


def test_named_regions_are_held_out_first_and_never_one_that_was_seen(catalogue: Build) -> None:
    build = with_unseen(catalogue, 0.1, unseen_regions=["jp-tokyo", "fr-paris"])
    assert {"jp-tokyo", "fr-paris"} <= held_out(build, {})
    assert len(held_out(build, {})) == 22
    with pytest.raises(ConfigError, match=r"publish\.unseen_regions: found fr-paris, published as seen before"):
        held_out(build, {"fr-paris": False, "jp-tokyo": True})


def test_a_continent_is_that_of_the_nearest_catalogue_region() -> None:
    raw = {
        "name": "b", "workspace": "w", "dataset": "d", "sources": {"street": {"t": {"type": "world"}},
        "map": {"m": {"type": "world"}}}, "imagery": {"anonymiser": "none"},
        "regions": [
            {"name": "boulder", "bbox": [-105.31, 39.99, -105.24, 40.04]},
            {"name": "fiji", "centre": [-17.7, 179.9], "radius_m": 40_000},
            {"name": "here", "centre": [41.0, 28.9], "radius_m": 900, "continent": "AS"},
            {"catalogue": "jp-tokyo"},
        ],
    }  # fmt: skip
    assert [region.continent for region in parse_build(raw, base=Path()).regions] == ["NA", "OC", "AS", "AS"]


def places_of(cells: list[str], sites: int = 5) -> Places:
    every = [cell for cell in cells for _ in range(sites)]
    lat, lon = np.array([h3.cell_to_latlng(cell) for cell in every]).T
    return Places(np.array(every, np.object_), lat, lon, NO_KEYS, np.zeros(len(every), np.bool_))


NORTH = [h3.latlng_to_cell(52.2 + 0.03 * (i // 10), 13.2 + 0.03 * (i % 10), 9) for i in range(60)]
SOUTH = [h3.latlng_to_cell(-34.2 + 0.03 * (i // 10), 18.3 + 0.03 * (i % 10), 9) for i in range(60)]


def drawn(build: Build, cells: dict[str, list[str]], before: Remembered = NOTHING) -> Any:
    region = np.array([name for name, its in cells.items() for _ in its for _ in range(5)], np.object_)
    return draw_splits(build, places_of([cell for its in cells.values() for cell in its]), region, before, 30.0)


def test_regions_are_filled_each_on_its_own(make_build: Callable[..., Build]) -> None:
    both, regions = drawn(make_build(), {"north": NORTH, "south": SOUTH})
    alone, _ = drawn(make_build(), {"north": NORTH})
    assert {cell: both[cell] for cell in NORTH} == alone
    assert not any(told.held_out for told in regions.values())
    for cells in (NORTH, SOUTH):
        assert [[both[cell] for cell in cells].count(name) for name in ("train", "val", "test_seen")] == [48, 6, 6]


def test_a_held_out_region_is_whole_and_the_others_have_their_shares(make_build: Callable[..., Build]) -> None:
    splits = {"train": 0.4, "val": 0.05, "test_seen": 0.05, "test_unseen": 0.5}
    found, regions = drawn(make_build(splits=splits), {"north": NORTH, "south": SOUTH})
    (held,) = [name for name, told in regions.items() if told.held_out]
    whole, other = (NORTH, SOUTH) if held == "north" else (SOUTH, NORTH)
    assert {found[cell] for cell in whole} == {"test_unseen"}
    assert [[found[cell] for cell in other].count(name) for name in ("train", "val", "test_seen")] == [48, 6, 6]


def test_what_was_drawn_stays_when_a_region_grows(make_build: Callable[..., Build]) -> None:
    build = make_build()
    before, regions = drawn(build, {"north": NORTH[:30]})
    after, _ = drawn(build, {"north": NORTH, "south": SOUTH}, Remembered(before, regions))
    assert {cell: after[cell] for cell in NORTH[:30]} == before
    assert 4 <= [after[cell] for cell in NORTH].count("test_seen") <= 8
    again, told = drawn(build, {"north": NORTH[:30]}, Remembered(before, regions))
    assert (again, told) == (before, {"south": RegionSplit(False, None)} | regions)


def test_regions_without_room_are_divided_together(make_build: Callable[..., Build]) -> None:
    found, _ = drawn(make_build(), {"north": NORTH[:2], "south": SOUTH[:2]})
    assert sorted(found.values()) == ["test_seen", "train", "train", "val"]


def test_block_size_can_be_set(make_build: Callable[..., Build]) -> None:
    found, regions = drawn(make_build(block_resolution=6), {"north": NORTH})
    assert regions["north"] == RegionSplit(False, 6)
    by_block: dict[str, set[str]] = {}
    for cell, split in found.items():
        by_block.setdefault(h3.cell_to_parent(cell, 6), set()).add(split)
    assert {len(splits) for splits in by_block.values()} == {1}
