"""Relevance of words and parts of a picture, on a model that was taught what matters; and its judge."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import ConfigError

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from tools.retrieval.checkpoint import Trained  # noqa: E402
from tools.retrieval.data.batches import Input  # noqa: E402
from tools.retrieval.explain import deletion  # noqa: E402
from tools.retrieval.explain.page import Explained, write_page  # noqa: E402
from tools.retrieval.explain.relevance import relevance, words_of  # noqa: E402
from tools.retrieval.explain.samples import gains  # noqa: E402
from tools.retrieval.losses import gather_nothing  # noqa: E402
from tools.retrieval.models.build import build_model  # noqa: E402
from tools.retrieval.models.config import CrossText2Loc, Shape  # noqa: E402
from tools.retrieval.models.tokens import ClipTokens  # noqa: E402
from tools.retrieval.train.config import parse_retrieval  # noqa: E402

pytestmark = pytest.mark.models

COLOURS = {
    "red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230), "yellow": (230, 220, 30),
    "purple": (160, 30, 180),
}  # fmt: skip
NAMES = list(COLOURS)
SIDE, PATCH = 32, 8
SHAPE = Shape(
    embed=32, image_px=SIDE, vision_layers=2, vision_width=64, patch_px=PATCH, text_layers=2, text_width=64,
    text_heads=2,
)  # fmt: skip
TOKENS = ClipTokens(24)


def scenes(count: int, seed: int) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Grey pictures with a coloured patch, whose colour the text names among idle words: patches, texts, pixels."""
    random = np.random.default_rng(seed)
    patches, texts = random.integers(0, 16, count).tolist(), []
    pixels = np.full((count, 3, SIDE, SIDE), 110, np.uint8) + random.integers(0, 12, (count, 3, SIDE, SIDE), np.uint8)
    for at, patch in enumerate(patches):
        colour = NAMES[int(random.integers(len(NAMES)))]
        y, x = patch // 4 * PATCH, patch % 4 * PATCH
        pixels[at, :, y : y + PATCH, x : x + PATCH] = np.array(COLOURS[colour])[:, None, None]
        fill = random.choice(["here", "there", "somewhere", "today", "again"], 3)
        texts.append(f"{fill[0]} and {fill[1]} is a {colour} thing {fill[2]}")
    return patches, TOKENS(texts), pixels


@pytest.fixture(scope="module")
def taught() -> Trained:
    """A small CLIP that knows colours."""
    raw = {"family": "crosstext2loc", "clip": SHAPE.model_dump(), "context": 24}
    model, _ = build_model(CrossText2Loc.model_validate(raw), seed=3)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(90):
        _, texts, pixels = scenes(48, 1_000 + step)
        ids = torch.from_numpy(texts)
        colour = torch.stack([(ids == int(TOKENS([name])[0, 1])).any(dim=1) for name in NAMES]).float()
        batch = {"text": ids, "aerial": torch.from_numpy(pixels), "has_aerial": torch.ones(48, dtype=torch.bool)}
        loss = model.losses(batch, colour.T @ colour == 0, gather_nothing)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7
    config = parse_retrieval({"name": "taught", "run": "r", "data": {"datasets": ["-"]}, "model": raw}, Path("/"))
    return Trained(model.eval(), "cpu", Input("description", ("aerial",), SIDE, False, False, TOKENS), config)


def test_words_are_put_together_from_their_tokens() -> None:
    (ids,) = TOKENS(["Blumenhändler's & the tram"])
    words = words_of(ids)
    assert [word.text for word in words] == ["blumenhändler", "'s", "&", "the", "tram"]
    assert len(words[0].tokens) > 1
    assert [token for word in words for token in word.tokens] == list(range(1, int(ids.argmax())))


@pytest.mark.slow  # by its teaching
def test_step_by_step_attention_is_the_module_s_own(taught: Trained) -> None:
    _, texts, pixels = scenes(1, 5)
    with torch.no_grad():
        wanted = (
            taught.model.encode_text(torch.from_numpy(texts))
            @ taught.model.encode_view("aerial", torch.from_numpy(pixels)).T
        )
    found = relevance(taught, texts[0], "aerial", pixels[0])
    assert found.similarity == pytest.approx(wanted.item(), abs=1e-5)
    with torch.no_grad():
        again = taught.model.encode_text(torch.from_numpy(texts))
    assert again.shape == (1, 32)  # the modules are as they were
    assert "forward" not in vars(taught.model.clip.transformer.resblocks[0].attn)


