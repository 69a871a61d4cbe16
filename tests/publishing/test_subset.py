"""Part of a dataset as a dataset: what is selected, what is left of a sample, and that it is sound."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config.build import Build
from pipeline.errors import ConfigError
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from schemas.records import Claim, Sample
from tests.publishing.folders import SMALL, manifest_of, put, samples, seen_by_card, seen_by_manifest
from tools.dataset import open_dataset
from tools.subset import Selection, parts_of, subset
from tools.verify.verify import verify


@pytest.fixture(scope="module")
def folder(
    units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    put(make_build(**SMALL), units, folder)
    return folder


@pytest.fixture(scope="module")
def whole(folder: Path) -> dict[str, Sample]:
    return {sample.sample_id: sample for sample in samples(folder, manifest_of(folder))}


Take = Callable[..., list[Sample]]


@pytest.fixture
def take(folder: Path, tmp_path: Path) -> Take:
    """A function that writes a subset and returns its samples, once it is found sound."""

    def write(**selection: Any) -> list[Sample]:
        store = open_store(str(tmp_path))
        done = subset(open_dataset(str(folder)), store, Selection.model_validate(selection))
        assert verify(store) == []
        assert seen_by_card(store) == seen_by_manifest(store)
        found = samples(tmp_path, manifest_of(tmp_path))
        counts = done.manifest.counts
        assert len(found) == counts.published == manifest_of(folder).counts.published - done.left_out
        assert counts.failed.get("not_selected", 0) == done.left_out
        return found

    return write


def test_everything_selected_is_the_same_content(
    take: Take, whole: dict[str, Sample], folder: Path, tmp_path: Path
) -> None:
    assert {sample.sample_id: sample for sample in take()} == whole
    before, after = ({s.content for s in manifest_of(where).shards} for where in (folder, tmp_path))
    assert before == after
    assert manifest_of(tmp_path).provenance["subset_of"] == manifest_of(folder).digest


def test_by_region_and_split(take: Take, whole: dict[str, Sample]) -> None:
    found = take(regions=["south"], splits=["train"])
    assert {s.sample_id for s in found} == {
        s.sample_id for s in whole.values() if (s.region, s.split) == ("south", "train")
    }
    assert found


def test_by_box(take: Take, whole: dict[str, Sample]) -> None:
    box = (13.0, 52.0, 13.3, 52.33)
    found = take(box=box)
    wanted = {s.sample_id for s in whole.values() if 13.0 <= s.lon <= 13.3 and 52.0 <= s.lat <= 52.33}
    assert {s.sample_id for s in found} == wanted
    assert 0 < len(wanted) < len(whole)


def test_by_quality(take: Take, whole: dict[str, Sample], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without any sample"):
        take(quality=["sharpness>=91"])
    assert not (tmp_path / "manifest.json").exists()
    found = take(quality=["sharpness>=90", "darkness<=0.1", "covered>=1"])
    assert {s.sample_id for s in found} == {s.sample_id for s in whole.values() if s.aerial is not None}


def test_by_licence_of_the_parts_that_are_taken(take: Take, whole: dict[str, Sample]) -> None:
    with pytest.raises(ConfigError, match="without any sample"):
        take(licence="attribution", parts=["street", "aerial"])  # the street views are share-alike
    assert len(take(licence="share-alike")) == len(whole)


def test_without_the_map_nothing_of_it_is_left(take: Take, whole: dict[str, Sample], tmp_path: Path) -> None:
    found = take(parts=["street", "aerial"])
    assert {s.sample_id for s in found} == {s.sample_id for s in whole.values() if s.aerial is not None}
    for sample in found:
        assert (sample.map, sample.map_chip, sample.map_licence_class, sample.map_data_licence_class) == (None,) * 4
        assert [cue.cue_id for cue in sample.cues] == ["t1"]
        assert sample.description == whole[sample.sample_id].sentences[0].text
        assert sample.description_short == "A bookshop."
        assert sample.description_short_tokens == count_clip_tokens("A bookshop.")
        assert [sentence.cue_ids for sentence in sample.sentences] == [["t1"], ["t1"]]
        assert sample.licence_class == "share-alike"  # of the street view
    for shard in manifest_of(tmp_path).shards:
        text = repr(pq.read_table(tmp_path / shard.path).drop_columns(["street", "aerial"]).to_pylist())
        assert "ODbL" not in text
        assert "small road" not in text


def test_the_map_is_no_witness_any_more(whole: dict[str, Sample]) -> None:
    sample = next(iter(whole.values()))
    claim = Claim(
        text="A sign.", kind="sign", cites=["t1"], outcome="supported", witnesses=["t1", "m1", "way/17", "verifier"],
        detail="the map names it",
    )  # fmt: skip
    told = sample.sentences[0].model_copy(update={"claims": [claim]})
    (left, *_) = parts_of(sample.model_copy(update={"sentences": [told]}), {"street", "aerial"}).sentences
    assert left.claims[0].witnesses == ["t1", "verifier"]
    assert left.claims[0].detail is None


def test_an_aerial_chip_or_a_map_chip_stays(take: Take, whole: dict[str, Sample]) -> None:
    found = take(parts=["street", "map", "map_data"])
    assert len(found) == len(whole)
    for sample in found:
        assert (sample.aerial, sample.aerial_chip, sample.aerial_signatures) == (None, None, None)
        assert sample.aerial_licence_class is None
        assert (sample.description, sample.map) == (whole[sample.sample_id].description, whole[sample.sample_id].map)


def test_tables_follow(take: Take, tmp_path: Path) -> None:
    found = take(regions=["north"], parts=["street", "aerial", "map_data"])
    manifest = manifest_of(tmp_path)
    rows = pq.read_table(next((tmp_path / "revisions").glob("*/samples.parquet"))).to_pylist()
    assert [row["sample_id"] for row in rows] == [sample.sample_id for sample in found]
    assert {row["map_licence"] for row in rows} == {None}
    attribution = pq.read_table(next((tmp_path / "revisions").glob("*/attribution.parquet"))).to_pylist()
    assert {row["role"] for row in attribution} == {"street", "panorama", "other", "aerial"}
    assert manifest.counts.absent["map"] == len(found)


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"licence": "cc-by"}, "'public-domain', 'attribution'"),
        ({"parts": ["aerial"]}, "no sample is without its street view"),
        ({"parts": ["street", "sky"]}, "'street', 'aerial'"),
        ({"splits": ["holdout"]}, "'train'"),
        ({"quality": ["beauty>=1"]}, "measures: sharpness"),
        ({"quality": ["sharpness=1"]}, "not like sharpness>=100"),
        ({"box": [0, 100, 1, 1]}, "less than or equal to 90"),
    ],
)
def test_a_wrong_selection_is_refused(selection: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Selection.model_validate(selection)


def test_an_unknown_region_is_refused(take: Take) -> None:
    with pytest.raises(ConfigError, match="one of north, south"):
        take(regions=["west"])


def test_a_place_that_holds_something_is_refused(take: Take, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="which holds files"):
        take()


def test_a_dataset_of_other_columns_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text()) | {"schema_fingerprint": "0" * 16}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match="publish it anew with `geoscribe build`"):
        subset(open_dataset(str(tmp_path)), open_store(str(tmp_path / "out")), Selection())
