"""The second look of the semantic engine, at two enlarged halves of a view."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.imaging.types import Pixels
from pipeline.perception.second_look import Shares, seen_twice
from pipeline.perception.semantic import SemanticSegmenter
from tests.perception.test_semantic import segments, street, written

SIDES = st.integers(1, 60)


@given(SIDES, SIDES)
def test_what_looks_the_same_at_both_scales_is_as_sure_as_before(height: int, width: int) -> None:
    pixels = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), np.uint8)

    def look(shown: Pixels) -> Shares:
        red = np.asarray(shown[..., 0] / 255, np.float32)
        return {"wall": red, None: np.float32(1) - red}

    found = seen_twice(look, pixels)
    for label, share in look(pixels).items():
        np.testing.assert_allclose(found[label], share, atol=1e-6)


@pytest.mark.parametrize("size", [(30, 50), (50, 30), (40, 40)])
def test_what_one_scale_alone_shows_is_half_as_sure(size: tuple[int, int]) -> None:
    def look(shown: Pixels) -> Shares:
        return {"building" if shown.shape[:2] == size else "wall": np.ones(shown.shape[:2], np.float32)}

    found = seen_twice(look, np.zeros((*size, 3), np.uint8))
    assert set(found) == {"building", "wall"}
    for share in found.values():
        np.testing.assert_allclose(share, np.full(size, 0.5))


def test_each_half_is_looked_at_where_it_lies() -> None:
    pixels = np.zeros((10, 20, 3), np.uint8)
    pixels[:, 15:] = 255
    shapes: list[tuple[int, ...]] = []

    def look(shown: Pixels) -> Shares:
        shapes.append(shown.shape[:2])
        return {"sky": (shown[..., 0] > 0).astype(np.float32)}

    np.testing.assert_array_equal(seen_twice(look, pixels)["sky"], (pixels[..., 0] > 0).astype(np.float32))
    assert shapes == [(10, 20), (10, 12), (10, 12)]


def test_the_engine_looks_twice_if_it_is_told_to(tmp_path: Path) -> None:
    once, twice = written(tmp_path), written(tmp_path, second_look=True)
    assert SemanticSegmenter(once).fingerprint() != SemanticSegmenter(twice).fingerprint()
    before, after = ({s.label: s for s in segments(config, street())} for config in (once, twice))
    assert set(before) == set(after)
    for label, segment in after.items():
        both = (segment.mask & before[label].mask).sum() / (segment.mask | before[label].mask).sum()
        assert both > 0.95, label
