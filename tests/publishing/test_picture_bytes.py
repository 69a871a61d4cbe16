import hashlib
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publishing.picture_bytes import PictureBytes

IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
VIEW = pa.struct([pa.field("id", pa.int32(), nullable=False), pa.field("image", IMAGE, nullable=False)])
SCHEMA = pa.schema(
    [
        pa.field("site_id", pa.string(), nullable=False),
        pa.field("geometry", pa.binary()),
        pa.field("aerial", IMAGE),
        pa.field("views", pa.list_(pa.field("element", VIEW, nullable=False))),
    ],
    metadata={"key": "value"},
)
IMAGES = st.fixed_dictionaries({"bytes": st.none() | st.binary(max_size=12), "path": st.text(max_size=3)})
VIEWS = st.lists(st.fixed_dictionaries({"id": st.integers(0, 9), "image": IMAGES}), max_size=3)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "site_id": st.text(max_size=3),
            "geometry": st.none() | st.binary(max_size=12),
            "aerial": st.none() | IMAGES,
            "views": st.none()
            | st.lists(st.fixed_dictionaries({"id": st.integers(0, 9), "image": IMAGES}), max_size=3),
        }
    ),
    max_size=6,
)


def pictures_of(rows: list[dict[str, Any]]) -> list[bytes | None]:
    images = [image for row in rows for image in (row["aerial"], *(view["image"] for view in row["views"] or []))]
    return [image["bytes"] for image in images if image is not None]


@given(ROWS, ROWS, st.data())
def test_pictures_come_back_into_whatever_rows_are_taken(
    first: list[dict[str, Any]], second: list[dict[str, Any]], data: st.DataObject
) -> None:
    table = pa.concat_tables([pa.Table.from_pylist(rows, schema=SCHEMA) for rows in (first, second)])
    start = data.draw(st.integers(0, len(table)))
    table = table.slice(start)  # its arrays begin within others
    pictures = PictureBytes()
    light = pictures.apart(table)
    assert light.schema.equals(table.schema, check_metadata=True)
    assert pictures.back(light).equals(table)
    chosen = data.draw(st.lists(st.integers(0, len(table) - 1), max_size=5)) if len(table) else []
    rows = light.take(pa.array(chosen, pa.int64())).to_pylist()
    again = pictures.back(pa.Table.from_pylist(rows, schema=SCHEMA))
    assert again.to_pylist() == [table.to_pylist()[row] for row in chosen]
    for token, picture in zip(pictures_of(rows), pictures_of(again.to_pylist()), strict=True):
        assert (token is None) == (picture is None)
        if token is not None and picture is not None:
            assert pictures.sha256(token) == hashlib.sha256(picture).hexdigest()
    assert [row["geometry"] for row in rows] == [row["geometry"] for row in again.to_pylist()]


def test_what_is_no_token_has_no_picture() -> None:
    assert PictureBytes().sha256(b"POINT (1 2)") is None
