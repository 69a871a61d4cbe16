"""Builds from real photos and maps, by the commands that the configurations name."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.dataset
import pytest
import yaml

from tests.perception.street_models import street_models
from tests.publishing.folders import manifest_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
GEOSCRIBE = [sys.executable, "-m", "tools.cli.main"]


def geoscribe(*args: str | Path) -> str:
    done = subprocess.run([*GEOSCRIBE, *map(str, args)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "group", "sites"),
    [("seoul", "seoul_jongno", 22), pytest.param("boulder", "boulder_co", 30, marks=pytest.mark.seldom)],
)
def test_a_real_place_is_built_and_verified(corpus: Path, tmp_path: Path, name: str, group: str, sites: int) -> None:
    index = tmp_path / "index.jsonl"
    geoscribe("index-manifest", corpus / "MANIFEST.jsonl", "--group", group, "--out", index)
    raw = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    (street,) = raw["sources"]["street"].values()
    street |= {"index": str(index), "root": str(corpus)}
    (around,) = raw["sources"]["map"].values()
    around["files"] = [str(corpus / "osm" / Path(file).name) for file in around["files"]]
    raw |= {"workspace": "workspace", "dataset": "dataset"}
    # As in boulder-cpu.yaml: of what the default segmenter is sure of, a description of most places cannot be made.
    raw |= {"perception": {"segmenters": street_models(corpus)}, "captioner": {"engine": "composer", "least_sure": 0.7}}
    config = tmp_path / "build.yaml"
    config.write_text(yaml.safe_dump(raw, allow_unicode=True))
    geoscribe("build", config)
    assert "sound" in geoscribe("verify", tmp_path / "dataset")
    rows = pyarrow.dataset.dataset(tmp_path / "dataset" / "data").to_table(
        columns=["sample_id", "aerial", "description", "street_view", "sentences", "licence_class"]
    )
    assert len(rows) >= sites - 8  # the embargo between splits leaves some out
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
