"""Vector tiles from anywhere: the same shapes as another decoder makes, or a bad answer at little cost."""

from collections.abc import Callable
from typing import Any

import mapbox_vector_tile
import mercantile
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from mapbox_vector_tile.Mapbox import vector_tile_pb2

from pipeline.errors import SiteError
from pipeline.sources.maps.vector_tile import read_tile
from pipeline.sources.street import tiles
from pipeline.sources.vector_tile import TileLayer, decode_tile
from schemas.reasons import Reason

POINT, LINE, AREA = 1, 2, 3
MOVE, CLOSE = 9, 15


def zigzag(value: int) -> int:
    return (value << 1) ^ (value >> 31)


def drawn(places: Any, kind: int) -> list[int]:
    """Commands of one line or ring."""
    steps = np.diff(np.asarray(places), axis=0, prepend=0).ravel().tolist()
    numbers = [zigzag(step) for step in steps]
    return [MOVE, *numbers[:2], ((len(places) - 1) << 3) | 2, *numbers[2:], *([CLOSE] if kind == AREA else [])]


def tile(*geometries: tuple[int, list[int]], **layer: Any) -> Any:
    """A tile of one layer `roads` with a feature for each kind and commands."""
    made = vector_tile_pb2.tile()
    roads = made.layers.add(**{"name": "roads", "version": 2, "extent": 4096, **layer})
    for number, (kind, commands) in enumerate(geometries, 1):
        roads.features.add(id=number, type=kind, geometry=commands)
    return made


def layers(data: bytes, **limits: int) -> list[TileLayer]:
    allowed = {"most_features": 1_000, "most_numbers": 100_000, **limits}
    return decode_tile(data, {"roads"}.__contains__, "tile 14/1/2", **allowed)


def dotted(places: Any) -> list[int]:
    """Commands of points."""
    return [(len(places) << 3) | MOVE & 7, *map(zigzag, np.diff(places, axis=0, prepend=0).ravel().tolist())]


def moved(before: Any, places: Any, kind: int) -> list[int]:
    """Commands of a second line or ring, which starts from where the one before ended."""
    first = [zigzag(int(a) - int(b)) for a, b in zip(places[0], before[-1], strict=True)]
    commands = drawn(places, kind)
    return [commands[0], *first, *commands[3:]]


PLACES = st.tuples(st.integers(-200, 4_300), st.integers(-200, 4_300))
LINES = st.lists(PLACES, min_size=2, max_size=9, unique=True)
RINGS = st.lists(PLACES, min_size=3, max_size=9, unique=True)
FEATURES = st.one_of(
    st.builds(lambda one: (POINT, dotted(one)), st.lists(PLACES, min_size=1, max_size=4)),
    st.builds(lambda one: (LINE, drawn(one, LINE)), LINES),
    st.builds(lambda one, other: (LINE, drawn(one, LINE) + moved(one, other, LINE)), LINES, LINES),
    st.builds(lambda one: (AREA, drawn(one, AREA)), RINGS),
    st.builds(lambda one, other: (AREA, drawn(one, AREA) + moved(one, other, AREA)), RINGS, RINGS),
)


@given(st.lists(FEATURES, min_size=1, max_size=6))
def test_shapes_are_those_that_another_decoder_makes(features: list[tuple[int, list[int]]]) -> None:
    encoded = tile(*features).SerializeToString()
    theirs = mapbox_vector_tile.decode(encoded, default_options={"y_coord_down": True})["roads"]["features"]
    (ours,) = layers(encoded)
    for feature, other in zip(ours.features, theirs, strict=True):
        assert feature.number == other["id"]
        if not other["geometry"]["coordinates"]:
            assert feature.geometry is None
            continue
        assert feature.geometry is not None
        assert shapely.equals_exact(feature.geometry, shapely.geometry.shape(other["geometry"]), tolerance=0)


def test_attributes_are_the_layers() -> None:
    made = tile((POINT, [MOVE, 2, 4]))
    roads = made.layers[0]
    roads.keys.extend(["kind", "level", "link"])
    roads.values.add(string_value="path")
    roads.values.add(sint_value=-1)
    roads.values.add(bool_value=True)
    roads.features[0].tags.extend([0, 0, 1, 1, 2, 2])
    (layer,) = layers(made.SerializeToString())
    assert layer.features[0].properties == {"kind": "path", "level": -1, "link": True}
    assert layer.features[0].geometry == shapely.Point(1, 2)


def without_version() -> bytes:
    made = tile((POINT, [MOVE, 0, 0]))
    made.layers[0].ClearField("version")
    found: bytes = made.SerializePartialToString()
    return found


