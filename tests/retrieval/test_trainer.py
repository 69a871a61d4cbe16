"""Training: it learns, it goes on bit for bit where it stood, and it says what it cannot do."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.errors import ConfigError, MachineError
from schemas.records import Sample
from tests.retrieval.conftest import field_sample, free_port
from tests.tools.conftest import publish

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from tools.retrieval.models.anchored import Anchored  # noqa: E402
from tools.retrieval.train.augment import drop_tokens, either  # noqa: E402
from tools.retrieval.train.config import load_retrieval, parse_retrieval  # noqa: E402
from tools.retrieval.train.log import read_log  # noqa: E402
from tools.retrieval.train.trainer import train  # noqa: E402

pytestmark = pytest.mark.models

SHAPE = {
    "embed": 32, "image_px": 24, "vision_layers": 1, "vision_width": 32, "patch_px": 8, "text_layers": 1,
    "text_width": 32, "text_heads": 1,
}  # fmt: skip
CONFIGS = Path(__file__).parents[2] / "configs" / "retrieval"


def settings(dataset: str, run: Path, **train: Any) -> dict[str, Any]:
    return {
        "name": "fields",
        "run": str(run),
        "data": {"datasets": [dataset], "heading_up": True, "window": 50, "keep": True},
        "model": {"family": "crosstext2loc", "clip": SHAPE, "context": 24},
        "train": {"epochs": 2, "batch": 32, "learning_rate": 1e-3, "log_steps": 1, "seed": 1} | train,
    }


def run(raw: dict[str, Any], steps: int | None = None) -> Path:
    config = parse_retrieval(raw, Path())
    train(config, steps=steps)
    return config.run


def same(first: Path, second: Path) -> None:
    """Checkpoints tensor by tensor and logs line by line, but for the clock."""
    for name in ("last.pt", "best.pt"):
        a, b = (torch.load(folder / name, weights_only=True) for folder in (first, second))
        assert _flat(a).keys() == _flat(b).keys()
        for key, value in _flat(a).items():
            other = _flat(b)[key]
            assert torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other, key
    logs = [[{**line, "seconds": 0} for line in read_log(folder)] for folder in (first, second)]
    assert logs[0] == logs[1]


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {key: item for name, inner in value.items() for key, item in _flat(inner, f"{path}.{name}").items()}
    if isinstance(value, list | tuple):
        return {key: item for at, inner in enumerate(value) for key, item in _flat(inner, f"{path}.{at}").items()}
    return {path: value}


@pytest.fixture(scope="module")
def whole(fields_dataset: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of four epochs that nobody stopped."""
    return run(settings(fields_dataset, tmp_path_factory.mktemp("run") / "whole", epochs=4))


def test_a_training_leaves_a_log_a_page_and_weights(whole: Path) -> None:
    lines = list(read_log(whole))
    steps, vals = ([line for line in lines if line["kind"] == kind] for kind in ("step", "val"))
    assert [line["step"] for line in steps] == list(range(1, 21))
    assert [line["epochs"] for line in vals] == [1, 2, 3, 4]
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert steps[0]["learning_rate"] == pytest.approx(1e-3)
    assert steps[-1]["learning_rate"] < 1e-4
    assert vals[-1]["figures"]["aerial"]["gallery"] == 40
    best = torch.load(whole / "best.pt", weights_only=True)
    highest = max(line["figures"]["aerial"]["R@1"] for line in vals)
    assert best["figures"]["aerial"]["R@1"] == highest
    page = (whole / "curves.html").read_text()
    for wanted in ("Text to aerial on val, gallery 40", "polyline", "Learning rate", "default-src 'none'"):
        assert wanted in page
    assert "<script" not in page


@pytest.mark.parametrize("stops", [(3, 4), (5, 5, 1)])
def test_a_training_goes_on_bit_for_bit(
    stops: tuple[int, ...], whole: Path, fields_dataset: str, tmp_path: Path
) -> None:
    raw = settings(fields_dataset, tmp_path / "stopped", epochs=4)
    for steps in stops:
        run(raw, steps)
    same(run(raw), whole)


def test_a_killed_training_goes_on_from_its_last_checkpoint(whole: Path, fields_dataset: str, tmp_path: Path) -> None:
    """As after a kill: the log is further than the checkpoint, and its last line is cut."""
    raw = settings(fields_dataset, tmp_path / "killed", epochs=4)
    folder = run(raw, 7)
    shutil.copy(folder / "last.pt", tmp_path / "older.pt")
    run(raw, 6)
    shutil.copy(tmp_path / "older.pt", folder / "last.pt")
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"kind": "step", "st')
    same(run(raw), whole)


