"""Pictures of signs: kept as long as there is room, and drawn again with the same pixels after that."""

import weakref

import numpy as np
import pytest

from pipeline.world import sprites
from pipeline.world.sprites import lettering

WHITE, BLUE = (240, 240, 240), (20, 60, 90)


def test_pictures_of_signs_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first = lettering("BAKERY", WHITE, BLUE)
    pixels, gone = first.sprite.levels[0].copy(), weakref.ref(first)
    assert first.sprite.nbytes >= 4 / 3 * 0.98 * pixels.nbytes
    assert lettering("BAKERY", WHITE, BLUE) is first
    monkeypatch.setattr(sprites._letterings, "_limit", 4 * first.sprite.nbytes)
    del first
    for number in range(5):
        lettering(f"BAKER {number}", WHITE, BLUE)
    assert gone() is None
    assert np.array_equal(lettering("BAKERY", WHITE, BLUE).sprite.levels[0], pixels)
