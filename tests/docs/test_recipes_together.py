"""All recipes followed in one copy of the code: a build with the new engine, whose dataset has the new column."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.docs.recipes import DOCS, ROOT, follow
from tests.engine.conftest import SMALL, changed

CAPITALS = """
import sys
import pyarrow.parquet as pq
from tools.verify.rows import check_row

(row,) = pq.read_table(sys.argv[1]).slice(0, 1).to_pylist()
print(check_row(row)[1])
print(check_row(row | {"description": row["description"].upper()})[1][0])
"""


def run(copy: Path, *arguments: str) -> str:
    """What a Python command prints in the copy."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


FRENCH = """
from pipeline.captioning.base import prompt_set_of
from pipeline.captioning.language import language_of

print(language_of(prompt_set_of("progressive-fr-1", "dialogue").language).rules.code)
"""


def add_french(copy: Path) -> None:
    """What a translator would write, as a copy of what is there in English."""
    rules = copy / "pipeline" / "captioning" / "language"
    (rules / "fr").mkdir()
    (rules / "fr" / "rules.yaml").write_text((rules / "en" / "rules.yaml").read_text().replace("code: en", "code: fr"))
    prompts = copy / "prompts"
    shutil.copytree(prompts / "progressive-en-2", prompts / "progressive-fr-1")
    manifest = prompts / "progressive-fr-1" / "manifest.yaml"
    content = yaml.safe_load(manifest.read_text())
    manifest.write_text(yaml.safe_dump(content | {"name": "progressive-fr-1", "language": "fr"}))


@pytest.mark.slow
def test_a_build_with_all_recipes(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for folder in ("schemas", "prompts", "pipeline", "tools"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for page in sorted((DOCS / "contributing").glob("*.md")):
        follow(page, copy)
    geoscribe = ("-m", "tools.cli.main")

    (copy / "quay.jpg").touch()
    assert "is sound" in run(copy, *geoscribe, "config", "check", "geojson.yaml")
    sections = json.loads(run(copy, *geoscribe, "config", "schema"))["$defs"]
    assert "`heading`" in sections["GeoJsonPhotos"]["properties"]["index"]["description"]
    assert "QrCodes" in sections

    add_french(copy)
    assert run(copy, "-c", FRENCH).split() == ["fr"]

    raw = changed(SMALL, {"perception__ocr": {"engine": "qrcode"}, "regions": SMALL["regions"][:1]})
    (copy / "small.yaml").write_text(yaml.safe_dump(raw))
    run(copy, *geoscribe, "build", "small.yaml")
    assert "dataset: sound" in run(copy, *geoscribe, "verify", "dataset")

    shards = sorted((copy / "dataset" / "data").rglob("*.parquet"))
    rows = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    assert rows
    assert {row["street_month"] == int(row["street_view"]["captured_at"][5:7]) for row in rows} == {True}  # ISO 8601
    (described,) = (copy / "dataset").glob("revisions/*/sample.schema.json")
    columns = json.loads(described.read_text())["properties"]
    assert columns["street_month"]["description"].startswith("Month in which")

    faults = run(copy, "-c", CAPITALS, str(shards[0])).splitlines()
    assert faults == ["[]", "('description', 'is written in capitals')"]

    run(copy, "jsonl_export.py", "dataset", "out.jsonl")
    lines = [json.loads(line) for line in (copy / "out.jsonl").read_text().splitlines()]
    assert {line["sample_id"]: line["description"] for line in lines} == {
        row["sample_id"]: row["description"] for row in rows
    }