@pytest.mark.slow
def test_it_learns_to_find_places_it_has_not_seen(fields_dataset: str, tmp_path: Path) -> None:
    resnet = SHAPE | {"image_px": 32, "vision_layers": [1, 1, 1, 1], "vision_width": 16}
    found = {}
    for texts in ("own", "shuffled"):
        raw = settings(fields_dataset, tmp_path / texts, epochs=16, learning_rate=2e-3, validate_epochs=8, texts=texts)
        raw["model"]["clip"] = resnet
        found[texts] = [line["figures"]["aerial"]["R@5"] for line in read_log(run(raw)) if line["kind"] == "val"][-1]
    chance = 5 / 40
    assert found["own"] > 3 * chance
    assert found["shuffled"] < 2.5 * chance


def test_hard_negatives_are_sought_and_survive_a_stop(fields_dataset: str, tmp_path: Path) -> None:
    hard = [{"epoch": 1, "negatives": "near"}, {"epoch": 2, "negatives": "alike"}]
    first, second = (settings(fields_dataset, tmp_path / name, epochs=4, hard=hard) for name in ("a", "b"))
    run(second, 13)
    same(run(first), run(second))
    assert torch.load(tmp_path / "a" / "last.pt", weights_only=True)["alike"].shape == (160, 32)


def test_changed_texts_survive_a_stop(fields_dataset: str, tmp_path: Path) -> None:
    first, second = (settings(fields_dataset, tmp_path / name, drop_tokens=0.3) for name in ("a", "b"))
    for raw in (first, second):
        raw["data"]["also"] = "description_short"
    run(second, 7)
    same(run(first), run(second))


def test_texts_are_changed_by_lot() -> None:
    torch.manual_seed(1)
    text, also = torch.tensor([[8, 1, 9, 0]] * 400), torch.tensor([[8, 2, 9, 0], [8, 9, 0, 0]] * 200)
    found = either(text, also)
    assert 50 < int((found[::2, 1] == 2).sum()) < 150
    assert torch.equal(found[1::2], text[1::2])  # where the second text is empty
    text = torch.tensor([[8, 1, 2, 3, 4, 9, 0], [8, 5, 9, 0, 0, 0, 0]] * 200)
    for row, kept in zip(text.tolist(), drop_tokens(text, 0.5).tolist(), strict=True):
        tokens = [token for token in kept if token not in (0, 8, 9)]
        assert kept == [8, *tokens, 9, *[0] * (len(kept) - len(tokens) - 2)]
        assert tokens == [token for token in row if token in tokens]
    assert 300 < int((drop_tokens(text, 0.5)[::2] > 0).sum() - 400) < 500  # half of 800
    assert torch.equal(drop_tokens(text, 0.0), text)


@pytest.mark.parametrize("family", ["geobridge", "planet"])
def test_the_other_papers_models_train(family: str, tmp_path: Path, make_sample: Callable[..., Sample]) -> None:
    samples = [field_sample(make_sample, i, split="val" if i > 11 else "train", sample_id=f"s{i}") for i in range(16)]
    raw = settings(publish(tmp_path / "d", samples), tmp_path / "run", epochs=2, batch=6)
    raw["model"]["family"] = family
    if family == "geobridge":
        raw["model"]["views"] = ["street", "aerial", "map"]
    lines = list(read_log(run(raw)))
    terms = {"geobridge": {"text_street", "street_aerial", "aerial_map"}, "planet": {"text_aerial", "colour"}}[family]
    assert terms <= lines[0].keys()
    assert set(lines[-1]["figures"]) == set(raw["model"].get("views", ["aerial"]))


def test_half_precision_stays_near_the_whole(whole: Path, fields_dataset: str, tmp_path: Path) -> None:
    raw = settings(fields_dataset, tmp_path / "run", epochs=4, precision="bf16")
    losses = [[line["loss"] for line in read_log(folder) if line["kind"] == "step"] for folder in (run(raw, 3), whole)]
    assert losses[0] == pytest.approx(losses[1][:3], rel=0.02)
    assert losses[0] != losses[1][:3]


