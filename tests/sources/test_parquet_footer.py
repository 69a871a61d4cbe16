"""Footers read without Arrow say the same, and damaged ones end in an error and not in the process."""

import contextlib
import io
import struct
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.parquet_footer import read_footer

TABLE = pa.table(
    {
        "id": ["a", "b", None],
        "height": pa.array([1.5, None, -3.0], pa.float32()),
        "bbox": [{"xmin": 1.0, "xmax": 2.0}, {"xmin": -1.0, "xmax": 0.0}, None],
        "names": pa.array([[("en", "x")], [], None], pa.map_(pa.string(), pa.string())),
        "flags": [[True, False], [], None],
        "when": pa.array([1, 2, 3], pa.timestamp("us")),
    }
)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"row_group_size": 1, "compression": "zstd", "write_page_index": True},
    {
        "use_dictionary": False,
        "column_encoding": {"id": "DELTA_BYTE_ARRAY"},
        "version": "1.0",
        "write_statistics": False,
    },
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_footer_says_what_arrow_reads_in_it(options: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path, **options)
    metadata = pq.read_metadata(path)
    footer = read_footer(path)
    assert len(footer) == metadata.num_row_groups
    for number, group in enumerate(footer):
        for i, chunk in enumerate(group):
            theirs = metadata.row_group(number).column(i)
            assert chunk.path == theirs.path_in_schema
            assert chunk.text == (theirs.physical_type == "BYTE_ARRAY")
            assert chunk.deltas == ("DELTA_BYTE_ARRAY" in theirs.encodings)
            assert (chunk.values, chunk.unpacked_bytes) == (theirs.num_values, theirs.total_uncompressed_size)
            told = theirs.statistics if theirs.physical_type in {"FLOAT", "DOUBLE"} else None
            bounds = (told.min, told.max) if told is not None and told.has_min_max else None
            assert chunk.bounds == bounds


def read(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(ValueError):
            read_footer(Path(file.name))


def written() -> bytes:
    file = io.BytesIO()
    pq.write_table(TABLE, file)
    return file.getvalue()


DATA = written()
LENGTH = struct.unpack("<I", DATA[-8:-4])[0]


@given(st.integers(0, LENGTH - 1), st.binary(min_size=0, max_size=4), st.integers(0, 4))
def test_a_damaged_footer_is_told(place: int, instead: bytes, gone: int) -> None:
    footer = bytearray(DATA[-8 - LENGTH : -8])
    footer[place : place + gone] = instead
    data = DATA[: -8 - LENGTH] + footer + struct.pack("<I4s", len(footer), b"PAR1")
    read(data)


@given(st.binary(max_size=200))
def test_what_is_no_footer_is_told(data: bytes) -> None:
    read(data)
    read(data + struct.pack("<I4s", len(data), b"PAR1"))


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1" * 3, DATA[:-1], DATA[:-8] + struct.pack("<I4s", 2**31, b"PAR1")]
)
def test_a_file_that_is_cut_is_no_parquet(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="no Parquet file"):
        read_footer(path)


def test_structures_may_not_nest_endlessly(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for nested in (b"\x1c" * 100_000, b"\x19" + b"\x19" * 100_000):
        path.write_bytes(b"PAR1" + nested + struct.pack("<I4s", len(nested), b"PAR1"))
        with pytest.raises(ValueError, match="too deep"):
            read_footer(path)
