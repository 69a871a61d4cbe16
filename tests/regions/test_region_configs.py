"""The ready build files, one a region: sound, and usable by anybody, without a key or an agreement."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.build_file import load_build
from pipeline.engine.ready import check_ready
from pipeline.registry.registry import Registry
from pipeline.sources.base import AsksSeveral

FILES = sorted((Path(__file__).resolve().parents[2] / "configs" / "regions").glob("*.yaml"))


def test_there_are_enough_of_them_and_they_differ() -> None:
    builds = [load_build(file) for file in FILES]
    assert len(builds) >= 6
    for what in ("name", "workspace", "dataset"):
        assert len({getattr(build, what) for build in builds}) == len(builds)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_sound_and_needs_no_key(file: Path) -> None:
    build = load_build(file)
    registry = Registry(build)
    check_ready(build, registry)
    found = {kind: source for kind, _, _, source in registry.networked()}
    assert {"street", "aerial", "map"} <= set(found)
    assert all(source.provider().key is None for source in found.values())
    assert not any(isinstance(source, AsksSeveral) for source in found.values())
    # The aerial source has imagery in the middle of the region, and not only in some corner of its bounds.
    for region in build.regions:
        lat, lon = region.middle()
        assert found["aerial"].requests(np.array([lat]), np.array([lon]), build.imagery) > 0
