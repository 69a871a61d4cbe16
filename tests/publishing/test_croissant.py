"""The dataset as Croissant, read by mlcroissant; and its citation file."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest
import yaml

from pipeline.config.build import Build
from pipeline.publishing.revise import revise
from pipeline.publishing.takedown import Takedown
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import open_store
from tests.publishing.folders import SMALL, manifest_of, put, samples
from tools.verify.verify import verify

mlc = pytest.importorskip("mlcroissant")


@pytest.fixture(scope="module")
def folder(
    units: list[FinishedUnit], make_build: Callable[..., Build], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("croissant")
    put(make_build(**SMALL, title="Two towns", authors=["A. Maker"]), units, folder)
    return folder


def test_it_validates_and_gives_every_row(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    by_id = {sample.sample_id: sample for sample in samples(folder, manifest_of(folder))}
    for row in dataset.records("places"):
        sample = by_id.pop(row["places/sample_id"].decode())
        assert isinstance(row["places/street"], PIL.Image.Image)
        assert (row["places/aerial"] is None) == (sample.aerial is None)
        assert row["places/lat"] == sample.lat
        assert row["places/synthetic"] is False
        assert row["places/description"].decode() == sample.description
        assert row["places/street_view"]["places/street_view/author"].decode() == sample.street_view.author
    assert not by_id
    rows = list(dataset.records("table_samples"))
    assert len(rows) == manifest_of(folder).counts.published
    pictures = manifest_of(folder).counts.pictures.values()
    assert len(list(dataset.records("table_attribution"))) == sum(sum(found.values()) for found in pictures)


def test_it_lists_the_shards_in_force_and_no_others(
    make_build: Callable[..., Build], units: list[FinishedUnit], tmp_path: Path
) -> None:
    put(make_build(**SMALL), units, tmp_path)
    first = {shard.path for shard in manifest_of(tmp_path).shards}
    victim = samples(tmp_path, manifest_of(tmp_path))[0]
    revise(open_store(str(tmp_path)), Takedown(source_ids=(victim.street_view.source_id,)))
    content = json.loads((tmp_path / "croissant.json").read_text())
    listed = set(content["distribution"][0]["includes"])
    assert listed == {shard.path for shard in manifest_of(tmp_path).shards} != first
    assert content["version"] == manifest_of(tmp_path).digest
    rows = list(mlc.Dataset(jsonld=str(tmp_path / "croissant.json")).records("places"))
    assert victim.sample_id not in {row["places/sample_id"].decode() for row in rows}


def test_the_citation_file_names_authors_title_and_version(folder: Path) -> None:
    content = yaml.safe_load((folder / "CITATION.cff").read_text())
    assert content["cff-version"] == "1.2.0"
    assert content["type"] == "dataset"
    assert content["title"] == "Two towns"
    assert content["authors"] == [{"name": "A. Maker"}]
    assert content["version"] == manifest_of(folder).digest


@pytest.mark.parametrize("name", ["croissant.json", "CITATION.cff"])
def test_one_that_is_not_the_revision_s_is_a_fault(
    name: str, make_build: Callable[..., Build], units: list[FinishedUnit], tmp_path: Path
) -> None:
    put(make_build(), units[:3], tmp_path)
    assert verify(open_store(str(tmp_path))) == []
    (tmp_path / name).write_text("other")
    assert {fault.file for fault in verify(open_store(str(tmp_path)))} == {name}
    (tmp_path / name).unlink()
    assert {fault.file for fault in verify(open_store(str(tmp_path)))} == {name}
