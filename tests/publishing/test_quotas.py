"""Shares are filled, block by block, and by what the embargo leaves."""

from collections import Counter
from collections.abc import Sequence

import h3
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.division import TOLERANCE, Places, Shares
from pipeline.publishing.keys import NO_KEYS, keys_of
from pipeline.publishing.quotas import block_of, divide
from schemas.records import Split

SHARES: Shares = {"train": 0.8, "val": 0.1, "test_seen": 0.1}
CENTRE = (48.2, 16.37)
EMBARGO_M = 217.0


def town(radius_m: float, sites: int, seed: int, *, keys: Sequence[Sequence[str]] | None = None) -> Places:
    """Sites around a centre, denser towards it, in units of resolution 9."""
    rng = np.random.Generator(np.random.Philox(key=seed))
    distance, turn = radius_m * rng.uniform(0, 1, sites), rng.uniform(0, 2 * np.pi, sites)
    lat = CENTRE[0] + distance * np.cos(turn) / 111_000
    lon = CENTRE[1] + distance * np.sin(turn) / 111_000 / np.cos(np.radians(CENTRE[0]))
    cells = np.array([h3.latlng_to_cell(*at, 9) for at in zip(lat, lon, strict=True)], dtype=np.object_)
    (its,) = keys_of(pa.array(keys, pa.list_(pa.string()))) if keys else (NO_KEYS,)
    return Places(cells, lat, lon, its, np.zeros(sites, np.bool_))


def split_units(places: Places, split_of: dict[str, Split]) -> Counter[str]:
    return Counter(split_of[cell] for cell in places.cell.tolist())


@pytest.mark.parametrize("radius_m", [1_500, 5_000, 20_000])
def test_a_region_with_room_gets_its_shares_whatever_its_size(radius_m: float) -> None:
    places = town(radius_m, 2_000, 5)
    found = divide(places, {}, SHARES, 0, EMBARGO_M, range(3, 10))
    assert found.filled
    assert found.deviation <= TOLERANCE
    blocks = {block_of(cell, found.resolution): split for cell, split in found.split_of.items()}
    assert all(blocks[block_of(cell, found.resolution)] == split for cell, split in found.split_of.items())
    assert set(blocks.values()) == set(SHARES)


def test_blocks_follow_the_size_of_the_region() -> None:
    small, large = (divide(town(r, 1_000, 1), {}, SHARES, 0, EMBARGO_M, range(3, 10)) for r in (1_500, 20_000))
    assert small.resolution > large.resolution
    assert small.lost > large.lost


def test_a_drive_through_the_town_is_made_up_for() -> None:
    """What lies on one capture sequence is in one split: shares are those of what is left."""
    keys = [["drive"] if number % 8 == 0 else [] for number in range(2_000)]
    found = divide(town(5_000, 2_000, 2, keys=keys), {}, SHARES, 0, EMBARGO_M, range(3, 10))
    assert found.filled
    assert 0.05 < found.lost < 0.3
    own = [[*shared, f"photo {number}"] for number, shared in enumerate(keys)]  # which part nothing
    assert divide(town(5_000, 2_000, 2, keys=own), {}, SHARES, 0, EMBARGO_M, range(3, 10)) == found


@given(st.integers(1, 12), st.integers(0, 99))
def test_small_regions_have_as_many_splits_as_blocks(count: int, seed: int) -> None:
    cells = [h3.latlng_to_cell(48 + 0.3 * i, 16.0, 9) for i in range(count) for _ in range(1 + i * seed % 7)]
    lat, lon = np.array([h3.cell_to_latlng(cell) for cell in cells]).T
    places = Places(np.array(cells, np.object_), lat, lon, NO_KEYS, np.zeros(len(cells), np.bool_))
    found = divide(places, {}, SHARES, seed, EMBARGO_M, [9])
    assert len(set(found.split_of.values())) == min(3, count)
    assert "train" in found.split_of.values()
    assert found.lost == 0
    assert divide(places.take(np.arange(len(places))[::-1]), {}, SHARES, seed, EMBARGO_M, [9]) == found


def test_what_is_known_stays_and_the_rest_makes_up_for_it() -> None:
    places = town(5_000, 2_000, 3)
    inner = sorted({cell for cell in places.cell.tolist() if h3.great_circle_distance(
        h3.cell_to_latlng(cell), CENTRE, unit="km") < 2})  # fmt: skip
    known: dict[str, Split] = dict.fromkeys(inner, "train")
    found = divide(places, known, SHARES, 0, EMBARGO_M, range(3, 10))
    assert all(found.split_of[cell] == "train" for cell in inner)
    assert found.filled


def test_a_share_of_zero_stays_empty() -> None:
    places = town(5_000, 500, 4)
    shares: Shares = {"train": 0.0, "val": 0.0, "test_seen": 1.0}
    assert set(divide(places, {}, shares, 0, EMBARGO_M, range(3, 10)).split_of.values()) == {"test_seen"}


def street(gaps_m: Sequence[float], *, per_stop: int = 5) -> Places:
    """Groups of sites along a street that runs east, each group in its own unit of resolution 10."""
    along = np.repeat(np.cumsum([0.0, *gaps_m]), per_stop) + np.tile(np.arange(per_stop) * 4.0, len(gaps_m) + 1)
    lon = CENTRE[1] + along / 111_195 / np.cos(np.radians(CENTRE[0]))
    lat = np.full(len(lon), CENTRE[0])
    stops = [h3.latlng_to_cell(CENTRE[0], lon[i - i % per_stop], 10) for i in range(len(lon))]
    return Places(np.array(stops, np.object_), lat, lon, NO_KEYS, np.zeros(len(lon), np.bool_))


@pytest.mark.parametrize("seed", range(5))
def test_a_small_place_is_cut_where_it_costs_least(seed: int) -> None:
    """Two hamlets: one stays whole, the other is cut once, at the wider gap, so that nothing is lost."""
    places = street([120, 120, 15_000, 120, 250, 120])
    found = divide(places, {}, SHARES, seed, EMBARGO_M, range(3, 11))
    assert not found.empty
    assert found.lost == 0
    assert set(found.split_of.values()) == set(SHARES)
    whole = [found.split_of[cell] for cell in dict.fromkeys(places.cell.tolist())]
    assert whole[:3] == ["train"] * 3
    assert whole[3] == whole[4] != whole[5] == whole[6]


def test_a_place_without_any_room_is_whole_where_splits_may_be_empty() -> None:
    places = street([120, 120, 120])
    forced = divide(places, {}, SHARES, 0, EMBARGO_M, range(3, 11))
    assert forced.lost >= 0.25
    whole = divide(places, {}, SHARES, 0, EMBARGO_M, range(3, 11), ["val", "test_seen"])
    assert set(whole.split_of.values()) == {"train"}
    assert (whole.lost, whole.empty) == (0, 0)
    roomy = town(5_000, 2_000, 5)
    filled = divide(roomy, {}, SHARES, 0, EMBARGO_M, range(3, 10), ["val", "test_seen"])
    assert filled == divide(roomy, {}, SHARES, 0, EMBARGO_M, range(3, 10))
