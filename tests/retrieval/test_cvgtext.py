"""Our model under CVG-Text's evaluator (its double), their model under ours: the same figures from either side."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from tests.retrieval import theirs  # noqa: E402
from tests.retrieval.test_models import SHAPE, openai, reference  # noqa: E402, F401
from tools.retrieval.checkpoint import Trained  # noqa: E402
from tools.retrieval.cvgtext import ForTheirs, their_batches, their_encoders  # noqa: E402
from tools.retrieval.data.batches import Input  # noqa: E402
from tools.retrieval.data.index import Index, read_index  # noqa: E402
from tools.retrieval.data.select import Selection  # noqa: E402
from tools.retrieval.encode import encode, model_encoders  # noqa: E402
from tools.retrieval.evaluate.dataset import cvgtext_paths  # noqa: E402
from tools.retrieval.evaluate.nearest import nearest_protocol  # noqa: E402
from tools.retrieval.models.build import build_model  # noqa: E402
from tools.retrieval.models.config import CrossText2Loc  # noqa: E402
from tools.retrieval.models.tokens import ClipTokens  # noqa: E402
from tools.retrieval.train.config import parse_retrieval  # noqa: E402

pytestmark = pytest.mark.models

WANTED = Input("description", ("aerial",), 32, heading_up=True, signatures=False, tokens=ClipTokens(77))


@pytest.fixture(scope="module")
def index(fields_dataset: str) -> Index:
    """160 rows, more than the 100 nearest."""
    return read_index([fields_dataset], Selection())


def check(found: Any, wanted: dict[str, dict[str, float]]) -> None:
    assert list(found.overall.recall.values()) == [wanted["overall"][key] for key in ("R@1", "R@5", "R@10")]
    assert found.overall.deviation_km == pytest.approx(wanted["overall"]["deviation"])
    assert found.overall.queries == wanted["overall"]["count"] == 160


def test_their_evaluator_scores_our_model(index: Index) -> None:
    model, _ = build_model(CrossText2Loc(family="crosstext2loc", clip=SHAPE, context=77), seed=1)
    raw = {"family": "crosstext2loc", "clip": SHAPE.model_dump(), "context": 77}
    config = parse_retrieval({"name": "n", "run": "r", "data": {"datasets": ["-"]}, "model": raw}, Path("/"))
    trained = Trained(model.eval(), "cpu", WANTED, config)
    batches = list(their_batches(index, WANTED, "aerial"))
    assert set(batches[0]) == {"image", "text", "image_path", "original_text", "idx"}
    assert "field ahead" in batches[0]["original_text"][0]
    figures = theirs.evaluate_clip(ForTheirs(trained, "aerial"), batches, "cpu")
    text, views = model_encoders(model, "cpu", ("aerial",))
    vectors = encode(index, WANTED, text, views)
    ids = index.ids.tolist()
    found = nearest_protocol(
        vectors["text"].rows_of(ids, "t"), vectors["aerial"].rows_of(ids, "c"), cvgtext_paths(index)
    )
    check(found, figures)
    assert 0 < found.overall.recall[10] < 0.5


def test_our_evaluation_scores_their_model(index: Index, openai: Any) -> None:  # noqa: F811 - pytest's way
    model = reference(openai, 77)
    text, image = their_encoders(model, "cpu")
    vectors = encode(index, WANTED, text, {"aerial": image})
    ids = index.ids.tolist()
    ours = nearest_protocol(
        vectors["text"].rows_of(ids, "t"), vectors["aerial"].rows_of(ids, "c"), cvgtext_paths(index)
    )
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in ((0.48145466, 0.4578275, 0.40821073),
                                                               (0.26862954, 0.26130258, 0.27577711)))  # fmt: skip
    plain = their_batches(index, WANTED, "aerial")
    batches = [{**batch, "image": (batch["image"] / 255 - mean) / std} for batch in plain]
    check(ours, theirs.evaluate_clip(model, batches, "cpu"))


def test_their_paths_hold_positions_and_no_stray_underscore(index: Index) -> None:
    for path, lat in zip(cvgtext_paths(index), index.lat, strict=True):
        assert theirs.place(path)[0] == pytest.approx(lat, abs=1e-8)
        assert path.count("_") == 1  # single views
    whole = index.take(np.arange(3))
    object.__setattr__(whole, "panorama", np.ones(3, bool))
    assert all(path.count("_") == 4 for path in cvgtext_paths(whole))
