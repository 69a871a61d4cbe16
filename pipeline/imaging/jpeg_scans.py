"""How many scans a JPEG has, and where its picture ends, told without decoding it.

A progressive JPEG is decoded once over for each scan, and one of a few bytes takes as long as any: a file within all
limits could hold a hundred thousand. Markers: ITU-T T.81, annex B.
"""

import re
from collections.abc import Iterator

_NEXT = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""A marker within or behind entropy-coded data, where 00 is stuffing and D0 to D7 are restarts. Of the FF that may fill
up before one, only the last is matched: `\\xff+` would go through a long run of them once for each of its bytes."""
_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
"""Markers without a segment."""


def count_scans(data: bytes, most: int) -> int:
    """Scans of a JPEG's first picture, counted up to one more than `most`; previews within segments are no part."""
    scans = 0
    for marker, _ in _markers(data):
        scans += marker == _SCAN
        if marker == _END or scans > most:
            break
    return scans


def end_of_picture(data: bytes) -> int | None:
    """Place of the marker that ends a JPEG's first picture; None if there is none."""
    return next((place for marker, place in _markers(data) if marker == _END), None)


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Markers behind the first, and their places."""
    place = 2
    while (found := _NEXT.search(data, place)) is not None:
        marker, place = found[1][0], found.end()
        yield marker, found.start()
        if marker not in _ALONE:
            place += int.from_bytes(data[place : place + 2], "big")