@pytest.mark.slow  # by its teaching
def test_the_colour_s_word_and_its_place_carry_the_similarity(taught: Trained) -> None:
    patches, texts, pixels = scenes(24, 7)
    words, places = [], []
    for at, patch in enumerate(patches):
        found = relevance(taught, texts[at], "aerial", pixels[at])
        assert found.of_picture is not None
        assert found.of_picture.shape == (4, 4)
        top = [found.words[i].text for i in np.argsort(-found.of_words)[:2]]
        words.append(any(word in NAMES for word in top))
        places.append(int(found.of_picture.argmax()) == patch)
    assert np.mean(words) > 0.6  # of nine, two are looked at
    assert np.mean(places) > 0.6  # of sixteen


@pytest.fixture(autouse=True)
def few_random_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "_RANDOM", 8)


def judged(taught: Trained, count: int, turned: bool = False) -> list[Explained]:
    _, texts, pixels = scenes(count, 11)
    found = []
    for at in range(count):
        why = relevance(taught, texts[at], "aerial", pixels[at])
        if turned:  # the least relevant first
            why = type(why)(why.similarity, why.words, -why.of_words, -why.of_picture)  # type: ignore[operator]
        words = deletion.judge_words(taught, texts[at], "aerial", pixels[at], why, seed=at)
        picture = deletion.judge_picture(taught, texts[at], "aerial", pixels[at], why, seed=at)
        found.append(Explained(f"s{at}", pixels[at], why, words, picture))
    return found


@pytest.mark.slow  # by its teaching
def test_the_judge_tells_a_relevance_from_random_and_from_its_opposite(taught: Trained) -> None:
    for estimate in gains(judged(taught, 8)):
        assert estimate is not None
        assert estimate.low > 0.05
    for estimate in gains(judged(taught, 8, turned=True)):
        assert estimate is not None
        assert estimate.high < 0


def test_deletion_and_insertion_are_areas_under_their_curves() -> None:
    weights = np.array([4.0, 2.0, 1.0, 0.0])

    def score(kept: Any) -> np.ndarray:
        return np.array([float(weights[keep].sum()) for keep in kept])

    found = deletion._judge(weights, score, seed=0)
    assert found.deletion == pytest.approx((7 + 3 + 1 + 0 + 0) / 5)
    assert found.insertion == pytest.approx((0 + 4 + 6 + 7 + 7) / 5)
    assert found.deletion_random == pytest.approx(3.5, abs=1.0)
    assert found.gain > 0


@pytest.mark.slow  # by its teaching
def test_a_page_shows_words_and_heat(taught: Trained, tmp_path: Path) -> None:
    explained = judged(taught, 2)
    write_page(tmp_path / "page.html", explained, *gains(explained))
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert "rgba(194, 65, 12, 0.60)" in page
    assert "mean gain over random orders" in page


def test_a_tower_without_attention_has_words_alone() -> None:
    shape = SHAPE.model_copy(update={"vision_layers": (1, 1, 1, 1), "vision_width": 8})
    config = CrossText2Loc(family="crosstext2loc", clip=shape, context=24)
    model, _ = build_model(config, seed=1)
    raw = {"name": "n", "run": "r", "data": {"datasets": ["-"]}, "model": config.model_dump()}
    wanted = Input("description", ("aerial",), SIDE, False, False, TOKENS)
    trained = Trained(model.eval(), "cpu", wanted, parse_retrieval(raw, Path("/")))
    _, texts, pixels = scenes(1, 5)
    found = relevance(trained, texts[0], "aerial", pixels[0])
    assert found.of_picture is None
    assert deletion.judge_picture(trained, texts[0], "aerial", pixels[0], found) is None
    assert len(found.of_words) == len(found.words)
    model.clip.transformer.resblocks[0].attn = torch.nn.Identity()
    with pytest.raises(ConfigError, match="CLIP's own attention"):
        relevance(trained, texts[0], "aerial", pixels[0])
    del model.clip.transformer.resblocks[:]
    with pytest.raises(ConfigError, match="a text tower without blocks"):
        relevance(trained, texts[0], "aerial", pixels[0])
