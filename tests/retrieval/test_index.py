"""What is read of every row, what is selected, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigError, MachineError
from schemas.records import Sample
from tests.retrieval.conftest import field_sample
from tests.tools.conftest import publish
from tools.retrieval.data.batches import Input, make_batch
from tools.retrieval.data.index import read_index
from tools.retrieval.data.pictures import picture
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import Selection

MakeSample = Callable[..., Sample]
EVERY = Selection(splits=("train", "val", "test"))


def test_every_row_is_found_where_it_is_stored(fields_dataset: str) -> None:
    index = read_index([fields_dataset], EVERY)
    assert len(index) == 240
    assert set(index.region.tolist()) == {"plain", "valley"}
    assert index.side_m["aerial"].tolist() == [96.0] * 240
    for row in (0, 7, 100, 239):
        group = index.groups[index.group[row]]
        file = pq.ParquetFile(Path(fields_dataset) / group.shard.path)
        found = file.read_row_group(group.number).to_pylist()[index.place[row]]
        assert (found["sample_id"], found["lat"]) == (index.ids[row], index.lat[row])
        assert found["street_view"]["heading_deg"] == index.heading_deg[row]


def test_rows_are_selected(fields_dataset: str, tmp_path: Path, make_sample: MakeSample) -> None:
    def rows(**selection: object) -> int:
        return len(read_index([fields_dataset], Selection.model_validate(selection)))

    assert rows() == 160
    assert rows(splits=["validation"]) == rows(splits=["val"]) == 40
    assert rows(regions=["plain"]) == rows(not_regions=["valley"]) == 80
    samples = [
        field_sample(make_sample, 0),
        field_sample(make_sample, 1, licence_class="share-alike"),
        field_sample(make_sample, 2, redistributable=False),
        field_sample(make_sample, 3, language="de"),
    ]
    mixed = [publish(tmp_path / "d", samples)]
    assert read_index(mixed, Selection(licences=("attribution",))).ids.tolist() == [
        samples[i].sample_id for i in (0, 2, 3)
    ]
    assert len(read_index(mixed, Selection(redistributable=True))) == 3
    assert len(read_index(mixed, Selection(languages=("de",)))) == 1


def test_rows_that_lack_what_is_needed_are_counted(tmp_path: Path, make_sample: MakeSample) -> None:
    bare = {"aerial": None, "aerial_chip": None, "aerial_signatures": None}
    view = make_sample().street_view
    blind, wrong = ({"heading_deg": None}, {"heading_source": "guessed", "heading_error_deg": 180.0})
    samples = [
        field_sample(make_sample, 0),
        field_sample(make_sample, 1, **bare),
        field_sample(make_sample, 2, street_view=view.model_copy(update=blind)),
        field_sample(make_sample, 4, street_view=view.model_copy(update=wrong)),
        field_sample(make_sample, 3, description_street="A field."),
    ]
    where = [publish(tmp_path / "d", samples)]
    assert read_index(where, Selection()).left_out == {"no aerial": 1}
    assert read_index(where, Selection(), heading_up=True).left_out == {"no aerial": 1, "no heading": 2}
    assert read_index(where, Selection(), views=("aerial", "map")).left_out == {}
    street = read_index(where, Selection(), text="description_street")
    assert street.ids.tolist() == [samples[4].sample_id]
    assert street.left_out == {"no aerial": 1, "no description_street": 3}
    with pytest.raises(ConfigError, match=r"no row of 5 .*5 no drone"):
        read_index(where, Selection(), views=("drone",))


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"splits": ["trian"]}, "splits: found trian; allowed: one of test, train, val"),
        ({"regions": ["plains"]}, "regions: found plains; allowed: one of plain, valley"),
        ({"not_regions": ["hill"]}, "found hill"),
        ({"languages": ["fr"]}, "no row of 160 .none is selected."),
    ],
)
def test_what_there_is_not_is_named(fields_dataset: str, selection: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_index([fields_dataset], Selection.model_validate(selection))


def test_an_unknown_licence_class_is_refused() -> None:
    with pytest.raises(ValidationError, match="'public-domain', 'attribution', 'share-alike' or 'other'"):
        Selection.model_validate({"licences": ["CC-BY-4.0"]})


def damaged(tmp_path: Path, make_sample: MakeSample) -> tuple[str, Path]:
    where = publish(tmp_path / "d", [field_sample(make_sample, i, sample_id=f"s{i}") for i in range(6)])
    return where, next((tmp_path / "d" / "data").rglob("*.parquet"))


def test_a_file_of_no_bytes_is_named(tmp_path: Path, make_sample: MakeSample) -> None:
    where, shard = damaged(tmp_path, make_sample)
    shard.write_bytes(b"")
    with pytest.raises(MachineError, match=shard.name):
        read_index([where], Selection())


def test_a_flipped_byte_is_named(tmp_path: Path, make_sample: MakeSample) -> None:
    where, shard = damaged(tmp_path, make_sample)
    column = pq.ParquetFile(shard).metadata.row_group(0).column(0)
    data = bytearray(shard.read_bytes())
    at = column.data_page_offset + column.total_compressed_size - 4
    data[at] ^= 0x10
    shard.write_bytes(bytes(data))
    with pytest.raises(MachineError, match=shard.name):
        read_index([where], Selection())


def test_a_foreign_file_in_a_shard_s_place_is_named(tmp_path: Path, make_sample: MakeSample) -> None:
    where, shard = damaged(tmp_path, make_sample)
    pq.write_table(pa.table({"sample_id": ["a"], "text": ["b"]}), shard)
    with pytest.raises(MachineError, match=f"{shard.name} has no column region, unit"):
        read_index([where], Selection())


def test_a_dataset_of_an_older_format_is_refused(tmp_path: Path, make_sample: MakeSample) -> None:
    where, _ = damaged(tmp_path, make_sample)
    manifest = tmp_path / "d" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"format": "geoscribe-dataset-0"}))
    with pytest.raises(ConfigError, match=r"geoscribe-dataset-|this version"):
        read_index([where], Selection())
    with pytest.raises(ConfigError, match="an existing folder"):
        read_index([str(tmp_path / "absent")], Selection())


def with_chips(tmp_path: Path, make_sample: MakeSample, number: int, **chips: object) -> str:
    where = publish(tmp_path / f"d{number}", [field_sample(make_sample, number, sample_id=f"s{number}")])
    manifest = tmp_path / f"d{number}" / "manifest.json"
    content = json.loads(manifest.read_text())
    sizes = {"gsd_m": 0.3, "size_px": 512, "map_scale": "chip"} | chips
    manifest.write_text(json.dumps(content | {"config": {"imagery": {"chips": sizes}}}))
    return where


def test_datasets_of_other_chip_sizes_are_not_merged(tmp_path: Path, make_sample: MakeSample) -> None:
    first, alike = (with_chips(tmp_path, make_sample, i) for i in (0, 1))
    other = with_chips(tmp_path, make_sample, 2, gsd_m=0.6)
    assert len(read_index([first, alike], Selection())) == 2
    with pytest.raises(ConfigError, match=r"512 px at 0\.3 m.*512 px at 0\.6 m.*one size, scale"):
        read_index([first, alike, other], Selection())
    with pytest.raises(ConfigError, match="1 sample ids that stand twice, such as s0"):
        read_index([first, first], Selection())


def test_overlaps_are_the_dataset_s_own_where_it_states_them(tmp_path: Path, make_sample: MakeSample) -> None:
    where = publish(tmp_path / "d", [field_sample(make_sample, i, sample_id=f"s{i}") for i in range(4)])
    index = read_index([where], Selection())
    assert index.overlaps is None
    assert len(index.overlaps_of("aerial").other) == 0  # they are 400 m apart
    table = pa.table(
        {
            "sample_id": ["s2", "s0", "s1", "s3"],
            "split": ["train"] * 4,
            "overlaps": [[{"sample_id": "s0", "share": 0.4}], [{"sample_id": "s2", "share": 0.4}], [], []],
            "thinned": [False] * 4,
        }
    )
    path = tmp_path / "d" / "revisions" / "0" / "samples.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    manifest = tmp_path / "d" / "manifest.json"
    content = json.loads(manifest.read_text())
    content["files"] = [{"path": "revisions/0/samples.parquet", "bytes": 1, "sha256": "0" * 64}]
    manifest.write_text(json.dumps(content))
    assert read_index([where], Selection()).thin is None  # train has no thinned gallery
    stated = read_index([where], Selection()).overlaps_of("aerial")
    assert stated.of(0).tolist() == [2]
    assert stated.of(2).tolist() == [0]
    assert stated.share.tolist() == [0.4, 0.4]
    half = read_index([where], Selection()).take(np.array([2, 3]))
    assert half.overlaps is not None
    assert len(half.overlaps.other) == 0
    pq.write_table(table.slice(1), path)
    with pytest.raises(MachineError, match=r"1 samples, such as s2, are in no samples.parquet"):
        read_index([where], Selection())  # not taken for a distractor, which overlaps nothing


def test_chips_that_were_cut_heading_up_are_not_turned_again(tmp_path: Path, make_sample: MakeSample) -> None:
    """They are taken whole; others are turned, which leaves half of their area. The two are not mixed."""
    up = with_chips(tmp_path, make_sample, 0, gsd_m=1.0, size_px=96, map_scale="chip", orientation="heading-up")
    north = with_chips(tmp_path, make_sample, 1, gsd_m=1.0, size_px=96, map_scale="chip")
    wanted = Input(
        "description",
        ("aerial",),
        24,
        heading_up=True,
        signatures=False,
        tokens=lambda texts: np.ones((len(texts), 1), np.int64),
    )
    for where, turned in ((up, False), (north, True)):
        index = read_index([where], Selection(), heading_up=True)
        ((row,),) = RowReader(index, wanted.columns()).read([np.array([0])])
        batch = make_batch(index, np.array([0]), [row], wanted)
        turn = float(index.heading_deg[0]) if turned else None
        assert np.array_equal(batch["aerial"][0], picture(row["aerial"]["bytes"], 24, turn))
    with pytest.raises(ConfigError, match=r"heading-up, .*north-up; allowed: datasets with chips of one size"):
        read_index([up, north], Selection())
