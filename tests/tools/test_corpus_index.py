"""From a manifest to an index."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from tools.corpus_index import index_from_manifest, index_manifest

ENTRY = {
    "path": "street/a/1.jpg",
    "kind": "street",
    "lat": 40.0,
    "lon": -105.0,
    "heading": 12.5,
    "capture_time": None,
    "group": "boulder_co_boulder",
    "projection": "perspective",
    "licence": "CC-BY-SA-4.0",
    "attribution": "Ann, via Wikimedia Commons, https://commons.wikimedia.org/wiki/File:Alley,_back_(1).jpg",
    "source_url": "PyPI geovisio (upstream https://gitlab.com/panoramax/server/api)",
    "notes": "nearby: Japango; hfov_deg=64.0; mean_luma=66",
}


def manifest(folder: Path, *changes: dict[str, Any]) -> Path:
    path = folder / "MANIFEST.jsonl"
    path.write_text("".join(json.dumps(ENTRY | change) + "\n" for change in changes))
    return path


def test_a_row_has_all_that_an_index_needs(tmp_path: Path) -> None:
    assert index_from_manifest(manifest(tmp_path, {}), "boulder") == [
        {
            "path": "street/a/1.jpg",
            "id": "1",
            "lat": 40.0,
            "lon": -105.0,
            "heading": 12.5,
            "hfov_deg": 64.0,
            "projection": "perspective",
            "captured_at": None,
            "author": "Ann, via Wikimedia Commons",
            "licence": "CC-BY-SA-4.0",
            "link": "https://commons.wikimedia.org/wiki/File:Alley,_back_(1).jpg",
        }
    ]


def test_without_a_link_in_the_attribution_the_source_is_linked(tmp_path: Path) -> None:
    (row,) = index_from_manifest(manifest(tmp_path, {"attribution": "City of Amsterdam", "notes": None}), "")
    assert (row["author"], row["link"]) == ("City of Amsterdam", "https://gitlab.com/panoramax/server/api")
    assert row["hfov_deg"] is None


def test_only_street_photos_of_the_group_are_taken(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        {"kind": "aerial"},
        {"group": "seoul"},
        {"group": None},
        {"projection": "cubemap-face"},
        {"projection": "equirectangular"},
    )
    (row,) = index_from_manifest(path, "boulder")
    assert (row["projection"], row["hfov_deg"]) == ("equirectangular", None)


@pytest.mark.parametrize(
    ("words", "projection"),
    [
        ("perspective (dashcam)", "perspective"), ("Perspective, wide angle", "perspective"), ("flat", "perspective"),
        ("rectilinear", "perspective"), ("equirectangular, 360 degrees", "equirectangular"),
        ("spherical", "equirectangular"), ("360", "equirectangular"), ("equirectangular (cropped)", None),
        ("equirectangular 180", None), ("fisheye", None), ("cubemap-face", None), ("", None), (None, None), (7, None),
    ],
)  # fmt: skip
def test_a_projection_in_words_of_its_own_is_understood_or_the_row_is_named(
    tmp_path: Path, words: Any, projection: str | None
) -> None:
    dropped: list[str] = []
    rows = index_from_manifest(manifest(tmp_path, {"projection": words}), "boulder", dropped)
    assert [row["projection"] for row in rows] == ([] if projection is None else [projection])
    told = [] if projection else [f"MANIFEST.jsonl:1 street/a/1.jpg: projection {words!r}"]
    assert dropped == told


def test_rows_that_are_no_objects_or_lack_a_place_are_named(tmp_path: Path) -> None:
    path = manifest(tmp_path, {}, {"lat": None}, {"path": None})
    path.write_text(path.read_text() + "[1]\n")
    with pytest.raises(ConfigError) as error:
        index_from_manifest(path, "boulder")
    assert [problem.where for problem in error.value.problems] == [f"MANIFEST.jsonl:{n}" for n in (2, 3, 4)]


def test_rows_without_licence_author_or_link_are_refused_together(tmp_path: Path) -> None:
    path = manifest(tmp_path, {"licence": None}, {}, {"attribution": None, "source_url": None})
    with pytest.raises(ConfigError) as error:
        index_from_manifest(path, "boulder")
    assert [problem.where for problem in error.value.problems] == [
        "MANIFEST.jsonl:1 licence",
        "MANIFEST.jsonl:3 author",
        "MANIFEST.jsonl:3 link",
    ]


def test_the_command_makes_the_folder_and_names_what_it_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "folder" / "index.jsonl"
    index_manifest(manifest(tmp_path, {}, {"path": "street/a/2.jpg", "projection": "fisheye"}), "boulder", out)
    assert len(out.read_text().splitlines()) == 1
    said = capsys.readouterr()
    assert said.err == "left out: MANIFEST.jsonl:2 street/a/2.jpg: projection 'fisheye'\n"
    assert said.out.startswith("1 photos in ")


def test_the_command_writes_the_index(tmp_path: Path, corpus: Path) -> None:
    out = tmp_path / "index.jsonl"
    index_manifest(corpus / "MANIFEST.jsonl", "boulder_co", out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 109
    assert all(row["hfov_deg"] and row["link"].startswith("https://www.mapillary.com/") for row in rows)
    with pytest.raises(ConfigError, match="nowhere"):
        index_manifest(corpus / "MANIFEST.jsonl", "nowhere", out)


def test_a_manifest_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path, spoilt(tmp_path, b"\xff\xfe{}")):
        with pytest.raises(ConfigError) as caught:
            index_manifest(path, "boulder", tmp_path / "index.jsonl")
        assert caught.value.problems[0].where == str(path)


def test_values_of_the_wrong_type_count_as_missing(tmp_path: Path) -> None:
    odd: list[Any] = [3, [1], {"a": 1}, True, None]
    for value in odd:
        for key in ("path", "attribution", "licence"):
            with pytest.raises(ConfigError, match=key if key != "attribution" else "author"):
                index_from_manifest(manifest(tmp_path, {key: value}), "boulder")
        assert len(index_from_manifest(manifest(tmp_path, {"notes": value, "capture_time": value}), "boulder")) == 1
        assert index_from_manifest(manifest(tmp_path, {"group": value}), "boulder") == []
    assert len(index_from_manifest(manifest(tmp_path, {"notes": "hfov_deg=1.2.3 \u2028"}), "boulder")) == 1
    with pytest.raises(ConfigError, match="broken JSON"):
        index_from_manifest(spoilt(tmp_path, b"[" * 100_000), "boulder")


def test_an_index_that_cannot_be_written_is_said_in_a_line(tmp_path: Path) -> None:
    for out in (tmp_path, Path("/proc/no/index.jsonl"), Path("/dev/full")):
        with pytest.raises(ConfigError, match="cannot be written"):
            index_manifest(manifest(tmp_path, {}), "boulder", out)


def spoilt(folder: Path, data: bytes) -> Path:
    path = folder / "spoilt.jsonl"
    path.write_bytes(data)
    return path
