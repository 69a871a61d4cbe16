"""What holds for every format."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import ConfigError, MachineError
from schemas.records import Image, Sample
from tests.tools.export.conftest import Exported
from tools.dataset import open_dataset
from tools.export.base import export
from tools.export.formats import FORMATS
from tools.export.settings import format_of


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_picture_is_credited(form: str, exported: Exported, folder: Path, varied: list[Sample]) -> None:
    target = exported(form)
    rows = pq.read_table(folder / "attribution.parquet").to_pylist()
    assert {row["author"] for row in rows} >= {"Author 0 of photos"}
    assert len({row["sample_id"] for row in rows}) == target.taken
    assert all(row["licence"] and row["link"] for row in rows)
    assert target.taken + sum(target.reasons.values()) == len(varied)
    assert (folder / "left_out.parquet").exists() == bool(target.reasons)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_same_dataset_gives_the_same_files(
    form: str, dataset: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("again")
    for out in (folder, other):
        export(open_dataset(dataset), out, format_of(form, {"split": "test"}))
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    for name in names:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


def test_a_folder_that_holds_something_is_left_alone(exported: Exported, folder: Path) -> None:
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="empty or not there"):
        exported("recipe")
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("form", "settings", "message"),
    [
        ("tfrecord", {}, "one of coco, cvgtext"),
        ("webdataset", {"shard_gb": 1}, "settings of webdataset: split, shard_mb"),
        ("webdataset", {"shard_mb": -1}, "greater than 0"),
        ("cvgtext", {"layout": "mine"}, "'repository' or 'release'"),
        ("cvgtext", {"chips": []}, "at least 1"),
    ],
)
def test_a_wrong_format_or_setting_is_refused(form: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        format_of(form, settings)


def test_a_split_without_samples_is_refused_and_leaves_nothing(exported: Exported, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no sample to export \(the split val has none\)"):
        exported("hf", split="val")
    assert list(folder.iterdir()) == []
    assert [path for path in folder.parent.iterdir() if path.name.startswith(f".{folder.name}")] == []


@pytest.mark.parametrize("change", [{"sample_id": "../../evil"}, {"sample_id": "a_b"}, {"sample_id": ""}])
def test_an_id_that_is_no_file_name_is_refused(
    change: dict[str, str],
    make_sample: Callable[..., Sample],
    publish_samples: Callable[..., str],
    exported: Exported,
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match="sample_id"):
        exported("hf", publish_samples(tmp_path, [make_sample(0, **change)]))


def test_two_samples_of_one_id_are_a_fault(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, tmp_path: Path
) -> None:
    twice = publish_samples(tmp_path, [make_sample(0), make_sample(0)])
    with pytest.raises(MachineError, match="two pictures of the dataset would be"):
        exported("hf", twice)


def test_a_picture_that_is_none_is_refused(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, tmp_path: Path
) -> None:
    odd = make_sample(0, street=Image(bytes=b"<svg/>", path="a.jpg"))
    with pytest.raises(ConfigError, match="neither JPEG nor PNG"):
        exported("webdataset", publish_samples(tmp_path, [odd]))