def with_tags(*tags: int, value: bool = True) -> bytes:
    made = tile((POINT, [MOVE, 0, 0]))
    made.layers[0].keys.append("k")
    made.layers[0].values.add(**({"int_value": 1} if value else {}))
    made.layers[0].features[0].tags.extend(tags)
    found: bytes = made.SerializeToString()
    return found


BAD = {
    "garbage": lambda: b"\x1a\xff\xff\xff\xff\x7f",
    "no version": without_version,
    "no extent": lambda: tile(extent=0).SerializeToString(),
    "an endless extent": lambda: tile(extent=2**32 - 1).SerializeToString(),
    "half a pair of attributes": lambda: with_tags(0),
    "an attribute without a key": lambda: with_tags(1, 0),
    "an attribute without a value": lambda: with_tags(0, 1),
    "an empty value": lambda: with_tags(0, 0, value=False),
    "an unknown command": lambda: tile((LINE, [MOVE, 0, 0, 12])).SerializeToString(),
    "a command of nothing": lambda: tile((LINE, [1, 0, 0])).SerializeToString(),
    "more than there is": lambda: tile((LINE, [MOVE, 0, 0, (5 << 3) | 2, 1, 1])).SerializeToString(),
    "endlessly more": lambda: tile((LINE, [(2**29 - 1 << 3) | 1, 1, 1])).SerializeToString(),
    "a line from nowhere": lambda: tile((LINE, [10, 2, 2])).SerializeToString(),
    "a ring from nowhere": lambda: tile((AREA, [CLOSE])).SerializeToString(),
    "a closed line": lambda: tile((LINE, [MOVE, 0, 0, 10, 2, 2, CLOSE])).SerializeToString(),
    "a drawn point": lambda: tile((POINT, [MOVE, 0, 0, 10, 2, 2])).SerializeToString(),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_what_the_format_does_not_allow_is_a_bad_answer(make: Callable[[], bytes]) -> None:
    data = make()
    with pytest.raises(SiteError) as caught:
        read_tile(data, 14, 1, 2, {"roads"})
    assert caught.value.reason is Reason.BAD_ANSWER
    with pytest.raises(SiteError) as caught:
        list(tiles.points(data, mercantile.Tile(1, 2, 14), "roads"))
    assert caught.value.reason is Reason.BAD_ANSWER


def test_geometries_that_cannot_be_put_together_are_none() -> None:
    made = tile((LINE, [MOVE, 2, 2]), (AREA, [*drawn([(0, 0), (5, 5), (0, 0)], AREA)]), (0, [MOVE, 0, 0]), (POINT, []))
    assert [feature.geometry for feature in layers(made.SerializeToString())[0].features] == [None] * 4


def test_more_than_any_honest_tile_holds_is_too_large() -> None:
    data = tile(*[(POINT, [MOVE, 0, 0])] * 20).SerializeToString()
    for limits in ({"most_features": 19}, {"most_numbers": 59}):
        with pytest.raises(SiteError) as caught:
            layers(data, **limits)
        assert caught.value.reason is Reason.ANSWER_TOO_LARGE


@pytest.mark.parametrize("corners", [600, 3_000, 20_000])
def test_an_outline_that_crosses_itself_all_over_costs_no_time(corners: int) -> None:
    places = np.random.default_rng(1).integers(0, 4_096, (corners, 2))
    data = tile((AREA, drawn(places, AREA))).SerializeToString()
    with pytest.raises(SiteError, match="cross themselves too often") as caught:  # whole it would take hours
        read_tile(data, 14, 1, 2, {"roads"})
    assert caught.value.reason is Reason.BAD_ANSWER


def test_many_outlines_that_cross_themselves_share_one_allowance() -> None:
    bowtie = drawn([(0, 0), (9, 9), (9, 0), (0, 12)], AREA)
    some = tile(*[(AREA, bowtie)] * 500).SerializeToString()
    mended = [thing.geometry for thing in read_tile(some, 14, 1, 2, {"roads"})]
    assert all(area is not None and area.is_valid and area.geom_type == "MultiPolygon" for area in mended)
    with pytest.raises(SiteError, match="cross themselves too often"):
        read_tile(tile(*[(AREA, bowtie)] * 3_000).SerializeToString(), 14, 1, 2, {"roads"})


def test_what_lies_beyond_the_earth_is_left_to_the_reader() -> None:
    far = [MOVE, *[2**32 - 2] * 2, (9 << 3) | 2, *[2**32 - 2] * 18, CLOSE]
    (thing,) = read_tile(tile((AREA, drawn([(0, 0), (2**31 - 1, 0), (0, 2**31 - 1)], AREA))).SerializeToString(),
                         0, 0, 0, {"roads"})  # fmt: skip
    assert thing.geometry is not None
    assert not layers(tile((LINE, far[:-1])).SerializeToString())[0].features[0].geometry.is_empty  # type: ignore[union-attr]