@pytest.mark.slow
def test_torchrun_trains_with_several_processes(fields_dataset: str, tmp_path: Path) -> None:
    raw = settings(fields_dataset, tmp_path / "run", epochs=2)
    raw["data"]["window"] = 10  # of 40 groups: some for each
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(raw))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()),
        "-m", "tools.cli.main", "retrieval", "train", str(tmp_path / "train.yaml"),
    ]  # fmt: skip
    for steps in (["--steps", "3"], []):
        done = subprocess.run(
            [*command, *steps], check=False, capture_output=True, text=True, timeout=280, cwd=CONFIGS.parents[1],
            env=os.environ | {"PYTHONPATH": str(CONFIGS.parents[1]), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    lines = list(read_log(tmp_path / "run"))
    assert [line["step"] for line in lines if line["kind"] == "step"] == list(range(1, 11))
    assert [line["epochs"] for line in lines if line["kind"] == "val"] == [1, 2]
    first = next(line for line in lines if line["kind"] == "step")
    assert first["loss"] == pytest.approx(3.47, abs=0.15)  # ln 32: the whole batch of both, not each one's half
    raw["train"]["batch"] = 33
    with pytest.raises(ConfigError, match="of a training with other train"):
        run(raw)


def test_a_loss_that_is_no_number_stops_it(
    fields_dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, *_: Any) -> dict[str, Any]:
        return {"loss": self.clip.logit_scale * float("nan")}

    monkeypatch.setattr(Anchored, "losses", broken)
    with pytest.raises(MachineError, match=r"the loss is nan at step 0: lower train\.learning_rate"):
        run(settings(fields_dataset, tmp_path / "run"))


def test_rows_that_are_left_out_and_texts_that_are_cut_are_told(
    tmp_path: Path, make_sample: Callable[..., Sample], caplog: pytest.LogCaptureFixture
) -> None:
    view = make_sample().street_view.model_copy(update={"heading_deg": None})
    samples = [
        field_sample(make_sample, i, split="val" if i > 5 else "train", sample_id=f"s{i}", description_tokens=20 + i)
        for i in range(8)
    ]
    samples.append(field_sample(make_sample, 9, sample_id="s9", street_view=view))
    with caplog.at_level(logging.WARNING):
        run(settings(publish(tmp_path / "d", samples), tmp_path / "run", batch=4, epochs=1))
    assert "data.train: 1 of 7 rows left out: no heading" in caplog.text
    assert "data.train: 1 of 6 texts are longer than the model's 24 tokens and are cut" in caplog.text


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("data", {"val": {"splits": ["test"]}}, r"data\.val\.splits: found test; allowed: rows that no figure"),
        ("data", {"val": {"splits": ["train"]}}, r"data\.val: found 160 rows that are trained on, such as f-0000"),
        ("data", {"train": {"licences": ["odbl"]}}, r"data\.train\.licences\.0: found 'odbl'"),
        ("data", {"train": {"splits": ["trian"]}}, r"data\.train\.splits: found trian"),
        ("data", {"workers": 2}, r"data\.keep: found true with workers"),
        ("data", {"datasets": ["/nowhere"]}, r"dataset: found /nowhere"),
        ("train", {"batch": 400}, r"train\.batch: found 400 rows for each of 1 lanes, of 160 rows"),
        ("train", {"learn_rate": 1}, r"train\.learn_rate: found an unknown key"),
        ("train", {"precision": "fp16"}, r"train\.precision: found fp16 on a CPU"),
        ("train", {"hard": [{"epoch": 3, "negatives": "near"}] * 2}, r"train\.hard: found epochs \[3, 3\]"),
        ("model", {"clip": "ViT-Z"}, r"model\.clip: found 'ViT-Z'"),
        ("model", {"weights": {}}, r"weights: found this section; allowed: either file or pretrained"),
        ("model", {"weights": {"file": "absent.pt", "activation": "quick_gelu"}}, r"no file .*absent\.pt"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(
    section: str, changes: dict[str, Any], said: str, fields_dataset: str, tmp_path: Path
) -> None:
    raw = settings(fields_dataset, tmp_path / "run")
    raw[section] = raw[section] | changes
    with pytest.raises(ConfigError, match=said):
        run(raw)
    assert not (tmp_path / "run" / "last.pt").exists()


def test_a_run_folder_of_other_settings_is_refused(fields_dataset: str, tmp_path: Path) -> None:
    raw = settings(fields_dataset, tmp_path / "run")
    run(raw, 2)
    with pytest.raises(ConfigError, match="of a training with other train"):
        run(settings(fields_dataset, tmp_path / "run", seed=2))
    (tmp_path / "run" / "last.pt").write_bytes(b"PK damaged")
    with pytest.raises(ConfigError, match=r"run: found .*last\.pt"):
        run(raw)


def test_other_rows_in_the_same_dataset_s_place_are_refused(tmp_path: Path, make_sample: Callable[..., Sample]) -> None:
    samples = [field_sample(make_sample, i, split="val" if i > 15 else "train", sample_id=f"s{i}") for i in range(20)]
    raw = settings(publish(tmp_path / "d", samples), tmp_path / "run", batch=4)
    run(raw, 2)
    shutil.rmtree(tmp_path / "d")
    publish(tmp_path / "d", samples[1:])
    with pytest.raises(ConfigError, match="began on other rows"):
        run(raw)


@pytest.mark.parametrize("path", [CONFIGS / f"{name}.yaml" for name in ("crosstext2loc", "geobridge", "planet")])
def test_the_papers_files_are_sound(path: Path) -> None:
    assert load_retrieval(path).train.epochs > 0
