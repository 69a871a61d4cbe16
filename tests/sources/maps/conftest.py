"""Releases of Overture Maps, small enough for a test."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from moto.server import ThreadedMotoServer

from pipeline.config.network import Network
from pipeline.net.client import HttpClient

Rows = Sequence[dict[str, Any]]
"""Rows of a type: `geometry` as shapely has it, `names` as a text, the other columns as Overture has them."""
WriteType = Callable[..., Path]

_THEMES = {"place": "places", "segment": "transportation", "building": "buildings", "land_use": "base", "water": "base"}
_RULE = pa.list_(pa.struct([("values", pa.list_(pa.string())), ("between", pa.list_(pa.float64()))]))
_LEVEL = pa.list_(pa.struct([("value", pa.int32()), ("between", pa.list_(pa.float64()))]))
_COLUMNS = {
    "subtype": pa.string(),
    "class": pa.string(),
    "subclass": pa.string(),
    "height": pa.float64(),
    "categories": pa.struct([("primary", pa.string()), ("alternate", pa.list_(pa.string()))]),
    "basic_category": pa.string(),
    "confidence": pa.float64(),
    "operating_status": pa.string(),
    "is_underground": pa.bool_(),
    "road_flags": _RULE,
    "rail_flags": _RULE,
    "level_rules": _LEVEL,
}
_NAMES = pa.struct(
    [
        ("primary", pa.string()),
        ("common", pa.map_(pa.string(), pa.string())),
        ("rules", pa.list_(pa.struct([("variant", pa.string()), ("value", pa.string())]))),
    ]
)
_BBOX = pa.struct([(side, pa.float32()) for side in ("xmin", "xmax", "ymin", "ymax")])


def _write(release: Path, kind: str, rows: Rows, *, row_group: int = 1_000, name: str = "part-00000.parquet") -> Path:
    folder = release / f"theme={_THEMES[kind]}" / f"type={kind}"
    folder.mkdir(parents=True, exist_ok=True)
    boxes = [dict(zip(("xmin", "ymin", "xmax", "ymax"), row["geometry"].bounds, strict=True)) for row in rows]
    columns = {
        "id": pa.array([row["id"] for row in rows], pa.string()),
        "geometry": pa.array([shapely.to_wkb(row["geometry"]) for row in rows], pa.binary()),
        "bbox": pa.array(boxes, _BBOX),
        "names": pa.array(
            [{"primary": row["names"], "common": [("en", row["en"])] if "en" in row else []} for row in rows], _NAMES
        ),
    }
    columns |= {
        column: pa.array([row.get(column) for row in rows], what)
        for column, what in _COLUMNS.items()
        if any(column in row for row in rows)
    }
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    table = pa.table(columns).replace_schema_metadata({"geo": json.dumps(geo)})
    path = folder / name
    pq.write_table(table, path, row_group_size=row_group)
    return path


@pytest.fixture(scope="session")
def write_type() -> WriteType:
    """Writes rows as a type of a release: `write_type(release, kind, rows, row_group=...)`."""
    return _write


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Any]]:
    """A local S3 server: its address and a client that may write to it."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"
    client = boto3.client(
        "s3", endpoint_url=address, aws_access_key_id="t", aws_secret_access_key="t", region_name="us-east-1"
    )
    yield address, client
    server.stop()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    """The real client, let to ask this machine."""
    network = Network(allow_loopback=True, cache=str(tmp_path / "cache"), contact="test@example.org", tries=3)
    made = HttpClient(network)
    yield made
    made.close()
