"""COCO run-length encoding with compressed counts: how a mask stands in a cue.

The format is that of the COCO API (`maskApi.c`, rleToString): runs down the columns, zeros first; from the fourth run
on the difference to the run two before; each number in groups of five bits, lowest first, a sixth bit for "more
follow", as the character 48 above it.
"""

import numpy as np
from numpy.typing import NDArray

from schemas.records import Mask

_MOST_GROUPS = 13  # of five bits: what a 64-bit number takes


def encode(mask: NDArray[np.bool_]) -> Mask:
    """A height x width mask as compressed run lengths."""
    height, width = mask.shape
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(edges).tolist()
    if flat.size and flat[0]:
        runs.insert(0, 0)
    steps = [run - runs[i - 2] if i > 2 else run for i, run in enumerate(runs)]
    return Mask(height=height, width=width, counts="".join(map(_characters, steps)))


def _characters(number: int) -> str:
    out = []
    while True:
        group, number = number & 0x1F, number >> 5
        done = number == (-1 if group & 0x10 else 0)
        out.append(chr((group if done else group | 0x20) + 48))
        if done:
            return "".join(out)


def decode(mask: Mask) -> NDArray[np.bool_]:
    """The height x width mask.

    Raises:
        ValueError: the counts are damaged or do not fill the mask.
    """
    runs: list[int] = []
    position = 0
    while position < len(mask.counts):
        step, position = _number(mask.counts, position)
        runs.append(step + runs[-2] if len(runs) > 2 else step)
    if min(runs, default=0) < 0 or sum(runs) != mask.height * mask.width:
        raise ValueError(f"run lengths do not fill a mask of {mask.height} x {mask.width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((mask.height, mask.width), order="F")


def _number(counts: str, position: int) -> tuple[int, int]:
    """The number that starts at a position, and where the next one starts."""
    value = 0
    for shift in range(_MOST_GROUPS):
        if position >= len(counts):
            raise ValueError("run lengths end within a number")
        group = ord(counts[position]) - 48
        if not 0 <= group < 64:
            raise ValueError(f"{counts[position]!r} is no character of compressed run lengths")
        position += 1
        value |= (group & 0x1F) << (5 * shift)
        if not group & 0x20:
            return (value - (1 << 5 * (shift + 1)) if group & 0x10 else value), position
    raise ValueError("a run length of more than 64 bits")
