"""Gives memory that is no longer in use back to the system."""

import ctypes

import pyarrow as pa

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Of the GNU C library; others give back by themselves, or cannot be told to."""


def give_back() -> None:
    """Give back the free memory of the C library's and of Arrow's allocator.

    Both keep what was freed, a heap for each thread that ran at the same time as others. The threads of units come and
    go, and the free pieces in between would add up for hours.
    """
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
