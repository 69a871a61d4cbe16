"""The catalogue: what it promises, that the recipe makes it, and that an edited one is refused."""

from collections import Counter

import numpy as np
import pytest

from pipeline.errors import MachineError
from pipeline.regions.catalogue import CONTINENTS, PATH, SIZE, Entry, catalogue, decode, encode, nearest_ids
from pipeline.regions.land import land_mask
from tools.dev.datafiles.catalogue import LEAST_DISTANCE_KM, MOST_PER_COUNTRY, QUOTAS, recipe, slug


@pytest.mark.slow
@pytest.mark.seldom
def test_the_recipe_makes_the_file() -> None:
    assert encode(recipe()) == PATH.read_bytes().decode(), "run: python -m tools.dev.datafiles.catalogue"


def test_what_the_catalogue_promises() -> None:
    entries = list(catalogue().values())
    assert len(entries) == SIZE == 225
    assert len({entry.geonameid for entry in entries}) == SIZE
    assert Counter(entry.continent for entry in entries) == {c: sum(quota) for c, quota in QUOTAS.items()}
    assert set(QUOTAS) == set(CONTINENTS)
    assert max(Counter(entry.country for entry in entries).values()) <= MOST_PER_COUNTRY
    towns = [entry for entry in entries if entry.stratum == "town"]
    assert len(towns) == 45
    assert all(50_000 <= entry.population <= 500_000 for entry in towns)
    assert {entry.climate[0] for entry in entries} == set("ABCDE")
    assert len({entry.script for entry in entries}) >= 20
    lat, lon = np.array([e.lat for e in entries]), np.array([e.lon for e in entries])
    assert land_mask().is_land(lon, lat).mean() > 0.95


def test_regions_keep_their_distance() -> None:
    entries = list(catalogue().values())
    lat, lon = np.radians([e.lat for e in entries]), np.radians([e.lon for e in entries])
    xyz = np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    angles = np.arccos(np.clip(xyz @ xyz.T, -1, 1)) + 10 * np.eye(len(entries))
    assert angles.min() * 6_371 >= LEAST_DISTANCE_KM - 0.01


def test_a_catalogue_survives_its_file() -> None:
    entries = list(catalogue().values())
    odd = entries[0].model_copy(update={"name": 'Villa "X", North'})
    assert decode(encode([odd, *entries[1:]]), "here") == [odd, *entries[1:]]


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("Tokyo", "Tokio"),
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: "\n".join(text.splitlines()[:-1]) + "\n",
        lambda text: text.split("\n", 1)[1],
        lambda text: text.replace("recipe 1,", "recipe 2,"),
        lambda text: text[:0],
    ],
)
def test_an_edited_catalogue_is_refused_and_says_what_to_do(edit: object) -> None:
    text = PATH.read_text("utf-8")
    with pytest.raises(MachineError, match="install geoscribe again"):
        decode(edit(text), "catalogue.csv")  # type: ignore[operator]


def test_unknown_ids_are_told_with_the_nearest() -> None:
    assert nearest_ids("jp-tokio").startswith("an id of `geoscribe regions list` (did you mean jp-tokyo")
    assert "jp-tokyo" in nearest_ids("Tokyo")
    assert nearest_ids("qqqqqqq") == "an id of `geoscribe regions list`"


def test_names_become_ids() -> None:
    assert [slug(n) for n in ("São Paulo", "Łódź", "Xi\u2019an", "Diyarbak\u0131r", "Ho Chi Minh City")] == [
        "sao-paulo",
        "lodz",
        "xian",
        "diyarbakir",
        "ho-chi-minh-city",
    ]


def test_ids_are_names_of_regions() -> None:
    assert all(entry == Entry.model_validate(entry.model_dump()) for entry in catalogue().values())
    assert [id_ for id_ in catalogue() if not id_.startswith(catalogue()[id_].country.lower() + "-")] == []
