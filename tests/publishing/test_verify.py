"""A sound dataset is damaged in many ways, and each is named with file, row and column."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.build import Build
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from tests.publishing.folders import Row, manifest_of, rewrite, shard_of
from tools.verify.files import Fault
from tools.verify.verify import verify


@pytest.fixture(scope="module")
def sound(
    units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    build = make_build(shard_mb=0.15, row_group_mb=0.05)
    publish(build, units, open_store(str(folder)), synthetic=set(), provenance={})
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "dataset")
    return tmp_path / "dataset"


def faults(folder: Path) -> list[Fault]:
    return verify(open_store(str(folder)))


def edit_manifest(folder: Path, change: Callable[[Row], None]) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    change(content)
    (folder / "manifest.json").write_text(json.dumps(content))


def test_sound(sound: Path) -> None:
    assert faults(sound) == []


def test_a_flipped_byte_in_a_picture_is_found_in_its_column(folder: Path) -> None:
    path = shard_of(folder)
    data = bytearray((folder / path).read_bytes())
    street = pq.read_table(folder / path, columns=["street"])["street"][0].as_py()["bytes"]
    data[data.index(street) + len(street) // 2] ^= 1
    (folder / path).write_bytes(data)
    assert pq.read_table(folder / path).num_rows > 0  # without the check it goes unnoticed
    found = faults(folder)
    assert [(fault.file, fault.row, fault.column) for fault in found] == [(path, None, None), (path, 0, "street.bytes")]
    assert "SHA-256" in found[0].what
    assert "CRC" in found[1].what


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_truncated_shard(folder: Path, keep: float) -> None:
    path = shard_of(folder)
    data = (folder / path).read_bytes()
    (folder / path).write_bytes(data[: int(len(data) * keep)])
    found = faults(folder)
    assert {fault.file for fault in found} == {path}
    assert f"should have {len(data)}" in found[0].what
    assert "cannot be read as Parquet" in found[1].what


def test_missing_and_unlisted_files(folder: Path) -> None:
    path = shard_of(folder)
    (folder / path).rename(folder / "data" / "stray.parquet")
    (attribution,) = folder.glob("revisions/*/attribution.parquet")
    attribution.unlink()
    assert [(fault.file, fault.what) for fault in faults(folder)] == [
        (path, "is in the manifest but not there"),
        (attribution.relative_to(folder).as_posix(), "is in the manifest but not there"),
        ("data/stray.parquet", "is in no manifest, and no part of the dataset; remove it"),
    ]


def foreign() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"url": ["https://example.org/1.jpg"]}), buffer)
    return buffer.getvalue()


def flipped(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 4]) + data[201:]


@pytest.mark.parametrize("made", [lambda _: b"", lambda _: foreign(), flipped])
@pytest.mark.parametrize("listed", [True, False])
def test_a_parquet_file_of_another_kind_is_named(folder: Path, made: Callable[[bytes], bytes], listed: bool) -> None:
    path = shard_of(folder)
    data = made((folder / path).read_bytes())
    if not listed:
        path = path.replace(path[-24:-8], "0" * 16)  # named as a shard is that a killed publish left
    (folder / path).write_bytes(data)
    assert {fault.file for fault in faults(folder)} == {path}


def test_a_whole_shard_that_no_manifest_lists_is_no_fault(folder: Path, units: list[FinishedUnit]) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    spare = content["shards"][0]
    (archive,) = folder.glob("revisions/*/manifest.json")
    archive.unlink()
    other = folder / spare["path"].replace("/north-", "/nowhere-")
    other.write_bytes((folder / spare["path"]).read_bytes())
    assert faults(folder) == []


def test_a_split_file_and_a_list_of_exclusions_that_are_others(folder: Path) -> None:
    (splits,) = folder.glob("revisions/*/splits.json")
    content = json.loads(splits.read_text())
    unit = min(content["units"])
    splits.write_text(json.dumps(content | {"units": content["units"] | {unit: "test_unseen"}}))
    (excluded,) = folder.glob("revisions/*/excluded.parquet")
    assert manifest_of(folder).counts.excluded["split_embargo"] == 0
    row = dict.fromkeys(pq.read_schema(excluded).names) | {"reason": "split_embargo"}
    pq.write_table(pa.Table.from_pylist([row], schema=pq.read_schema(excluded)), excluded)
    found = [fault for fault in faults(folder) if fault.column]
    assert {(fault.file.rpartition("/")[2], fault.column) for fault in found} == {
        ("splits.json", "units"),
        ("excluded.parquet", "reason"),
    }
    assert any(fault.what.startswith(f"{unit} is test_unseen, should be ") for fault in found)
    splits.write_text("{")
    assert any("cannot be read" in fault.what for fault in faults(folder) if fault.file.endswith("splits.json"))


def test_tables_that_do_not_fit_the_shards(folder: Path) -> None:
    for name in ("samples", "attribution"):
        (path,) = folder.glob(f"revisions/*/{name}.parquet")
        table = pq.read_table(path)
        pq.write_table(table.slice(1), path)
        what = "does not fit data/" if name == "samples" else "should have 138"
        assert any(f.file.endswith(path.name) and what in f.what for f in faults(folder))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "geoscribe-dataset-2"}', '{"format": 7}'])
def test_a_manifest_that_is_none(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    assert {fault.file for fault in faults(folder)} == {"manifest.json"}


def test_no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    assert [str(fault) for fault in faults(folder)] == ["manifest.json: no such file"]
    (folder / "_publishing.json").touch()
    assert [str(fault) for fault in faults(folder)] == ["manifest.json: publishing did not finish; publish again"]


@pytest.mark.parametrize(
    ("path", "value", "columns_named"),
    [
        (("counts", "published"), 41, {"counts.published", "counts.sites"}),
        (("counts", "splits", "val"), 3, {"counts.splits", "dataset_info.splits"}),
        (("counts", "regions", "north", "train"), 26, {"counts.regions"}),
        (("counts", "failed", "too_dark"), 1, {"counts.sites"}),
        (("schema_fingerprint",), "0", {"schema_fingerprint"}),
    ],
)
def test_counts_that_do_not_add_up(folder: Path, path: tuple[str, ...], value: object, columns_named: set[str]) -> None:
    def change(content: Row) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    edit_manifest(folder, change)
    assert {fault.column for fault in faults(folder)} == columns_named


def test_shard_entries_that_are_wrong(folder: Path) -> None:
    def change(content: Row) -> None:
        content["shards"][0] |= {"content": "0", "first_id": "z", "row_groups": 9}

    rows = manifest_of(folder).shards[0].rows
    edit_manifest(folder, change)
    path = manifest_of(folder).shards[0].path
    found = faults(folder)
    assert {fault.file for fault in found} == {path}
    assert sorted(fault.what.split(" ")[0] for fault in found if "row group" not in fault.what) == [
        "content",
        "first_id",
    ]
    assert any(f"should be {rows} in 9" in fault.what for fault in found)


def small_png() -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (96, 72)).resize((40, 40)).save(buffer, "PNG")
    return buffer.getvalue()


def with_exif(jpeg: bytes) -> bytes:
    buffer = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x010F] = "Camera maker"
    PIL.Image.open(io.BytesIO(jpeg)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (lambda row: row["street_view"].update(licence=""), "street.licence"),
        (lambda row: row["aerial_chip"].update(author="  "), "aerial.author"),
        (lambda row: row["other_views"][0].update(link=""), "other.link"),
        (lambda row: row["street"].update(bytes=b"<html>"), "street"),
        (lambda row: row["street"].update(bytes=row["street"]["bytes"][:-200]), "street"),
        (lambda row: row["street"].update(bytes=small_png()), "street"),
        (lambda row: row["street"].update(bytes=with_exif(row["street"]["bytes"])), "street"),
        (lambda row: row["other_views"][1]["image"].update(bytes=b""), "other"),
        (lambda row: row.update(panorama=None), "panorama"),
        (lambda row: row.update(aerial=None, aerial_chip=None, map=None, map_chip=None), "aerial"),
        (lambda row: row.update(lat=row["lat"] + 1), "geometry"),
        (lambda row: row.update(geometry=b"\x00"), "geometry"),
        (lambda row: row["bbox"].update(xmin=179.0), "bbox"),
        (lambda row: row.update(unit="nowhere"), "unit"),
        (lambda row: row.update(region="east"), "region"),
        (lambda row: row.update(split="test"), "split"),
        (lambda row: row.update(lon=181.0), "lon"),
        (lambda row: row.update(description=None), "description"),
        (lambda row: row.update(description_short=" "), "description_short"),
        (lambda row: row["sentences"][0].update(cue_ids=["t9"]), "sentences.0.cue_ids"),
        (lambda row: row["sentences"][0].update(text="Something else."), "sentences.0.text"),
        (lambda row: row["cues"][1].update(cue_id="t1"), "cues.1.cue_id"),
        (lambda row: row["cues"][0].update(view_id="7"), "cues.0.view_id"),
        (lambda row: row.update(licence_class="attribution"), "licence_class"),
        (lambda row: row["street_view"].update(phash="-1"), "street_view.phash"),
        (lambda row: row["street_view"].update(captured_at="in May"), "street_view.captured_at"),
        (lambda row: row["street"].update(path="0.jpg"), "street.path"),
        (lambda row: row["other_views"][1]["image"].update(path=row["street"]["path"]), "other.path"),
        (lambda row: row["street_view"].update(heading_deg=360.0), "street_view.heading_deg"),
    ],
)
def test_a_row_that_is_wrong_is_named(folder: Path, change: Callable[[Row], None], column: str) -> None:
    path = shard_of(folder)
    rewrite(folder, path, lambda rows: change(rows[1]))  # site 1 of the first unit has every view
    found = faults(folder)
    assert {fault.file for fault in found} == {path}
    assert column in {fault.column for fault in found if fault.row == 1}
    assert {fault.row for fault in found} == {None, 1}
    assert any("SHA-256" in fault.what or "bytes, should" in fault.what for fault in found)
    assert any(fault.what.startswith("content is") for fault in found)


def test_one_id_twice(folder: Path) -> None:
    path = shard_of(folder)
    rewrite(folder, path, lambda rows: rows[2].update(sample_id=rows[0]["sample_id"]))
    assert any(f.row == 2 and f.column == "sample_id" and f"{path}, row 0, too" in f.what for f in faults(folder))


def test_a_unit_in_two_splits_and_too_near(folder: Path) -> None:
    train, val = shard_of(folder, "train"), shard_of(folder, "val")
    stolen: list[Row] = []
    rewrite(folder, train, lambda rows: stolen.append(rows[3]))
    home = stolen[0]["region"]
    other = {"split": "val", "region": "south" if home == "north" else "north", "sample_id": "z"}
    rewrite(folder, val, lambda rows: rows.append(stolen[0] | other))
    last = pq.read_metadata(folder / val).num_rows - 1
    found = faults(folder)
    assert any(f.file == val and f.row == last and f.column == "unit" and "'train', too" in f.what for f in found)
    assert any(f.file == train and f.column == "split" and "another split" in f.what for f in found)
    assert any(f.column == "street_view.phash" for f in found)


def test_another_schema(folder: Path) -> None:
    path = shard_of(folder)
    table = pq.read_table(folder / path)
    weight = table.schema.get_field_index("weight")
    pq.write_table(table.set_column(weight, "weight", table["weight"].cast(pa.float32())), folder / path)
    assert any(f.column == "weight" and "is float, should be double" in f.what for f in faults(folder))
    pq.write_table(table.drop_columns(["model"]).replace_schema_metadata(None), folder / path)
    found = [fault.what for fault in faults(folder)]
    assert any("has columns" in what for what in found)
    assert any("footer key 'geo' is missing" in what for what in found)


def test_a_card_with_other_numbers(folder: Path) -> None:
    card = folder / "README.md"
    train = manifest_of(folder).counts.splits["train"]
    card.write_text(card.read_text().replace(f"num_examples: {train}", f"num_examples: {train + 1}"))
    assert [(fault.file, fault.column) for fault in faults(folder)] == [
        ("README.md", None),
        ("README.md", "dataset_info.splits"),
    ]
    for text in ("# A card", f"---\nconfigs: {'[' * 1_500}\n---\n", "---\na: &a [*a]\n---\n", "---\n!!int x\n---\n"):
        card.write_text(text)
        assert any("YAML header" in fault.what for fault in faults(folder))
