"""CLIP as CrossText2Loc has it, against OpenAI's own class; weights that fit and that do not; the three losses."""

import sys
import types
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigError

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from pipeline.perception.devices import load_library  # noqa: E402
from tools.retrieval.losses import gather_nothing, info_nce  # noqa: E402
from tools.retrieval.models.anchored import Anchored  # noqa: E402
from tools.retrieval.models.build import build_model  # noqa: E402
from tools.retrieval.models.clip import FORMAT, build_clip, fill, load_weights, read_checkpoint  # noqa: E402
from tools.retrieval.models.config import CrossText2Loc, GeoBridge, Planet, Shape, Weights  # noqa: E402
from tools.retrieval.models.planet import centred  # noqa: E402
from tools.retrieval.models.tokens import ClipTokens  # noqa: E402

pytestmark = pytest.mark.models

SHAPE = Shape(
    embed=32, image_px=32, vision_layers=2, vision_width=64, patch_px=8, text_layers=2, text_width=64, text_heads=1
)
TEXTS = [" ".join(["A crossing, a baker's shop & 12 trees on my left."] * n) for n in (1, 2, 6, 17, 40)] + [
    "Ça va? «Müller» — 율곡로3길 &amp; &lt;tag&gt;  two  spaces",
    "",
]


@pytest.fixture(scope="module")
def openai() -> Any:
    """OpenAI's class, from a package that asks for a module which setuptools has no more."""
    if find_spec("clip") is None:
        pytest.skip("clip-anytorch is not installed: make test-models")
    load_library("torchvision")
    if "pkg_resources" not in sys.modules and find_spec("pkg_resources") is None:
        stand_in = types.ModuleType("pkg_resources")
        stand_in.packaging = __import__("packaging.version")  # type: ignore[attr-defined]
        sys.modules["pkg_resources"] = stand_in
    return load_library("clip")


def reference(openai: Any, context: int, seed: int = 0) -> Any:
    """A small CLIP of theirs, stretched as CrossText2Loc stretches it."""
    torch.manual_seed(seed)
    model = openai.model.CLIP(32, 32, 2, 64, 8, 77, 49408, 64, 1, 2).float().eval()
    # Random tables and biases, so that nothing is 0 by chance.
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    if context != 77:
        table = model.positional_embedding.data.T[None]
        long = torch.nn.functional.interpolate(table, size=context, mode="linear", align_corners=False)
        model.positional_embedding = torch.nn.Parameter(long[0].T.contiguous())
        mask = torch.full((context, context), float("-inf")).triu(1)
        for block in model.transformer.resblocks:
            block.attn_mask = mask
        model.context_length = context
    return model


def features(model: Any, ids: Any, pictures: Any) -> tuple[Any, Any]:
    with torch.no_grad():
        return model.encode_text(ids), model.encode_image(pictures)


def test_crosstext2loc_is_theirs_number_by_number(openai: Any, tmp_path: Path) -> None:
    theirs = reference(openai, 300)
    path = tmp_path / "long_model_NewYork_1e-05_128_sat_epoch39_46.25.pth"
    torch.save(theirs.state_dict(), path)
    ours, activation = build_clip(SHAPE, 300)
    load_weights(ours, activation, Weights(file=path, activation="quick_gelu"), SHAPE)
    random = np.random.default_rng(0)
    ids = np.zeros((4, 300), np.int64)
    for row, length in enumerate((25, 89, 233, 300)):
        ids[row, :length] = [49406, *random.integers(1, 49000, length - 2), 49407]
    pictures = torch.from_numpy(random.standard_normal((4, 3, 32, 32)).astype(np.float32))
    for found, wanted in zip(
        features(ours.eval(), torch.from_numpy(ids), pictures),
        features(theirs, torch.from_numpy(ids), pictures),
        strict=True,
    ):
        assert float((found - wanted).abs().max()) < 5e-6
        assert float(wanted.abs().max()) > 0.1


