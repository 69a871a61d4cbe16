"""Masks in COCO's compressed run-length encoding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.perception import rle
from schemas.records import Mask

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(masks)
def test_a_mask_comes_back_as_it_went(mask: np.ndarray) -> None:
    encoded = rle.encode(mask)
    assert (encoded.height, encoded.width) == mask.shape
    assert (rle.decode(encoded) == mask).all()


def test_long_runs_come_back() -> None:
    mask = np.zeros((768, 1024), bool)
    mask[300:, 17:900] = True
    assert (rle.decode(rle.encode(mask)) == mask).all()
    assert len(rle.encode(mask).counts) < 2_000


@pytest.mark.parametrize(
    ("mask", "counts"),
    [
        # Worked by hand from the definition: 100 is 00011 00100, so 4 + 32 and 3, each as the character 48 above.
        (np.zeros((10, 10), bool), "T3"),
        (np.ones((10, 10), bool), "0T3"),
        # Down the columns: 1 zero, 2 ones, 1 zero.
        (np.array([[False, True], [True, False]]), "121"),
        # Runs 2 1 4 1 1: from the fourth on the difference to the run two before, 1 - 1 = 0 and 1 - 4 = -3 (11101).
        (np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0]], bool), "2140M"),
    ],
)
def test_the_characters_are_those_of_the_coco_format(mask: np.ndarray, counts: str) -> None:
    assert rle.encode(mask).counts == counts


@given(st.text(max_size=40))
def test_damaged_counts_are_refused_or_fill_the_mask(counts: str) -> None:
    try:
        decoded = rle.decode(Mask(height=6, width=7, counts=counts))
    except ValueError:
        return
    assert decoded.shape == (6, 7)


@pytest.mark.parametrize("counts", ["", "T", "T4", "o" * 30, "2O", "é"])
def test_known_damage_is_refused(counts: str) -> None:
    with pytest.raises(ValueError, match=r"run length|character"):
        rle.decode(Mask(height=10, width=10, counts=counts))
