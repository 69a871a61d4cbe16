"""Builds from real photos and maps, by the commands that the configurations name."""

from pathlib import Path

import duckdb
import pyarrow.dataset
import pytest

from pipeline.engine.build_file import load_build
from tests.engine.test_joined_builds import held, publish_again
from tests.publishing.folders import listed, manifest_of
from tests.real_places import geoscribe, write_real

__all__ = ["held"]
pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "sites"), [("seoul", 22), pytest.param("boulder", 30, marks=pytest.mark.seldom)])
def test_a_real_place_is_built_and_verified(
    corpus: Path, tmp_path: Path, name: str, sites: int, held: dict[str, int]
) -> None:
    file = write_real(tmp_path, corpus, name)
    geoscribe("build", file)
    assert "sound" in geoscribe("verify", tmp_path / "dataset")
    rows = pyarrow.dataset.dataset(tmp_path / "dataset" / "data").to_table(
        columns=["sample_id", "aerial", "description", "street_view", "sentences", "licence_class"]
    )
    assert len(rows) >= sites / 2  # near-duplicates, the embargo and places of which too little can be said take some
    for row in rows.to_pylist():
        assert row["aerial"] is None
        assert row["description"]
        assert row["street_view"]["licence"].startswith("CC")
        assert all(sentence["cue_ids"] for sentence in row["sentences"])
    paths = [str(tmp_path / "dataset" / shard.path) for shard in manifest_of(tmp_path / "dataset").shards]
    shards = duckdb.read_parquet(paths)
    free = "licence_class in ('public-domain', 'attribution', 'share-alike')"
    assert shards.filter(free).count("*").fetchall() == [(len(rows),)]
    assert {row["licence_class"] for row in rows.to_pylist()} <= {"attribution", "share-alike"}
    assert publish_again(load_build(file), tmp_path / "again") == listed(tmp_path / "dataset")
    assert held["samples"] == len(rows)
