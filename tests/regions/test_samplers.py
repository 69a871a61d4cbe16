"""Samplers: sites keep their distance, stay where they are, lie where they should, and weigh what they stand for."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from pipeline.config.region import Region
from pipeline.config.sampling import Sampling
from pipeline.errors import ConfigError
from pipeline.geo.shape import box_area_m2
from pipeline.regions.ground import Ground
from pipeline.regions.land import land_mask
from pipeline.regions.sampling import draw, sample
from pipeline.regions.thinning import Cap, thin
from pipeline.sources.base import Road
from schemas.records import Site
from tests.regions.conftest import PARIS, MakeGround, Photos, Roads, photo, road

CITY = [
    road(f"way-{n}", category, (48.845 + n * 0.002, 2.33), (48.845 + n * 0.002, 2.375))
    for n, category in enumerate(["residential", "primary", "footway", "motorway", "tertiary_link", "residential"])
]
PHOTOS = [
    photo(n, 48.8566 + dy / 250, 2.3522 + dx / 250, sequence=f"s{n % 7}", author=f"a{n % 3}")
    for n, (dx, dy) in enumerate(np.random.default_rng(3).normal(size=(900, 2)).tolist())
]
METHODS: dict[str, dict[str, Any]] = {
    "imagery": {"photos": PHOTOS},
    "uniform": {"max_sites": 120},
    "grid": {},
    "roads": {"roads": CITY},
}


def least_distance(sites: list[Site]) -> float:
    lon, lat = np.array([s.lon for s in sites]), np.array([s.lat for s in sites])
    i, j = np.triu_indices(len(sites), 1)
    return float(Geod(ellps="WGS84").inv(lon[i], lat[i], lon[j], lat[j])[2].min())


def places(sites: list[Site]) -> set[tuple[str, float, float, str]]:
    return {(site.site_id, site.lat, site.lon, site.unit) for site in sites}


@pytest.mark.parametrize("method", METHODS)
def test_sites_keep_their_distance_and_lie_in_the_region(method: str, ground: MakeGround) -> None:
    sites = sample(ground(method=method, spacing_m=90, **METHODS[method]))
    assert len(sites) > 50
    assert least_distance(sites) >= 89.99
    assert PARIS.contains(np.array([s.lon for s in sites]), np.array([s.lat for s in sites])).all()
    assert len({site.site_id for site in sites}) == len(sites)
    assert [site.unit for site in sites] == sorted(site.unit for site in sites)


@pytest.mark.parametrize("method", METHODS)
def test_more_sites_never_move_those_there_are(method: str, ground: MakeGround) -> None:
    few, more = (
        sample(ground(method=method, spacing_m=90, **METHODS[method] | {"max_sites": count})) for count in (20, 45)
    )
    assert (len(few), len(more)) == (20, 45)
    assert places(few) < places(more)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_what_sources_give_does_not_matter_and_the_seed_does(method: str, ground: MakeGround) -> None:
    given_ = METHODS[method] | {"max_sites": 30}
    turned = {key: list(reversed(value)) if isinstance(value, list) else value for key, value in given_.items()}
    sites = sample(ground(method=method, spacing_m=90, **given_))
    assert sites == sample(ground(method=method, spacing_m=90, **turned))
    assert places(sites) != places(sample(ground(seed=2, method=method, spacing_m=90, **given_)))


def test_uniform_sites_are_alike_by_area_and_weigh_the_land(ground: MakeGround) -> None:
    north = Region(name="north", bbox=(20.0, 64.0, 24.0, 68.0))
    drawn = draw(ground(north, method="uniform", spacing_m=1, max_sites=4_000))
    # Nearly all of it is land: half of the sites lie on either side of the latitude that halves the box's area.
    lower = np.degrees(np.arcsin((np.sin(np.radians(64)) + np.sin(np.radians(68))) / 2))
    lat = np.array([64.0, lower])
    assert box_area_m2((20, *lat[:1], 24, lower)) == pytest.approx(box_area_m2((20, lower, 24, 68)))
    land = draw(ground(north, method="grid", spacing_m=5_000))
    for half in (0, 1):
        mine, theirs = ((d.lat > lower) == bool(half) for d in (drawn, land))
        assert mine.mean() == pytest.approx(theirs.mean(), abs=0.03)
    assert drawn.weight.sum() == pytest.approx(land.weight.sum(), rel=0.02)
    assert len(set(drawn.weight.tolist())) == 1


def test_uniform_stops_where_there_is_no_room(ground: MakeGround) -> None:
    region = Region(name="small", centre=(48.8566, 2.3522), radius_m=300)
    sites = sample(ground(region, method="uniform", spacing_m=60, max_sites=10_000))
    assert 0.8 * 0.6966 < len(sites) * 60**2 / (np.pi * 330**2) < 0.75
    assert least_distance(sites) >= 59.99


def test_a_coast_is_kept_to(ground: MakeGround) -> None:
    region = Region(name="coast", centre=(43.295, 5.36), radius_m=6_000)
    for settings in ({"method": "uniform", "max_sites": 300}, {"method": "grid", "spacing_m": 400}):
        drawn = draw(ground(region, **settings))
        assert land_mask().is_land(drawn.lon, drawn.lat).all()
        assert drawn.weight.sum() < 0.9 * np.pi * 6_000**2


@pytest.mark.parametrize("method", ["uniform", "grid"])
@pytest.mark.parametrize(
    "region",
    [
        Region(name="taveuni", bbox=(179.85, -17.0, -179.8, -16.7)),
        Region(name="alta", centre=(69.97, 23.27), radius_m=4_000),
        Region(
            name="both-sides",
            polygon="MULTIPOLYGON (((179.8 -17, 180 -17, 180 -16.7, 179.8 -16.7, 179.8 -17)), "
            "((-180 -17, -179.8 -17, -179.8 -16.7, -180 -16.7, -180 -17)))",
        ),
    ],
    ids=lambda region: region.name,
)
def test_the_antimeridian_and_the_far_north(method: str, region: Region, ground: MakeGround) -> None:
    sites = sample(ground(region, method=method, spacing_m=500, max_sites=60))
    assert 20 < len(sites) <= 60
    assert least_distance(sites) >= 499.9
    lon = np.array([site.lon for site in sites])
    assert region.contains(lon, np.array([site.lat for site in sites])).all()
    if region.name != "alta":
        assert (lon > 0).any()
        assert (lon < 0).any()


def test_grid_points_stand_on_a_square_grid(ground: MakeGround) -> None:
    drawn = draw(ground(method="grid", spacing_m=250))
    x, y = ground().frame.to_metres(drawn.lon, drawn.lat)
    assert np.abs(x / 250 - np.round(x / 250)).max() < 1e-3
    assert np.abs(y / 250 - np.round(y / 250)).max() < 1e-3
    assert len(drawn.lon) == pytest.approx(np.pi * 2_000**2 / 250**2, rel=0.05)
    assert drawn.weight.tolist() == pytest.approx([250**2] * len(drawn.lon))


@pytest.mark.parametrize("method", ["uniform", "grid"])
def test_open_water_is_refused_and_swapped_coordinates_are_guessed(method: str, ground: MakeGround) -> None:
    with pytest.raises(ConfigError, match="on open water") as caught:
        sample(ground(Region(name="sea", centre=(0.0, -20.0), radius_m=5_000), method=method, max_sites=5))
    assert "swapped" not in str(caught.value)
    with pytest.raises(ConfigError, match="latitude and longitude swapped it would be on land"):
        sample(ground(Region(name="santiago", centre=(-70.67, -33.45), radius_m=5_000), method=method, max_sites=5))


def test_an_island_that_the_mask_lacks_can_still_be_sampled_at_photos_and_along_roads(ground: MakeGround) -> None:
    islet = Region(name="islet", centre=(57.596, -13.687), radius_m=500)  # Rockall
    with pytest.raises(ConfigError, match=r"sampling\.method imagery or roads"):
        sample(ground(islet, method="uniform", max_sites=5))
    assert sample(ground(islet, photos=[photo(1, 57.596, -13.687)], method="imagery"))
    path = road("w", "residential", (57.595, -13.687), (57.597, -13.687))
    assert sample(ground(islet, roads=[path], method="roads"))


def test_what_a_sampler_lacks_is_said(ground: MakeGround) -> None:
    with pytest.raises(ConfigError, match=r"regions\.0: found no photo of the street source photos within paris;"):
        sample(ground(method="imagery"))
    with pytest.raises(ConfigError, match=r"none that|may be used \(1 unusable_licence\)"):
        sample(ground(method="imagery", photos=[photo(1, 48.8566, 2.3522, bad=True)]))
    with pytest.raises(ConfigError, match=r"sampling\.max_sites"):
        sample(ground(method="uniform"))
    with pytest.raises(ConfigError, match="no road of plan within paris"):
        sample(ground(method="roads", roads=[road("w", "motorway", (48.85, 2.35), (48.86, 2.35))]))
    made = ground(method="roads")
    with pytest.raises(ConfigError, match="no map source that knows them"):
        sample(Ground(PARIS, made.sampling, 1, made.street, None, 20.0, "regions.0"))
    with pytest.raises(ConfigError, match=r"sampling\.max_per_sequence.*which sequence"):
        sample(ground(method="imagery", photos=[photo(1, 48.8566, 2.3522)], max_per_sequence=3))
    with pytest.raises(ConfigError, match=r"sampling\.spacing_m.*points"):
        sample(ground(Region(name="wide", centre=(48.0, 2.0), radius_m=100_000), method="grid", spacing_m=10))


def test_roads_are_drawn_by_length_and_class_and_weigh_their_metres(ground: MakeGround) -> None:
    region = Region(name="r", centre=(48.85, 2.35), radius_m=9_000)
    roads = [
        road(f"{category}-{n}", category, (48.80 + n * 0.002 + shift, 2.28), (48.80 + n * 0.002 + shift, 2.42))
        for shift, category in ((0.0, "residential"), (0.001, "service"))
        for n in range(50)
    ]
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for seed in range(6):
        drawn = draw(ground(region, seed=seed, roads=roads, method="roads", max_sites=1_500))
        for lat, weight in zip(drawn.lat.tolist(), drawn.weight.tolist(), strict=True):
            category = "service" if round((lat - 48.80) * 1_000) % 2 else "residential"
            sums[category] += weight / 6
            counts[category] += 1
    assert counts["service"] / counts["residential"] == pytest.approx(0.3, rel=0.12)
    # Half of the roads' metres are of each class, whatever was drawn more often.
    assert sums["service"] / sums["residential"] == pytest.approx(1.0, rel=0.12)
    everything = draw(ground(region, roads=roads, method="roads"))
    assert everything.weight.sum() == pytest.approx(sum(sums.values()), rel=0.05)


def test_all_of_a_road_is_used_where_nothing_limits_it(ground: MakeGround) -> None:
    drawn = draw(ground(roads=CITY[5:], method="roads", spacing_m=40))
    length = Geod(ellps="WGS84").line_length(CITY[5].lon, CITY[5].lat)
    assert drawn.weight.sum() == pytest.approx(length, rel=0.01)
    assert 0.7 < len(drawn.lon) * 40 / length < 0.95


def test_degenerate_roads_are_passed_over(ground: MakeGround) -> None:
    odd = [
        road("point", "residential", (48.8566, 2.3522)),
        road("still", "residential", (48.8566, 2.3522), (48.8566, 2.3522)),
        Road("none", "residential", np.array([]), np.array([])),
        Road("nan", "residential", np.array([2.35, np.nan]), np.array([48.85, 48.86])),
    ]
    assert places(sample(ground(roads=[*odd, *CITY], method="roads"))) == places(
        sample(ground(roads=CITY, method="roads"))
    )


@pytest.mark.parametrize("method", METHODS)
def test_caps_count_the_photo_at_or_nearest_to_a_site(method: str, ground: MakeGround) -> None:
    made = ground(
        method=method,
        spacing_m=60,
        max_per_sequence=4,
        max_per_contributor=9,
        **{"photos": PHOTOS} | METHODS[method] | ({"max_sites": 400} if method == "uniform" else {}),
    )
    sites = sample(made)
    lon, lat = np.array([p.position.lon for p in PHOTOS]), np.array([p.position.lat for p in PHOTOS])
    sequences: Counter[str | None] = Counter()
    authors: Counter[str] = Counter()
    for site in sites:
        around = np.flatnonzero((np.abs(lon - site.lon) < 4e-4) & (np.abs(lat - site.lat) < 4e-4))  # at least 29 m
        here = np.full(around.size, site.lon), np.full(around.size, site.lat)
        distance = Geod(ellps="WGS84").inv(*here, lon[around], lat[around])[2]
        if distance.size and distance.min() <= 19.9:
            nearest = PHOTOS[around[distance.argmin()]]
            sequences[nearest.sequence] += 1
            authors[nearest.author] += 1
    assert 0 < max(sequences.values()) <= 4
    assert 0 < max(authors.values()) <= 9


def test_photos_that_a_cap_refuses_are_stood_for_by_their_group(ground: MakeGround) -> None:
    for settings in ({}, {"max_per_sequence": 3}, {"max_per_contributor": 5}, {"max_sites": 12}):
        drawn = draw(ground(method="imagery", photos=PHOTOS, spacing_m=50, **settings))
        assert drawn.weight.sum() == pytest.approx(len(PHOTOS))


@given(
    st.lists(st.tuples(st.floats(-200, 200), st.floats(-200, 200), st.integers(-1, 2)), max_size=80),
    st.floats(1, 120),
    st.none() | st.integers(1, 20),
    st.integers(1, 4),
)
def test_thinning_is_what_it_says(
    candidates: list[tuple[float, float, int]], spacing: float, most: int | None, cap: int
) -> None:
    x, y, group = (np.array(column) for column in zip(*candidates, strict=True)) if candidates else (np.zeros(0),) * 3
    thinned = thin(x, y, spacing, most, [Cap(group.astype(np.int64), cap)])
    taken: list[int] = []
    for i in range(thinned.visited):
        near = [j for j in taken if np.hypot(x[i] - x[j], y[i] - y[j]) < spacing]
        full = group[i] >= 0 and sum(group[j] == group[i] for j in taken) >= cap
        if near:
            assert int(thinned.taken[thinned.keeper[i]]) in near
        elif full:
            assert thinned.keeper[i] == -1
        else:
            taken.append(i)
    assert thinned.taken.tolist() == taken
    assert thinned.visited == len(candidates) or len(taken) == most
    assert thinned.stands_for(np.ones(thinned.visited)).sum() == pytest.approx(thinned.visited)


def test_the_catalogue_s_regions_have_room_for_4600_sites(ground: MakeGround) -> None:
    made = Ground(
        Region(name="fj-lautoka", centre=(-17.61686, 177.45049), radius_m=3_000),
        Sampling(method="uniform", max_sites=4_600),
        225,
        Photos([]),
        Roads([]),
        20.0,
        "regions.0",
    )
    assert len(draw(made).lon) == 4_600
