"""Regions of a build have nothing to do with one another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.build import Build
from pipeline.engine.build_file import load_build
from pipeline.engine.units import sample_region
from pipeline.registry.registry import Registry
from pipeline.stages.imagery import imagery
from tests.engine.conftest import SMALL

WriteConfig = Callable[..., Path]


@pytest.mark.parametrize("method", ["imagery", "uniform", "grid", "roads"])
def test_another_region_moves_no_site(method: str, small_config: WriteConfig) -> None:
    sampling = {"method": method, "spacing_m": 40, "max_sites": 12, "unit_resolution": 10}
    north, south = SMALL["regions"]

    def sites_of_north(*regions: Any) -> list[str]:
        build = load_build(small_config(regions=list(regions), sampling=sampling))
        region = next(region for region in build.regions if region.name == "north")
        return [site.model_dump_json() for site in sample_region(build, Registry(build), region)]

    alone = sites_of_north(north)
    assert len(alone) == 12
    assert sites_of_north(north, south) == alone
    assert sites_of_north(south, north) == alone


def test_a_unit_makes_the_sources_of_its_own_region_alone(small_config: WriteConfig) -> None:
    town = {"type": "world", "seed": 3}
    config = small_config(
        regions=[region | {"street": region["name"]} for region in SMALL["regions"]],
        sources__street={"north": town, "south": town},
    )
    build: Build = load_build(config)
    registry = Registry(build)
    sites = sample_region(build, registry, build.regions[0])
    assert {row.region for row in imagery(sites[:1], registry)} == {"north"}
    assert ("street", "north") in registry._made
    assert ("street", "south") not in registry._made
