"""Memory that was freed goes back to the system, also where pieces between it are still in use."""

import ctypes

import numpy as np
import psutil
import pytest

from pipeline.engine.memory import give_back

_BYTES, _PIECES = 60_000, 3_000
"""Pieces small enough to come from the C library's heap."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs the GNU C library")
def test_free_memory_between_pieces_in_use_goes_back_to_the_system() -> None:
    pieces = [np.ones(_BYTES, np.uint8) for _ in range(_PIECES)]
    kept = pieces[::50]
    del pieces
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > 0.6 * _BYTES * _PIECES
    assert all(piece.all() for piece in kept)
