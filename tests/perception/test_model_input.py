"""What a model is shown, and where in the picture it lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.perception import PictureInput
from pipeline.perception.model_input import ModelInput, seen_size
from pipeline.perception.runtime import ModelInputShape

PLAIN = {"scale": 1, "mean": (0, 0, 0), "std": (1, 1, 1)}


@given(st.integers(1, 5_000), st.integers(1, 5_000), st.integers(64, 4_096))
def test_the_size_that_a_model_of_any_size_sees(height: int, width: int, side: int) -> None:
    seen = seen_size(height, width, side)
    assert all(length % 32 == 0 and 32 <= length <= side + 16 for length in seen)
    assert abs(max(seen) - side) <= 32


@given(
    st.sampled_from(["stretch", "top-left", "centre"]),
    st.tuples(st.integers(20, 300), st.integers(20, 300)),
    st.tuples(st.integers(32, 200), st.integers(32, 200)),
    st.floats(0.1, 0.9),
    st.floats(0.1, 0.9),
)
def test_a_point_is_where_the_numbers_say(
    fit: str, size: tuple[int, int], seen: tuple[int, int], down: float, across: float
) -> None:
    """A white square on black: its middle in what the model sees, mapped back, is its middle in the picture."""
    height, width = size
    y, x = down * height, across * width
    picture = np.zeros((height, width, 3), np.uint8)
    reach = max(3, round(0.05 * max(size)))
    top, left = max(0, round(y) - reach), max(0, round(x) - reach)
    picture[top : round(y) + reach, left : round(x) + reach] = 255
    spec = PictureInput.model_validate({**PLAIN, "fit": fit, "fill": 0})
    shown = ModelInput(ModelInputShape((1, *seen, 3), "float32"), spec, "input").show(picture)
    assert shown.size == seen
    rows, columns = (np.nonzero(picture[..., 0])[axis].mean() + 0.5 for axis in (0, 1))
    weights = shown.fed[0, ..., 0]
    grid = np.mgrid[: seen[0], : seen[1]] + 0.5
    found_y, found_x = ((grid[axis] * weights).sum() / weights.sum() for axis in (0, 1))
    assert (found_y - shown.top) / shown.down == pytest.approx(rows, abs=1.5 / shown.down + 0.5)
    assert (found_x - shown.left) / shown.across == pytest.approx(columns, abs=1.5 / shown.across + 0.5)


def test_what_is_free_is_filled_and_scaled_like_the_rest() -> None:
    spec = PictureInput.model_validate(
        {"scale": 1 / 127.5, "mean": (1, 1, 1), "std": (1, 1, 1), "fit": "top-left", "fill": 114, "colours": "bgr"}
    )
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[..., 0] = 255
    fed = ModelInput(ModelInputShape((1, 3, 40, 40), "float32"), spec, "input").show(picture).fed
    assert fed.shape == (1, 3, 40, 40)
    np.testing.assert_allclose(fed[0, :, 5, 5], [-1, -1, 1], atol=1e-6)  # blue, green, red
    np.testing.assert_allclose(fed[0, :, 30, 5], 114 / 127.5 - 1, atol=1e-6)
