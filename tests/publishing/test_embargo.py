"""No two splits come near each other or share a photo, and no more is left out for it than must be."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.publishing.embargo import PRECEDENCE, embargoed, straddling
from pipeline.publishing.keys import keys_of
from pipeline.publishing.splits import SPLITS


@pytest.mark.parametrize(("lat", "lon"), [(0.0, 0.0), (-17.7, 180.0), (78.2, 15.6), (89.999, 40.0)])
@given(seed=st.integers(0, 2**32))
def test_embargo_keeps_splits_apart_and_takes_no_more_than_it_must(lat: float, lon: float, seed: int) -> None:
    rng = np.random.Generator(np.random.Philox(key=seed))
    lats = np.clip(lat + rng.uniform(-0.01, 0.01, 60), -90, 90)
    lons = (lon + rng.uniform(-0.01, 0.01, 60) + 180) % 360 - 180
    split = rng.choice(np.array(SPLITS), 60)
    old = rng.uniform(0, 1, 60) < 0.3
    because = embargoed(lats, lons, split, 217.0, old)
    out = because >= 0

    geod = Geod(ellps="WGS84")
    i, j = np.divmod(np.arange(3600), 60)
    metres = geod.inv(lons[i], lats[i], lons[j], lats[j])[2].reshape(60, 60)
    near = metres < 216.99  # chord and geodesic differ by far less than a centimetre at this length
    rank = np.array([PRECEDENCE.index(name) for name in split]) + 10 * old
    kept = ~out
    assert not (near & kept[:, None] & kept[None] & (split[:, None] != split[None])).any()
    for site in np.flatnonzero(out).tolist():
        stronger = because[site]
        assert kept[stronger]
        assert split[stronger] != split[site]
        assert rank[stronger] > rank[site]
        assert metres[site, stronger] < 217.01


def test_embargo_of_nothing() -> None:
    empty = np.array([], dtype=np.float64)
    assert embargoed(empty, empty, np.array([], dtype="U5"), 217.0).tolist() == []


KEYS = st.lists(st.tuples(st.sampled_from(SPLITS), st.sets(st.sampled_from("abcd"), max_size=2), st.booleans()))


@given(KEYS)
def test_no_key_is_in_two_splits(sites: list[tuple[str, set[str], bool]]) -> None:
    split = np.array([site[0] for site in sites], dtype="U16")
    keys = [sorted(site[1]) for site in sites]
    old = np.array([site[2] for site in sites], dtype=np.bool_)
    because = straddling(keys_of(pa.array(keys, pa.list_(pa.string())))[0], split, old)
    holders: dict[str, set[str]] = {}
    for site in np.flatnonzero(because < 0).tolist():
        for key in keys[site]:
            holders.setdefault(key, set()).add(split[site])
    assert all(len(names) == 1 for names in holders.values())
    for site in np.flatnonzero(because >= 0).tolist():
        stronger = because[site]
        assert because[stronger] < 0
        assert split[stronger] != split[site]
        assert set(keys[stronger]) & set(keys[site])
        assert (old[stronger], PRECEDENCE.index(split[stronger])) > (old[site], PRECEDENCE.index(split[site]))
