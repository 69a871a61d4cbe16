"""What a second reading at another scale confirms."""

import numpy as np
import pytest

from pipeline.imaging.types import Pixels
from pipeline.perception.base import TextBox
from pipeline.perception.second_reading import same_reading, with_second_reading

VIEW = np.zeros((400, 600, 3), np.uint8)


def box(text: str, height: float = 20.0) -> TextBox:
    return TextBox(text, 0.9, (100, 100, 200, 100, 200, 100 + height, 100, 100 + height), "Latn")


def confirmed(first: TextBox, *second: str) -> bool:
    def read(_cut: Pixels) -> list[TextBox]:
        return [TextBox(text, 0.9, (float(50 * i), 0, 1, 0, 1, 1, 0, 1), "Latn") for i, text in enumerate(second)]

    return with_second_reading([first], VIEW, read)[0].confirmed


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("BAKERY", ["BAKERY"], True),
        ("BAKERY", ["bakery"], True),
        ("LITTLE INDIA", ["LITTLE", "INDIA"], True),
        ("BAKERY", ["BAKFRV"], False),
        ("BAKERY", [], False),
        ("957 MAIN", ["951 MAIN"], False),
        ("957 MAIN", ["957MAIN"], True),
        ("I", ["I"], False),
    ],
)
def test_the_same_letters_and_digits_confirm(first: str, second: list[str], same: bool) -> None:
    assert confirmed(box(first), *second) == same


def test_small_lettering_is_enlarged_and_high_lettering_reduced() -> None:
    sizes: list[tuple[int, ...]] = []

    def read(cut: Pixels) -> list[TextBox]:
        sizes.append(cut.shape[:2])
        return []

    with_second_reading([box("CAFE", 20.0), box("CAFE", 200.0)], VIEW, read)
    (small, high) = sizes
    assert small[0] > 20 * 1.6
    assert high[0] < 200 * 1.6
    assert high[1] < 600


def test_digits_must_be_equal() -> None:
    assert not same_reading("ROUTE 1234567890", "ROUTE 1234567891")
