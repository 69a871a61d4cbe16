"""Well-known binary is read as GEOS reads it, and what would end the process is left out."""

import struct
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geo.wkb import _is_beyond, read_wkb

POINT = shapely.Point(8.5, 47.25)
SOUND = [
    POINT,
    shapely.Point(1, 2, 3),
    shapely.Point(),
    shapely.LineString([(0, 0), (1, 1), (2, 0)]),
    shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2)),
    shapely.MultiPoint([(0, 0), (1, 1)]),
    shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3), (4, 4)]]),
    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
    shapely.GeometryCollection([POINT, shapely.GeometryCollection([shapely.box(0, 0, 1, 1)])]),
]


def nested(levels: int, kind: int = 7, order: str = "<", before: bytes = b"") -> bytes:
    """Collections of one member, or of another one before it, in each other."""
    head = struct.pack(f"{order}BII", order == "<", kind, 2 if before else 1)
    return bytes((head + before) * levels + shapely.to_wkb(POINT))


@pytest.mark.parametrize("keys", [{}, {"byte_order": 0}, {"flavor": "iso"}, {"include_srid": True}])
def test_all_forms_are_read(keys: dict[str, Any]) -> None:
    geometries = shapely.set_srid(np.array(SOUND, dtype=object), 4326)
    assert list(read_wkb(shapely.to_wkb(geometries, **keys))) == list(geometries)


@pytest.mark.parametrize("kind", [4, 5, 6, 7, 1007, 0x80000007])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("before", [b"", shapely.to_wkb(POINT)])
def test_collections_in_each_other_without_end_are_left_out(kind: int, order: str, before: bytes) -> None:
    deep = nested(200_000, kind, order, before)
    assert list(read_wkb([deep, shapely.to_wkb(POINT)])) == [None, POINT]


@pytest.mark.parametrize("kind", [8, 9, 10, 11, 12, 1008, 0x8000000A])
def test_a_geometry_with_arcs_spoils_none_beside_it(kind: int) -> None:
    curved = struct.pack("<BII6d", 1, kind, 3, 0, 0, 1, 1, 2, 0)
    assert list(read_wkb([curved, shapely.to_wkb(POINT), nested(1, 7, before=curved)])) == [None, POINT, None]


@pytest.mark.parametrize(
    "before",
    [
        struct.pack("<BI2d", 1, 0x00010001, 1, 2),  # bits that GEOS does not look at
        struct.pack(">BI2d", 7, 1, 1, 2),  # no byte order: that of what came before
        struct.pack(">BII3d", 0, 0xA0000001, 4326, 1, 2, 3),
        struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0),
        struct.pack("<BIII6d", 1, 3, 1, 3, 0, 0, 1, 1, 2, 0),
    ],
)
def test_levels_cannot_be_hidden(before: bytes) -> None:
    assert _is_beyond(nested(1_000, 7, ">" if before[0] == 7 else "<", before))


def test_some_levels_are_read() -> None:
    assert read_wkb([nested(5)])[0].geom_type == "GeometryCollection"


def test_what_is_no_wkb_is_none() -> None:
    huge = struct.pack("<BII", 1, 3, 2**32 - 1)
    assert list(read_wkb([None, b"", b"\x01", 3, "text", huge, shapely.to_wkb(POINT)[:-1]])) == [None] * 7


@given(st.binary(max_size=80), st.sampled_from(SOUND), st.integers(0, 60))
def test_any_bytes_give_what_geos_makes_of_them(data: bytes, sound: Any, place: int) -> None:
    whole = shapely.to_wkb(sound)
    for value in (data, whole[:place] + data, data[:5] + whole):
        assert read_wkb([value])[0] == shapely.from_wkb(value, on_invalid="ignore")
