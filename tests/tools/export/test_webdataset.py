"""Read back with the library webdataset."""

import tarfile
from pathlib import Path
from typing import Any

import pytest

from schemas.records import Sample
from tests.tools.export.conftest import Exported

wds = pytest.importorskip("webdataset")
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves files open


def read(paths: list[Path]) -> list[dict[str, Any]]:
    return list(wds.WebDataset([str(path) for path in paths], shardshuffle=False, empty_check=False).decode("pil"))


def test_webdataset_reads_pictures_text_and_metadata(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    exported("webdataset")
    by_id = {sample.sample_id: sample for sample in varied}
    found = {row["__key__"]: row for row in read(sorted(folder.glob("*.tar")))}
    assert found.keys() == by_id.keys()
    for sample_id, row in found.items():
        sample = by_id[sample_id]
        assert row["street.jpg"].size == (320, 240)
        assert ("aerial.jpg" in row) == (sample.aerial is not None)
        assert ("panorama.jpg" in row) == (sample.panorama is not None)
        assert ("drone.jpg" in row) == (sample.drone is not None)
        assert row["txt"] == sample.description
        said = row["json"]
        assert (said["sample_id"], said["split"], said["lat"]) == (sample_id, sample.split, sample.lat)
        assert said["street_view"]["author"] == sample.street_view.author
        assert said["cues"][0]["text"] == "BAKERY"
        assert "street" not in said


def test_shards_are_cut_by_size_and_split(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    exported("webdataset", shard_mb=0.03)
    shards = sorted(folder.glob("*.tar"))
    assert len(shards) > 2
    for shard in shards:
        assert shard.stat().st_size < 80_000
        split = shard.name.rpartition("-")[0]
        assert {row["json"]["split"] for row in read([shard])} == {split}
    with tarfile.open(shards[0]) as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}
    assert sum(len(read([shard])) for shard in shards) == len(varied)
