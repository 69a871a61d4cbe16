"""A study: rows that differ in one thing, tested on what they were not trained on, a table and curves."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from defusedxml import ElementTree

from pipeline.errors import ConfigError

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from tests.retrieval.test_trainer import SHAPE  # noqa: E402
from tools.retrieval.study import load_study, run_study  # noqa: E402
from tools.retrieval.study_page import write_study  # noqa: E402

pytestmark = pytest.mark.models


def content(dataset: str, out: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "out": str(out),
        "seeds": [1, 2],
        "references": ["aerial", "map"],
        "test": {"splits": ["test"]},
        "blocks": 8,
        "base": {
            "data": {"datasets": [dataset], "heading_up": True, "window": 50, "keep": True},
            "model": {"family": "crosstext2loc", "views": ["aerial", "map"], "clip": SHAPE, "context": 24},
            "train": {"epochs": 1, "batch": 32, "learning_rate": 1e-3},
        },
        "rows": {
            "full": {},
            "short text": {"data": {"text": "description_short"}},
            "untrained": {"train": {"epochs": 0}},
        },
    }


def written(path: Path, study: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(study))
    return path


@pytest.mark.slow
def test_a_study_makes_a_table_and_curves(fields_dataset: str, tmp_path: Path) -> None:
    study = load_study(written(tmp_path / "s.yaml", content(fields_dataset, tmp_path / "out")))
    rows = run_study(study, tmp_path)
    assert [row.name for row in rows] == ["full", "short text", "untrained"]
    for row in rows:
        for reference in ("aerial", "map"):
            assert (row.queries[reference], row.gallery[reference]) == (40, 40)
            one, five, ten = row.figures[reference]
            assert (one.chance, five.chance, ten.chance) == (1 / 40, 5 / 40, 10 / 40)
            assert 0 <= one.value <= five.value <= ten.value <= 1
            assert row.spread[reference][0] <= ten.value <= row.spread[reference][1]
            if row is not rows[0]:
                gained = row.beyond[reference]
                assert gained.value == pytest.approx(ten.value - rows[0].figures[reference][2].value)
                assert gained.low is not None
                assert gained.high is not None
                assert gained.low <= gained.value <= gained.high
    assert rows[0].beyond == {}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"{row}-{seed}" for row in ("full", "short-text", "untrained") for seed in (1, 2)
    }
    stamps = [path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("last.pt")]
    assert run_study(study, tmp_path) == rows
    assert [path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("last.pt")] == stamps
    page, _ = write_study(study, rows, tmp_path / "docs", "geoscribe retrieval study s.yaml")
    table = page.read_text()
    assert "Text to map: 40 queries, gallery 40; chance R@1 2.5%, R@5 12.5%, R@10 25.0%." in table
    assert table.count("| short text |") == 2


@pytest.mark.slow
def test_a_study_does_not_test_on_what_it_trained_on(fields_dataset: str, tmp_path: Path) -> None:
    raw = content(fields_dataset, tmp_path / "out") | {"test": {"splits": ["test", "val"]}, "rows": {"full": {}}}
    with pytest.raises(ConfigError, match=r"test: found 40 rows that are trained on or that choose the weights"):
        run_study(load_study(written(tmp_path / "s.yaml", raw)), tmp_path)
    assert not (tmp_path / "out").exists()


def test_curves_are_pictures_that_stand_alone() -> None:
    from tools.retrieval.train.curves import chart, drawn

    one = chart("R@10 <of> rows", {"a & b": [(1, 0.25), (2, 0.5)], "none": []}, unit="epoch")
    assert one is not None
    root = ElementTree.fromstring(drawn(one))
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["R@10 <of> rows", "0.5", "0", "epoch 2", "a & b: 0.5"]
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    assert line.attrib["points"] == "230.0,100.0 460.0,0.0"
    assert chart("nothing", {"a": []}) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rows": {"full": {"data": {"txt": 1}}}}, r"rows\.full\.data\.txt: found an unknown key"),
        ({"rows": {}}, "rows"),
        ({"seeds": []}, "seeds"),
        ({"test": {"licences": ["x"]}}, r"test\.licences\.0"),
        ({"base": {"data": {}}}, r"rows\.full\.data\.datasets: found nothing"),
    ],
)
def test_a_study_that_cannot_be_is_refused(
    changes: dict[str, Any], said: str, fields_dataset: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_study(written(tmp_path / "s.yaml", content(fields_dataset, tmp_path / "out") | changes))
    with pytest.raises(ConfigError, match="a readable YAML file"):
        load_study(tmp_path / "absent.yaml")


def test_the_demo_s_studies_are_sound() -> None:
    folder = Path(__file__).parents[2] / "configs" / "retrieval"
    study, means = (load_study(folder / name) for name in ("train-demo.yaml", "train-demo-mean.yaml"))
    assert {*study.rows} == {
        "full", "bag of its nouns", "bag of tags", "short", "from above only", "no names", "no OCR", "shuffled",
        "untrained",
    }  # fmt: skip
    by_mean = study.base["model"] | {"clip": study.base["model"]["clip"] | {"text_pooling": "mean"}}
    assert means.base == study.base | {"model": by_mean}
