import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.config.build import SplitShares
from pipeline.publishing.splits import SPLITS, assign, block_of, embargoed

SHARES = SplitShares()


def cells(count: int) -> list[str]:
    return [h3.latlng_to_cell(-40 + 0.3 * (i // 20), 0.3 * (i % 20), 7) for i in range(count)]


def test_a_block_is_two_levels_up_but_never_fine() -> None:
    unit = h3.latlng_to_cell(37.57, 126.98, 9)
    assert block_of(unit) == h3.cell_to_parent(unit, 7)
    assert block_of(h3.latlng_to_cell(37.57, 126.98, 11)) == h3.latlng_to_cell(37.57, 126.98, 7)
    assert h3.get_resolution(block_of(h3.latlng_to_cell(37.57, 126.98, 5))) == 3


def test_more_blocks_move_no_block() -> None:
    few, many = (dict.fromkeys(cells(count), 60) for count in (60, 300))
    before, after = assign(few, SHARES, 1), assign(many, SHARES, 1)
    assert set(before.values()) == set(SPLITS)
    assert before == {block: after[block] for block in few}


def test_shares_are_kept() -> None:
    splits = list(assign(dict.fromkeys(cells(400), 60), SplitShares(train=0.5, val=0.2, test=0.3), 3).values())
    assert {name: round(splits.count(name) / 400, 1) for name in SPLITS} == {"train": 0.5, "val": 0.2, "test": 0.3}


@given(st.dictionaries(st.sampled_from(cells(40)), st.integers(1, 100), min_size=1, max_size=12), st.integers(0, 999))
def test_small_builds_have_all_splits(sites: dict[str, int], seed: int) -> None:
    splits = assign(sites, SHARES, seed)
    assert splits.keys() == sites.keys()
    assert "train" in splits.values()
    assert len(set(splits.values())) == min(3, len(sites))
    assert splits == assign(dict(reversed(sites.items())), SHARES, seed)


def test_a_share_of_zero_stays_empty() -> None:
    assert set(assign(dict.fromkeys(cells(100), 9), SplitShares(train=0.9, val=0.1, test=0), 0).values()) == {
        "train",
        "val",
    }
    assert set(assign(dict.fromkeys(cells(5), 9), SplitShares(train=1, val=0, test=0), 0).values()) == {"train"}


@pytest.mark.parametrize(("lat", "lon"), [(0.0, 0.0), (-17.7, 180.0), (78.2, 15.6), (89.999, 40.0)])
@given(seed=st.integers(0, 2**32))
def test_embargo_keeps_splits_apart_and_takes_no_more_than_it_must(lat: float, lon: float, seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    lats = np.clip(lat + rng.uniform(-0.01, 0.01, 60), -90, 90)
    lons = (lon + rng.uniform(-0.01, 0.01, 60) + 180) % 360 - 180
    split = rng.choice(np.array(SPLITS), 60)
    out = embargoed(lats, lons, split, 217.0)

    geod = Geod(ellps="WGS84")
    i, j = np.divmod(np.arange(3600), 60)
    metres = geod.inv(lons[i], lats[i], lons[j], lats[j])[2].reshape(60, 60)
    near = metres < 216.99  # chord and geodesic differ by far less than a centimetre at this length
    rank = np.array([SPLITS.index(name) for name in split])
    kept = ~out
    assert not (near & kept[:, None] & kept[None] & (rank[:, None] != rank[None])).any()
    stronger = (metres < 217.01) & kept[None] & (rank[None] > rank[:, None])
    assert stronger[out].any(axis=1).all()
    assert not out[split == "test"].any()


def test_embargo_of_nothing() -> None:
    empty = np.array([], dtype=np.float64)
    assert embargoed(empty, empty, np.array([], dtype="U5"), 217.0).tolist() == []
