"""The street source against the Panoramax project's own server, loaded with real photos."""

import json
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.network import Network
from pipeline.config.region import Region
from pipeline.config.sources import Panoramax
from pipeline.geo.frame import LocalFrame
from pipeline.geo.point import Point
from pipeline.net.client import HttpClient
from pipeline.sources.street.panoramax import PanoramaxSource

pytestmark = pytest.mark.servers

REGION = Region(name="jongno", bbox=(126.97, 37.56, 127.00, 37.59))


@pytest.fixture(scope="module")
def photos(corpus: Path, panoramax: str) -> list[dict[str, Any]]:
    """The corpus photos of Seoul that have a heading, put into the server."""
    rows = [json.loads(line) for line in (corpus / "MANIFEST.jsonl").read_text("utf-8").splitlines()]
    rows = [r for r in rows if r["group"] == "seoul_jongno" and r["heading"] is not None and r["kind"] == "street"]
    collection = _post(f"{panoramax}/collections", json.dumps({"title": "walk"}).encode(), "application/json")["id"]
    for number, row in enumerate(rows, start=1):
        fields = {
            "position": str(number),
            "override_latitude": str(row["lat"]),
            "override_longitude": str(row["lon"]),
            "override_capture_time": row["capture_time"],
            "override_Exif.GPSInfo.GPSImgDirection": f"{round(row['heading'] * 100)}/100",
            "override_Exif.GPSInfo.GPSImgDirectionRef": "T",
        }
        body, kind = _form(fields, (corpus / row["path"]).read_bytes())
        row["id"] = _post(f"{panoramax}/collections/{collection}/items", body, kind)["id"]
    for _ in range(120):
        with urllib.request.urlopen(f"{panoramax}/collections/{collection}/geovisio_status") as answer:
            items = json.load(answer)["items"]
        if len(items) == len(rows) and all(item["status"] == "ready" for item in items):
            break
        time.sleep(0.5)
    else:
        pytest.fail("the server did not finish with the photos in a minute")
    return rows


def _post(url: str, body: bytes, kind: str) -> dict[str, Any]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind}, method="POST")
    with urllib.request.urlopen(request) as answer:
        reply: dict[str, Any] = json.load(answer)
        return reply


def _form(fields: dict[str, str], picture: bytes) -> tuple[bytes, str]:
    mark = uuid.uuid4().hex
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="picture"; filename="p.jpg"\r\n'
    parts.append(head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + picture + b"\r\n")
    return b"".join([*parts, f"--{mark}--\r\n".encode()]), f"multipart/form-data; boundary={mark}"


@pytest.fixture
def source(panoramax: str, tmp_path: Path) -> PanoramaxSource:
    client = HttpClient(Network(allow_loopback=True, cache=str(tmp_path)))
    return PanoramaxSource("panoramax", Panoramax(type="panoramax", endpoint=panoramax), [REGION], client)


def test_coverage_is_all_photos_of_the_region(source: PanoramaxSource, photos: list[dict[str, Any]]) -> None:
    found = {photo.source_id: photo for photo in source.candidates(REGION)}
    assert set(found) == {row["id"] for row in photos}
    for row in photos:
        at = found[row["id"]].position
        east, north = LocalFrame(row["lat"], row["lon"]).to_metres(at.lon, at.lat)
        assert abs(east) < 1.0  # a tile's own grid is half a metre
        assert abs(north) < 1.0


def test_photos_near_a_point_with_their_licence(source: PanoramaxSource, photos: list[dict[str, Any]]) -> None:
    row = photos[0]
    nearest = source.near(Point(row["lat"], row["lon"]), 20.0)[0]
    assert nearest.source_id == row["id"]
    assert nearest.unusable is None
    assert nearest.licence == "CC-BY-SA-4.0"
    assert nearest.heading_deg == pytest.approx(row["heading"], abs=1.0)
    assert nearest.projection == row["projection"]
    assert nearest.captured_at is not None
    assert nearest.sequence
    assert source.near(Point(37.50, 127.20), 20.0) == []


def test_a_picture_comes_as_a_picture(source: PanoramaxSource, photos: list[dict[str, Any]]) -> None:
    row = photos[0]
    photo = source.near(Point(row["lat"], row["lon"]), 20.0)[0]
    data = source.read(photo)
    assert data.startswith(b"\xff\xd8")
    assert len(data) > 20_000


def test_the_probe_names_the_licence(source: PanoramaxSource, photos: list[dict[str, Any]]) -> None:
    assert "CC-BY-SA-4.0" in source.probe(REGION)