def test_the_other_activation_would_be_off_and_is_refused(openai: Any, tmp_path: Path) -> None:
    theirs = reference(openai, 77)
    torch.save(theirs.state_dict(), tmp_path / "m.pt")
    shape = SHAPE.model_copy(update={"activation": "gelu"})
    ours, activation = build_clip(shape, 77)
    ids = torch.tensor([[49406, 320, 4000, 533, 49407] + [0] * 72])
    pictures = torch.randn(1, 3, 32, 32)
    fill(ours, theirs.state_dict(), "test")  # no tensor tells of it
    assert float((features(ours.eval(), ids, pictures)[0] - features(theirs, ids, pictures)[0]).abs().max()) > 1e-3
    for stated in ("quick_gelu", None):
        with pytest.raises(ConfigError, match=r"model\.weights: found weights of a model with .*gelu|not said"):
            load_weights(ours, activation, Weights(file=tmp_path / "m.pt", activation=stated), shape)


def test_the_table_of_positions_is_stretched_as_theirs(openai: Any) -> None:
    short, long = reference(openai, 77), reference(openai, 300)
    ours, _ = build_clip(SHAPE, 300)
    fill(ours, short.state_dict(), "test")
    assert torch.equal(ours.positional_embedding, long.positional_embedding)


def test_token_ids_are_theirs(openai: Any) -> None:
    for context in (77, 300):
        theirs = openai.tokenize(TEXTS, context_length=context, truncate=True).numpy()
        assert np.array_equal(ClipTokens(context)(TEXTS), theirs)


def weights_of(shape: Shape, context: int) -> dict[str, Any]:
    return dict(build_clip(shape, context)[0].state_dict())


