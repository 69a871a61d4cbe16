"""Well-known binary from outside, read so that it cannot end the process.

GEOS reads a collection in a collection by calling itself: some hundred kilobytes of them, one in the other, are more
than a thread's stack holds. So the levels are counted first. The form: OGC 06-103r4, section 8.2, with PostGIS's flags
for further dimensions and the system of coordinates.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

_DEEPEST = 16
_POINT, _LINE, _AREA = 1, 2, 3
_CURVED = range(8, 13)
"""Types with arcs, which shapely cannot have: it would read none of the geometries beside them."""
_Z, _M, _SRID = 0x80000000, 0x40000000, 0x20000000


def read_wkb(values: Sequence[Any]) -> NDArray[np.object_]:
    """Geometries, or None for what is none, is damaged, has arcs, or more levels than anybody needs.

    Args:
        values: bytes or None.
    """
    sound = [value if isinstance(value, bytes) and not _is_beyond(value) else None for value in values]
    found: NDArray[np.object_] = shapely.from_wkb(sound, on_invalid="ignore")
    return found


def _is_beyond(data: bytes) -> bool:
    """Whether there are arcs, or collections in each other beyond all measure. What else is wrong is for GEOS to find.

    It has to take each byte as GEOS does (io/WKBReader.cpp), or levels could be hidden from it.
    """
    left = [1]  # members still to come, level by level
    place, order = 0, "<"
    try:
        while left:
            if left[-1] == 0:
                left.pop()
                continue
            left[-1] -= 1
            order = {0: ">", 1: "<"}.get(data[place], order)
            kind = struct.unpack_from(f"{order}I", data, place + 1)[0]
            place += 9 if kind & _SRID else 5
            base, width = _shape(kind)
            if base == _POINT:
                place += width
                continue
            number = struct.unpack_from(f"{order}I", data, place)[0]
            place += 4
            if base in _CURVED:
                return True
            if base == _LINE:
                place += number * width
            elif base == _AREA:
                for _ in range(number):
                    place += 4 + struct.unpack_from(f"{order}I", data, place)[0] * width
            else:
                left.append(number)
                if len(left) > _DEEPEST:
                    return True
    except (struct.error, IndexError):
        return False
    return False


def _shape(kind: int) -> tuple[int, int]:
    """A geometry's type without its dimensions, and the bytes of one of its points."""
    iso, base = divmod(kind & 0xFFFF, 1000)
    further = (bool(kind & _Z) or iso in (1, 3)) + (bool(kind & _M) or iso in (2, 3))
    return base, 8 * (2 + further)
