"""Overture releases: the same facts as from files, read where the region lies and nowhere else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pytest_httpserver import HTTPServer

from pipeline.config.region import Region
from pipeline.config.sources import MapFiles, Overture
from pipeline.errors import ConfigError, MachineError, SiteError
from pipeline.geo.point import Point
from pipeline.geo.window import Window
from pipeline.net.client import HttpClient
from pipeline.sources.base import HasRoads, Networked
from pipeline.sources.maps.bucket import Bucket
from pipeline.sources.maps.files import MapFilesSource
from pipeline.sources.maps.overture import OvertureSource
from pipeline.sources.maps.release import Release
from schemas.reasons import Reason

WriteType = Callable[..., Path]
BOULDER = Region(name="boulder", bbox=(-105.29, 40.01, -105.26, 40.03))
HERE = Point(47.3769, 8.5417)
TOWN = Region(name="town", centre=(HERE.lat, HERE.lon), radius_m=600)


def gers(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def boulder_rows(corpus: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    places = json.loads((corpus / "osm" / "boulder_poi_overture.geojson").read_text())["features"]
    houses = json.loads((corpus / "osm" / "boulder_buildings_entrances.geojson").read_text())["features"]
    return [
        {
            "id": f["properties"]["poi_gers_id"],
            "geometry": shapely.geometry.shape(f["geometry"]),
            "names": f["properties"]["name"],
            "categories": {"primary": f["properties"]["category"], "alternate": []},
        }
        for f in places
    ], [
        {
            "id": gers(i),
            "geometry": shapely.geometry.shape(f["geometry"]),
            "names": f["properties"]["name"],
            "height": float(f["properties"]["height_m"]),
        }
        for i, f in enumerate(houses)
    ]


def overture(release: Path | str, client: HttpClient, *regions: Region, **settings: Any) -> OvertureSource:
    return OvertureSource("o", Overture(type="overture", release=str(release), **settings), list(regions), client)


def street(number: int, places: list[tuple[float, float]], name: str | None, **columns: Any) -> dict[str, Any]:
    line = shapely.LineString([(HERE.lon + x * 1e-4, HERE.lat + y * 1e-4) for x, y in places])
    return {"id": gers(number), "geometry": line, "names": name, "subtype": "road", "class": "residential"} | columns


STREETS = [
    street(1, [(-9, 0), (0, 0), (9, 0)], "Hauptstraße", en="High Street"),
    street(2, [(0, 0), (0, 9)], "Mill Lane"),
    street(3, [(-9, -3), (9, -3)], "Ring", **{"class": "primary", "subclass": "link"}),
    street(4, [(1, 0), (1, 4)], None, **{"class": "service", "subclass": "driveway"}),
    street(
        5,
        [(-9, -5), (9, -5)],
        "Deep Street",
        road_flags=[{"values": ["is_tunnel"], "between": None}],
        level_rules=[{"value": -1, "between": None}],
    ),
    street(6, [(-9, 7), (9, 7)], "Half Bridge", road_flags=[{"values": ["is_bridge"], "between": [0.2, 0.4]}]),
    street(7, [(-9, 9), (9, 9)], "Bridge Street", road_flags=[{"values": ["is_bridge"], "between": None}]),
]


def test_facts_are_those_of_the_same_data_as_files(
    corpus: Path, tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    places, houses = boulder_rows(corpus)
    release = tmp_path / "release" / "2026-10-21.0"
    paths = [write_type(release, "place", places), write_type(release, "building", houses)]
    source = overture(release, client, BOULDER)
    files = MapFilesSource("f", MapFiles(type="files", files=paths), [BOULDER])
    west, south, east, north = BOULDER.bounds()
    told = 0
    for row in places[::20]:
        if west < row["geometry"].x < east and south < row["geometry"].y < north:
            site = Point(row["geometry"].y, row["geometry"].x)
            facts = source.around(site, 120.0)
            assert facts == files.around(site, 120.0)
            told += len(facts)
            assert np.array_equal(source.chip(site, 256, 0.5).pixels, files.chip(site, 256, 0.5).pixels)
    assert told > 300


def test_the_release_date_is_the_maps(tmp_path: Path, write_type: WriteType, client: HttpClient) -> None:
    release = tmp_path / "release" / "2026-10-21.0"
    write_type(release, "segment", STREETS)
    chip = overture(release, client, TOWN).chip(HERE, 256, 0.5)
    assert chip.captured_at is not None
    assert chip.captured_at.date().isoformat() == "2026-10-21"
    assert chip.source_id == "2026-10-21.0"
    assert "Overture" in chip.author
    stated = overture(release, client, TOWN, extracted_on="2026-01-02").chip(HERE, 256, 0.5).captured_at
    assert stated is not None
    assert stated.date().isoformat() == "2026-01-02"


def test_streets_bridges_and_links_are_what_they_are_in_osm(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    write_type(tmp_path, "segment", STREETS)
    source = overture(tmp_path, client, TOWN)
    facts = {(fact.kind, fact.category, fact.name) for fact in source.around(HERE, 120.0)}
    assert ("road", "residential", "Hauptstraße") in facts
    assert ("road", "primary_link", "Ring") in facts
    assert ("junction", "t-junction", "Hauptstraße / Mill Lane") in facts
    assert "Deep Street" not in {name for _, _, name in facts}, "nobody sees it from the street"
    assert [f for f in facts if f[1] == "bridge"] == [("other", "bridge", None)]
    assert not [f for f in facts if f[1] == "service"]


def test_roads_are_those_to_sample_along(tmp_path: Path, write_type: WriteType, client: HttpClient) -> None:
    far = street(90, [(900, 0), (909, 0)], "Elsewhere")
    write_type(tmp_path, "segment", [*STREETS, far])
    source = overture(tmp_path, client, TOWN)
    assert isinstance(source, HasRoads)
    roads = list(source.roads(TOWN))
    assert [(road.road_id, road.category) for road in roads] == [
        (f"overture:{gers(1)}", "residential"),
        (f"overture:{gers(2)}", "residential"),
        (f"overture:{gers(3)}", "primary_link"),
        (f"overture:{gers(6)}", "residential"),
        (f"overture:{gers(7)}", "residential"),
    ]
    assert roads[0].lon.tolist() == [x for x, _ in shapely.get_coordinates(STREETS[0]["geometry"])]


def test_rows_without_a_sound_bbox_are_placed_by_their_geometry_or_counted(
    tmp_path: Path, write_type: WriteType, client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    nan = float("nan")
    here = {"xmin": HERE.lon, "xmax": HERE.lon, "ymin": HERE.lat, "ymax": HERE.lat}
    boxes = {
        "Sound": here,
        "Null": None,
        "Side": here | {"xmax": None},
        "NaN": dict.fromkeys(here, nan),
        "Half": here | {"ymin": nan},
        "Round": here | {"xmin": 9.0, "xmax": 8.0},
        "Lost": None,
        "Empty": dict.fromkeys(here, nan),
    }
    rows = [
        {"id": gers(i), "geometry": shapely.Point(HERE.lon, HERE.lat), "names": name, "categories": {"primary": "cafe"}}
        for i, name in enumerate([*boxes, "Away"])
    ]
    path = write_type(tmp_path, "place", rows)
    table = pq.read_table(path)
    shapes = [shapely.to_wkb(row["geometry"]) for row in rows]
    shapes[-3:] = [None, shapely.to_wkb(shapely.Point()), shapely.to_wkb(shapely.Point(0, 0))]
    changed = {"geometry": pa.array(shapes), "bbox": pa.array([*boxes.values(), None], table.schema.field("bbox").type)}
    for column, values in changed.items():
        table = table.set_column(table.schema.get_field_index(column), column, values)
    for group in (len(rows), 4):
        pq.write_table(table, path, row_group_size=group)
        caplog.clear()
        source = overture(tmp_path, client, TOWN)
        told = {fact.name for fact in source.around(HERE, 100.0)}
        assert told == {"Sound", "Null", "Side", "NaN", "Half", "Round"}
        assert source.left_out == {"without a place: neither a sound bbox nor a geometry": 2}
        assert "left out 2 (without a place" in caplog.text


def test_a_region_across_the_antimeridian_has_both_sides(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    rows = [
        {"id": gers(i), "geometry": shapely.Point(lon, -17.0), "names": name, "categories": {"primary": "cafe"}}
        for i, (lon, name) in enumerate([(179.9997, "West"), (-179.9997, "East"), (0.0, "Far")])
    ]
    write_type(tmp_path, "place", rows)
    source = overture(tmp_path, client, Region(name="line", centre=(-17.0, 180.0), radius_m=500))
    for lon in (179.9999, -179.9999):
        assert {fact.name for fact in source.around(Point(-17.0, lon), 100.0)} == {"West", "East"}


def many_places(release: Path, write_type: WriteType) -> Path:
    """A file of 50 row groups, from west to east, all but those around 8.54 degrees overwritten with rubbish."""
    rows = [
        {
            "id": gers(i),
            "geometry": shapely.Point(lon, HERE.lat),
            "names": f"Place {i}",
            "categories": {"primary": "cafe"},
        }
        for i, lon in enumerate(np.linspace(-20, 40, 5_000).tolist())
    ]
    path = write_type(release, "place", rows, row_group=100)
    groups = pq.read_metadata(path)
    data = bytearray(path.read_bytes())
    for number in range(groups.num_row_groups):
        columns = [groups.row_group(number).column(c) for c in range(groups.num_columns)]
        box = next(c for c in columns if c.path_in_schema == "bbox.xmin").statistics
        if box.max < HERE.lon - 1 or box.min > HERE.lon + 1:
            for column in columns:
                start = column.dictionary_page_offset or column.data_page_offset
                data[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    return path


def test_row_groups_elsewhere_are_not_touched(tmp_path: Path, write_type: WriteType, client: HttpClient) -> None:
    path = many_places(tmp_path, write_type)
    window = Window.of([TOWN.bounds()], 20_000.0)
    table = Release(str(tmp_path), None).read("place", window.boxes)
    assert 30 < table.num_rows < 60
    with pytest.raises(OSError, match=r".*"):
        pq.read_table(path)  # it is rubbish indeed


def test_a_release_in_a_bucket(tmp_path: Path, write_type: WriteType, client: HttpClient, s3: tuple[str, Any]) -> None:
    address, bucket = s3
    bucket.create_bucket(Bucket="maps", ACL="public-read")
    path = many_places(tmp_path, write_type)
    segments = write_type(tmp_path, "segment", STREETS)
    for file in (path, segments):
        bucket.upload_file(str(file), "maps", f"release/2026-10-21.0/{file.relative_to(tmp_path)}")
    bucket.put_object(Bucket="maps", Key="release/2026-09-23.0/readme.txt", Body=b"x")

    url = "s3://maps/release/2026-10-21.0"
    source = overture(url, client, TOWN, s3_endpoint=address, s3_region="us-east-1")
    assert isinstance(source, Networked)
    assert source.provider().origins == (address,)
    assert "place" in source.probe(TOWN)
    assert ("road", "Hauptstraße") in {(fact.kind, fact.name) for fact in source.around(HERE, 60.0)}
    local = overture(tmp_path, client, TOWN)
    assert source.around(HERE, 60.0) == local.around(HERE, 60.0)
    assert [road.road_id for road in source.roads(TOWN)] == [road.road_id for road in local.roads(TOWN)]

    gone = overture("s3://maps/release/2026-11-18.0", client, TOWN, s3_endpoint=address, s3_region="us-east-1")
    with pytest.raises(MachineError, match=r"2026-09-23\.0, 2026-10-21\.0"):
        gone.around(HERE, 60.0)
    with pytest.raises(MachineError, match=r"correct `release`|cannot be read"):
        overture("s3://nobody/release/x", client, TOWN, s3_endpoint=address, s3_region="us-east-1").around(HERE, 60.0)


def bucket_at(address: str, client: HttpClient, **settings: Any) -> OvertureSource:
    return overture("s3://maps/release", client, TOWN, s3_endpoint=address.rstrip("/"), **settings)


def test_a_bucket_that_does_not_answer_is_a_fault_of_the_network(client: HttpClient) -> None:
    with pytest.raises(SiteError) as error:
        bucket_at("http://127.0.0.1:9", client).probe(TOWN)
    assert error.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_bucket_may_not_send_us_elsewhere(status: int, httpserver: HTTPServer, client: HttpClient) -> None:
    inside = HTTPServer(port=0)
    inside.expect_request("/").respond_with_data("secret")
    inside.start()
    elsewhere = inside.url_for("/latest/meta-data")
    httpserver.expect_request("/maps/").respond_with_data("", status=status, headers={"Location": elsewhere})
    with pytest.raises(SiteError) as error:
        bucket_at(httpserver.url_for("/"), client).probe(TOWN)
    assert error.value.reason is Reason.UNSAFE_ADDRESS
    assert inside.log == []
    inside.stop()


def test_a_bucket_of_another_region_names_it(httpserver: HTTPServer, client: HttpClient) -> None:
    answer = "<Error><Code>PermanentRedirect</Code><Message>Another endpoint.</Message></Error>"
    httpserver.expect_request("/maps/").respond_with_data(
        answer, status=301, headers={"x-amz-bucket-region": "eu-central-1", "Content-Type": "application/xml"}
    )
    with pytest.raises(MachineError, match="in eu-central-1: set s3_region"):
        bucket_at(httpserver.url_for("/"), client).probe(TOWN)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("no XML", Reason.BAD_ANSWER),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", Reason.BAD_ANSWER),
        ("<ListBucketResult><Contents><Key>release/x</Key></Contents></ListBucketResult>", Reason.BAD_ANSWER),
        ("<ListBucketResult><Contents><Key>a</Key><Size>many</Size></Contents></ListBucketResult>", Reason.BAD_ANSWER),
    ],
)
def test_listings_of_the_wrong_kind_are_a_bad_answer(
    answer: str, reason: Reason, httpserver: HTTPServer, client: HttpClient
) -> None:
    httpserver.expect_request("/maps/").respond_with_data(answer, content_type="application/xml")
    with pytest.raises(SiteError) as error:
        bucket_at(httpserver.url_for("/"), client).probe(TOWN)
    assert error.value.reason is reason


def test_an_endless_listing_is_given_up(httpserver: HTTPServer, client: HttpClient) -> None:
    page = "<ListBucketResult><NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
    httpserver.expect_request("/maps/").respond_with_data(page, content_type="application/xml")
    with pytest.raises(SiteError) as error:
        bucket_at(httpserver.url_for("/"), client, rate={"per_s": 1_000, "at_once": 8}).probe(TOWN)
    assert error.value.reason is Reason.ANSWER_TOO_LARGE


def test_the_hosts_of_amazons_buckets() -> None:
    assert Bucket.at("maps", "us-west-2", None).address == "https://maps.s3.us-west-2.amazonaws.com"
    assert Bucket.at("my.maps", "us-west-2", None).address == "https://s3.us-west-2.amazonaws.com/my.maps"
    assert Bucket.at("a/b", "", "https://s3.example.org/").address == "https://s3.example.org/a%2Fb"


def test_files_that_are_no_parquet_are_a_bad_answer(tmp_path: Path, write_type: WriteType, client: HttpClient) -> None:
    write_type(tmp_path, "segment", STREETS).write_bytes(b"PAR1 but nothing else PAR1")
    with pytest.raises(SiteError) as error:
        overture(tmp_path, client, TOWN).around(HERE, 50.0)
    assert error.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"release": "https://example.org/release"}, "s3://bucket/prefix"),
        ({"release": "gs://bucket/release"}, "s3://bucket/prefix"),
        ({"release": "s3://"}, "s3://bucket/prefix"),
        ({"release": "/nowhere/at/all"}, "which is no folder"),
        ({"release": "s3://maps/x", "s3_endpoint": "https://127.0.0.1/path"}, "without a path"),
        ({"release": "s3://maps/x", "s3_endpoint": "http://example.org"}, "https"),
        ({"release": "s3://maps/x", "extracted_on": "soon"}, "extracted_on"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: dict[str, Any], message: str, client: HttpClient) -> None:
    with pytest.raises(ConfigError, match=message):
        OvertureSource("o", Overture(type="overture", **settings), [TOWN], client)


def test_a_folder_without_themes_says_what_it_holds(tmp_path: Path, client: HttpClient) -> None:
    (tmp_path / "buildings.zip").touch()
    with pytest.raises(ConfigError, match=r"buildings\.zip"):
        overture(tmp_path, client, TOWN)


def test_a_point_outside_of_the_regions_is_not_on_the_map(
    tmp_path: Path, write_type: WriteType, client: HttpClient
) -> None:
    write_type(tmp_path, "segment", STREETS)
    with pytest.raises(SiteError) as error:
        overture(tmp_path, client, TOWN).around(Point(0.0, 0.0), 50.0)
    assert error.value.reason is Reason.NO_OVERLAP


def test_threads_read_a_region_once(
    tmp_path: Path, write_type: WriteType, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_type(tmp_path, "segment", STREETS)
    reads: list[str] = []
    plain = Release.read

    def counted(self: Release, kind: str, boxes: Any) -> Any:
        reads.append(kind)
        return plain(self, kind, boxes)

    monkeypatch.setattr(Release, "read", counted)
    source = overture(tmp_path, client, TOWN)
    sites = [Point(HERE.lat + i * 1e-5, HERE.lon) for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda site: source.around(site, 60.0), sites))
    assert reads == ["segment"]
    assert all(facts for facts in found)