def other(**changes: Any) -> Shape:
    return SHAPE.model_copy(update=changes)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (weights_of(other(text_width=128), 77), r"ln_final\.bias of \(128,\) for \(64,\)"),
        (weights_of(other(vision_layers=3), 77), r"resblocks\.2\.[a-z0-9_.]+, which the model has not"),
        (weights_of(other(text_layers=1), 77), r"no transformer\.resblocks\.1\."),
        (weights_of(other(image_px=64), 77), r"visual\.positional_embedding of \(65, 64\) for \(17, 64\)"),
        (weights_of(other(vision_layers=(1, 1, 1, 1)), 77), r"tensors that do not fit \(no visual\.class_embedding"),
        (weights_of(SHAPE, 400), r"model\.context: found 300, the weights have 400; allowed: model\.context: 400"),
    ],
)
def test_weights_of_another_architecture_are_refused(found: dict[str, Any], said: str, tmp_path: Path) -> None:
    torch.save(found, tmp_path / "m.pt")
    ours, activation = build_clip(SHAPE, 300)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    with pytest.raises(ConfigError, match=said):
        load_weights(ours, activation, Weights(file=tmp_path / "m.pt", activation="quick_gelu"), SHAPE)
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "text.pt").write_text("no weights")
    torch.save({"epoch": 3}, tmp_path / "numbers.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "code.pt")  # would run code if it were unpickled
    for path in [*tmp_path.iterdir(), tmp_path / "long_model_absent.pth"]:
        with pytest.raises(ConfigError, match=path.name):
            read_checkpoint(path)


def test_wrapped_weights_and_those_of_ours_are_read(tmp_path: Path) -> None:
    plain = weights_of(SHAPE, 77)
    torch.save({"state_dict": {f"module.{key}": value for key, value in plain.items()}}, tmp_path / "wrapped.pt")
    torch.save({**plain, "input_resolution": torch.tensor(32)}, tmp_path / "archive.pt")
    ours = {"format": FORMAT, "model": {f"clip.{key}": value for key, value in plain.items()}, "activation": "gelu"}
    torch.save(ours, tmp_path / "ours.pt")
    for name in ("wrapped.pt", "archive.pt", "ours.pt"):
        found = read_checkpoint(tmp_path / name)["clip"]
        assert found.keys() == plain.keys()
        assert all(torch.equal(found[key], plain[key]) for key in plain)
    clip, activation = build_clip(SHAPE, 77)
    with pytest.raises(ConfigError, match="a model with gelu"):
        load_weights(clip, activation, Weights(file=tmp_path / "ours.pt"), SHAPE)


def test_an_architecture_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    open_clip = load_library("open_clip")
    config = open_clip.get_model_config("ViT-L-14-336-quickgelu")
    assert config["quick_gelu"]
    assert config["vision_cfg"]["image_size"] == 336
    for name in ("ViT-L-99", "ViT-B-16-SigLIP"):
        with pytest.raises(ConfigError, match=f"model.clip: found '{name}'"):
            build_clip(name, 300)


def test_weights_by_open_clip_s_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = build_clip(SHAPE, 77)
    open_clip = load_library("open_clip")
    asked = []

    def create_model(name: str, pretrained: str) -> Any:
        asked.append((name, pretrained))
        return made

    monkeypatch.setattr(open_clip, "create_model", create_model)
    ours, activation = build_clip(SHAPE, 300)
    load_weights(ours, activation, Weights(pretrained="openai"), "ViT-L-14-336-quickgelu")
    assert asked == [("ViT-L-14-336-quickgelu", "openai")]
    assert torch.equal(ours.token_embedding.weight, made.token_embedding.weight)


# The losses.


def batch(rows: int, views: tuple[str, ...], seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    texts = [f"a {word} place number {i}" for i, word in enumerate(random.choice(["red", "green", "wet"], rows))]
    found: dict[str, Any] = {"text": torch.from_numpy(ClipTokens(77)(texts))}
    for view in views:
        found[view] = torch.from_numpy(random.integers(0, 256, (rows, 3, 32, 32)).astype(np.uint8))
        found[f"has_{view}"] = torch.ones(rows, dtype=torch.bool)
    for name, length in (("colour", 48), ("orientation", 18), ("spectrum", 32)):
        found[name] = torch.from_numpy(random.random((rows, length)).astype(np.float32))
    found["has_signatures"] = torch.ones(rows, dtype=torch.bool)
    return found


def losses(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    rows = len(inputs["text"])
    found: dict[str, Any] = model.losses(inputs, torch.ones(rows, rows, dtype=torch.bool), gather_nothing)
    return found


def test_geobridge_anchors_views_in_text() -> None:
    config = GeoBridge(family="geobridge", clip=SHAPE, context=77)
    model, _ = build_model(config, seed=1)
    inputs = batch(6, config.views)
    found = losses(model, inputs)
    text = [found[f"text_{view}"] for view in config.views]
    images = [found[name] for name in ("drone_street", "drone_aerial", "street_aerial")]
    assert found["loss"].item() == pytest.approx((sum(text) / 3 + sum(images) / 3).item(), rel=1e-6)
    with torch.no_grad():
        drone = model.encode_view("drone", inputs["drone"])
        wanted = info_nce(model.encode_text(inputs["text"]), drone, model.scale(), torch.ones(6, 6, dtype=torch.bool))
    assert found["text_drone"].item() == pytest.approx(wanted.item(), rel=1e-5)
    alone, _ = build_model(config.model_copy(update={"image_terms": False}), seed=1)
    assert float(losses(alone, inputs)["loss"]) == pytest.approx(float(sum(text) / 3), rel=1e-6)


def test_towers_of_views_learn_apart() -> None:
    model, _ = build_model(GeoBridge(family="geobridge", clip=SHAPE, context=77, views=("drone", "aerial")), seed=1)
    inputs = batch(4, ("drone", "aerial"))
    losses(model, inputs)["text_aerial"].backward()
    assert all(parameter.grad is None for parameter in model.clip.visual.parameters())
    assert any(parameter.grad is not None for parameter in model.towers["aerial"].parameters())


def test_a_row_without_a_view_takes_no_part_in_its_terms() -> None:
    config = GeoBridge(family="geobridge", clip=SHAPE, context=77, views=("drone", "aerial"))
    model, _ = build_model(config, seed=1)
    inputs = batch(6, config.views)
    inputs["has_drone"][[1, 4]] = False
    found = losses(model, inputs)
    kept = {name: values[[0, 2, 3, 5]] for name, values in inputs.items()}
    assert found["text_drone"].item() == pytest.approx(float(losses(model, kept)["text_drone"]), rel=1e-5)
    changed = inputs | {"drone": torch.where(inputs["has_drone"][:, None, None, None], inputs["drone"], 255)}
    assert float(losses(model, changed)["loss"]) == pytest.approx(float(found["loss"]), rel=1e-6)
    inputs["has_drone"][:] = False
    none = losses(model, inputs)
    assert float(none["text_drone"]) == 0
    none["loss"].backward()
    assert torch.isfinite(model.clip.token_embedding.weight.grad).all()


def test_planet_adds_its_physical_terms() -> None:
    config = Planet(family="planet", clip=SHAPE, context=77, physical=0.25)
    model, _ = build_model(config, seed=1)
    inputs = batch(8, ("aerial",))
    found = losses(model, inputs)
    physical = found["colour"] + found["orientation"] + found["spectrum"]
    assert float(found["loss"]) == pytest.approx(float(found["text_aerial"] + 0.25 * physical), rel=1e-6)
    physical.backward()
    assert model.physical_text.queries.grad.abs().sum() > 0
    assert model.clip.token_embedding.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.clip.visual.parameters())
    inputs["has_signatures"][3] = False
    inputs["colour"][3] = 1e9
    assert float(losses(model, inputs)["colour"]) < 50


def test_planet_learns_colours_from_words() -> None:
    """Texts that say red, green or blue; signatures that are such: the physical terms fall."""
    model, _ = build_model(Planet(family="planet", clip=SHAPE, context=77, physical=1.0), seed=1)
    words = ["red", "green", "blue", "grey"]
    inputs = batch(8, ("aerial",))
    inputs["text"] = torch.from_numpy(ClipTokens(77)([words[i % 4] for i in range(8)]))
    kinds = torch.eye(4)[torch.arange(8) % 4]
    for name, length in (("colour", 48), ("orientation", 18), ("spectrum", 32)):
        inputs[name] = kinds @ torch.rand(4, length, generator=torch.Generator().manual_seed(len(name)))
    # Two rows of one kind are no negatives of each other.
    negative = kinds @ kinds.T == 0
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    seen = []
    for _ in range(25):
        terms = model.losses(inputs, negative, gather_nothing)
        physical = terms["colour"] + terms["orientation"] + terms["spectrum"]
        optimizer.zero_grad()
        physical.backward()
        optimizer.step()
        seen.append(float(physical))
    assert seen[-1] < 0.1 * seen[0]


def test_planet_does_not_read_the_padding() -> None:
    model, _ = build_model(Planet(family="planet", clip=SHAPE, context=77), seed=1)
    ids = torch.from_numpy(ClipTokens(77)(["a red place", "a wet place by a river"]))
    tokens = torch.randn(2, 77, 64)
    first = model.physical_text(tokens, ids)
    beyond = torch.arange(77) > ids.argmax(dim=1, keepdim=True)
    again = model.physical_text(torch.where(beyond[..., None], 9.0, tokens), ids)
    assert all(torch.allclose(first[name], again[name]) for name in first)


def test_centred_signatures_differ_in_what_is_not_common() -> None:
    common = torch.rand(1, 48) + torch.tensor([[0.0] * 47 + [1.0], [0.0] * 46 + [1.0, 0.0]])
    assert float((centred(common)[0] * centred(common)[1]).sum()) == pytest.approx(-1, abs=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_a_text_tower_without_blocks_joins_its_words_in_any_order(pooling: str) -> None:
    shape = SHAPE.model_copy(update={"text_layers": 0, "text_pooling": pooling})
    config = CrossText2Loc(family="crosstext2loc", clip=shape, context=24)
    model, _ = build_model(config, 1)
    tokens = ClipTokens(24)
    with torch.no_grad():
        red, mixed, twice, other = model.encode_text(
            torch.from_numpy(tokens(["a red house", "house red a", "a red house a red house", "a red church"]))
        )
        table = model.clip.token_embedding.weight[torch.from_numpy(tokens(["a red house"])[0, 1:5])]
        joined = table.mean(dim=0) if pooling == "mean" else table.amax(dim=0)
        wanted = model.clip.ln_final(joined) @ model.clip.text_projection
    assert torch.allclose(red, wanted / wanted.norm(), atol=1e-6)
    assert torch.allclose(red, mixed, atol=1e-6)
    assert torch.allclose(red, twice, atol=1e-3) == (pooling == "max")  # in a mean the end mark counts once
    assert not torch.allclose(red, other, atol=1e-3)


def test_queries_need_a_text_tower_with_blocks() -> None:
    with pytest.raises(ValidationError, match="text_layers of 1 or more"):
        Planet(family="planet", clip=SHAPE.model_copy(update={"text_layers": 0}))


def test_random_weights_follow_from_the_seed() -> None:
    config = CrossText2Loc(family="crosstext2loc", clip=SHAPE, context=77)
    models = [build_model(config, seed)[0] for seed in (1, 1, 2)]
    same, different = (
        torch.equal(models[0].clip.visual.conv1.weight, other.clip.visual.conv1.weight) for other in models[1:]
    )
    assert same
    assert not different
    assert isinstance(models[0], Anchored)
