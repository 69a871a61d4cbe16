"""Which units share a shard: of even size, whole, and mostly where they were when others come and go."""

import h3
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.grouping import MIXED, Group, Load, group
from pipeline.publishing.units import UnitPart
from schemas.records import Split

CELLS = sorted(h3.grid_disk(h3.latlng_to_cell(52.3, 13.4, 9), 9))
SIZES = st.lists(st.floats(1, 3e7), min_size=1, max_size=len(CELLS))


def load(unit: str, size: float, region: str = "north", split: Split = "train", content: str = "a") -> Load:
    return Load(UnitPart(region, unit, content, (f"{region}-{unit}",), (0, 0, 0, 0), None, ()), split, size)


def grouped(loads: list[Load], shard_bytes: float = 1e6, *, mix_regions: bool = False) -> list[Group]:
    return group(loads, shard_bytes, mix_regions=mix_regions)


@given(SIZES, st.floats(1e6, 4e8), st.randoms())
def test_units_stay_whole_and_shards_small(sizes: list[float], shard_bytes: float, order: st.DrawFn) -> None:
    size = dict(zip(CELLS, sizes, strict=False))
    loads = [load(unit, size[unit]) for unit in size]
    groups = grouped(loads, shard_bytes)
    assert sorted(part.unit for found in groups for part in found.parts) == sorted(size)
    for found in groups:
        units = [part.unit for part in found.parts]
        assert units == sorted(units)
        assert len(units) == 1 or sum(size[unit] for unit in units) <= 1.42 * shard_bytes
    order.shuffle(loads)  # type: ignore[attr-defined]
    assert grouped(loads, shard_bytes) == groups


def test_sizes_lie_around_what_was_asked() -> None:
    for count in (40, 100, len(CELLS)):
        found = grouped([load(unit, 1e5) for unit in CELLS[:count]], 1e6)
        sizes = [len(members.parts) * 1e5 for members in found]
        assert max(sizes) <= 1.42e6
        assert 0.6e6 <= sum(sizes) / len(sizes) <= 1.42e6


@given(st.sets(st.sampled_from(CELLS), min_size=1, max_size=40), st.sampled_from(CELLS))
def test_a_unit_more_or_less_concerns_two_shards_at_most(units: set[str], other: str) -> None:
    few = grouped([load(unit, 3e5) for unit in units - {other}])
    many = grouped([load(unit, 3e5) for unit in units | {other}])
    assert sum(found not in few for found in many) <= 2
    assert sum(found not in many for found in few) <= 2


def test_another_content_concerns_one_shard() -> None:
    before = grouped([load(unit, 1e5) for unit in CELLS])
    after = grouped([load(unit, 1e5, content="b" if unit == CELLS[7] else "a") for unit in CELLS])
    assert len(before) > 10
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_regions_and_splits_are_apart_unless_regions_are_mixed() -> None:
    loads = [
        load(CELLS[0], 5.0, "b", "val"),
        load(CELLS[1], 5.0, "a", "train"),
        load(CELLS[0], 5.0, "a", "val"),
        load(CELLS[2], 5.0, "b", "val"),
    ]
    assert [(g.split, g.name, [p.unit for p in g.parts]) for g in grouped(loads)] == [
        ("train", "a", [CELLS[1]]),
        ("val", "a", [CELLS[0]]),
        ("val", "b", [CELLS[0], CELLS[2]]),
    ]
    mixed = grouped(loads, mix_regions=True)
    assert [(g.split, g.name, [(p.region, p.unit) for p in g.parts]) for g in mixed] == [
        ("train", MIXED, [("a", CELLS[1])]),
        ("val", MIXED, [("a", CELLS[0]), ("b", CELLS[0]), ("b", CELLS[2])]),
    ]


def test_one_region_more_leaves_the_others_alone_unless_regions_are_mixed() -> None:
    one = [load(unit, 1e5, "a") for unit in CELLS[:100]]
    two = [*one, *(load(unit, 1e5, "b") for unit in CELLS[100:120])]
    assert all(found in grouped(two) for found in grouped(one))
    assert any({"a", "b"} <= {part.region for part in found.parts} for found in grouped(two, mix_regions=True))


def test_more_of_one_place_than_fits_is_one_shard() -> None:
    loads = [load(CELLS[0], 9e6, region) for region in ("a", "b", "c")]
    assert len(grouped(loads, mix_regions=True)) == 1
