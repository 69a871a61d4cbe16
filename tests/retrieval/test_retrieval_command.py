"""The command, from a training file to figures, explanations and a re-ranked search."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.errors import ConfigError
from tests.captioning.model_standin import NAME, serving
from tools.cli.main import app
from tools.retrieval.data.index import read_index
from tools.retrieval.data.select import Selection
from tools.retrieval.embeddings import embeddings, read_embeddings, write_embeddings


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["retrieval", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_embeddings_of_any_model_are_evaluated(fields_dataset: str, tmp_path: Path) -> None:
    ids = read_index([fields_dataset], Selection(splits=("test",))).ids.tolist()
    random = np.random.default_rng(0)
    vectors = random.standard_normal((len(ids), 8))
    order = random.permutation(len(ids))
    write_embeddings(tmp_path / "t.npz", embeddings(ids, vectors, "texts"))
    write_embeddings(tmp_path / "c.npz", embeddings([ids[i] for i in order], vectors[order], "chips"))
    out = tmp_path / "figures.json"
    said = run("evaluate", fields_dataset, "--texts", tmp_path / "t.npz", "--chips", tmp_path / "c.npz", "--out", out)
    assert "R@1                100.0%" in said
    assert "40 queries, gallery 40" in said
    assert "CVG-Text's protocol: the 100 nearest chips alone" in said
    figures = json.loads(out.read_text())
    assert figures["measured"][0]["figures"][0]["chance"] == 1 / 40
    assert figures["cvgtext_100_nearest"]["overall"]["recall"]["1"] == 1
    strata = {row["stratum"] for row in figures["measured"]}
    assert {"all", "single view", "mostly from above"} & strata
    with pytest.raises(ConfigError, match="either --checkpoint, or --texts and --chips"):
        run("evaluate", fields_dataset, "--texts", tmp_path / "t.npz")


def test_the_self_test_is_printed(fields_dataset: str) -> None:
    said = run("selftest", fields_dataset)
    assert said.count("as it must be") == 4


def test_the_schema_is_json() -> None:
    assert json.loads(run("schema"))["properties"]["data"]


def test_the_command_does_not_need_torch_to_evaluate(fields_dataset: str) -> None:
    """The base has no torch: evaluating embeddings and the self-test work without."""
    blocked = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('torch', 'open_clip'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from tools.cli.main import app\n"
        f"app(['retrieval', 'selftest', {fields_dataset!r}], standalone_mode=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", blocked], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "perfect" in done.stdout


def training_file(folder: Path, dataset: str, shape: dict[str, Any]) -> Path:
    content = {
        "name": "fields",
        "run": "run",
        "data": {"datasets": [dataset], "heading_up": True, "window": 50, "keep": True},
        "model": {"family": "crosstext2loc", "clip": shape, "context": 24},
        "train": {"epochs": 1, "batch": 32, "learning_rate": 1e-3},
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(content))
    return folder / "train.yaml"


@pytest.mark.models
def test_train_embed_evaluate_explain_rerank(fields_dataset: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")
    from tests.retrieval.test_trainer import SHAPE

    said = run("train", training_file(tmp_path, fields_dataset, SHAPE))
    assert f"run:   {tmp_path / 'run'}" in said
    best = tmp_path / "run" / "best.pt"
    run("embed", best, fields_dataset, "--out", tmp_path / "vectors")
    assert len(read_embeddings(tmp_path / "vectors" / "aerial.npz")) == 40
    by_model = run("evaluate", fields_dataset, "--checkpoint", best)
    by_files = run(
        "evaluate", fields_dataset, "--texts", tmp_path / "vectors" / "text.npz", "--chips",
        tmp_path / "vectors" / "aerial.npz",
    )  # fmt: skip
    assert by_model == by_files
    with pytest.raises(ConfigError, match="--view: found map; allowed: one that the model was trained on: aerial"):
        run("evaluate", fields_dataset, "--checkpoint", best, "--view", "map")
    said = run("explain", best, fields_dataset, "--count", 3, "--out", tmp_path / "e.html")
    assert "over random orders, 3 samples" in said
    assert "f-0200" in (tmp_path / "e.html").read_text()
    with pytest.raises(ConfigError, match="--sample: found f-0001; allowed: a sample of the split, such as f-0200"):
        run("explain", best, fields_dataset, "--sample", "f-0001")
    with serving(lambda _seen: {"reasons": ["It fits."], "confidence": 70}) as standin:
        build = {
            "name": "b",
            "workspace": "w",
            "dataset": "d",
            "regions": [{"name": "r", "centre": [0, 0], "radius_m": 100}],
            "sources": {"street": {"s": {"type": "world"}}, "map": {"m": {"type": "world"}}},
            "captioner": {"engine": "dialogue", "model": NAME, "endpoints": [standin.url]},
        }
        (tmp_path / "build.yaml").write_text(yaml.safe_dump(build))
        said = run(
            "rerank", best, fields_dataset, "--build", tmp_path / "build.yaml", "--replies", tmp_path / "replies",
            "--out", tmp_path / "r.jsonl", "--most", 6, "--top", 3,
        )  # fmt: skip
        assert len(standin.seen) == 18
    assert "own chip first before" in said
    assert "of 6 texts" in said
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    assert [candidate["confidence"] for candidate in lines[0]["candidates"]] == [70, 70, 70]
    assert [candidate["rank_before"] for candidate in lines[0]["candidates"]] == [1, 2, 3]


@pytest.mark.models
def test_a_checkpoint_that_is_none_of_ours_is_refused(fields_dataset: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "bare.pth")
    with pytest.raises(ConfigError, match=r"a bare state dict; allowed: best\.pt or last\.pt"):
        run("evaluate", fields_dataset, "--checkpoint", tmp_path / "bare.pth")
    with pytest.raises(ConfigError, match=r"no file .*absent\.pt"):
        run("evaluate", fields_dataset, "--checkpoint", tmp_path / "absent.pt")
