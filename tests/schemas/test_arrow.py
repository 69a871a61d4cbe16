"""Tables of layers that an earlier version wrote, brought to the schema of this one."""

import pytest
from pydantic import BaseModel

from schemas.arrow import arrow_schema, fitted, from_table, to_table


class OldPart(BaseModel):
    x: int


class Old(BaseModel):
    id: str
    part: OldPart | None
    parts: list[OldPart]


class NewPart(BaseModel):
    x: int
    y: str | None = None
    z: list[str] = []


class New(BaseModel):
    id: str
    part: NewPart | None
    parts: list[NewPart]
    more: list[NewPart] = []
    kind: str = "plain"


ROWS = [
    Old(id="a", part=None, parts=[OldPart(x=1), OldPart(x=2)]),
    Old(id="b", part=OldPart(x=3), parts=[]),
    Old(id="c", part=None, parts=[]),
    Old(id="d", part=OldPart(x=4), parts=[OldPart(x=5)]),
]


@pytest.mark.parametrize(("first", "last"), [(0, 4), (1, 4), (1, 3), (2, 3), (0, 0)])
def test_an_older_table_reads_as_its_rows_do(first: int, last: int) -> None:
    """Also where none of its rows has a part, and where it has no row."""
    table = fitted(New, to_table(Old, ROWS).slice(first, last - first))
    table.validate(full=True)
    assert table.schema.equals(arrow_schema(New))
    assert from_table(New, table) == [New.model_validate(row.model_dump()) for row in ROWS[first:last]]


def test_what_is_missing_or_unknown_is_told() -> None:
    with pytest.raises(ValueError, match="Old has no field kind, more"):
        fitted(Old, to_table(New, [New(id="a", part=None, parts=[])]))
    with pytest.raises(ValueError, match=r"Old\.parts is missing"):
        fitted(Old, to_table(Old, ROWS).drop_columns(["parts"]))
