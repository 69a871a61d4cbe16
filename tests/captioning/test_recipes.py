"""Every data file that the texts or the cues hang on is part of their recipe: an edit to it makes them anew."""

import shutil
from pathlib import Path

import pytest

import pipeline
from pipeline.captioning import language
from pipeline.captioning.composer import composer
from pipeline.captioning.dialogue import dialogue, quoting
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.language import base, names
from pipeline.config import captioning as config
from pipeline.config.build import Build
from pipeline.config.perception import Superpixels
from pipeline.engine.build_file import parse_build
from pipeline.perception import colour_names, vocabulary
from pipeline.perception.ensemble import Ensemble
from pipeline.perception.superpixels import SuperpixelSegmenter

PIPELINE = Path(pipeline.__file__).parent
LANGUAGES = [f"captioning/language/{code}/{file}" for code in ("de", "en") for file in ("nouns.yaml", "rules.yaml")]
ELSEWHERE = {
    "captioning/language/de/places.txt": "as places.txt of any language: its folder's digest",
    "perception/classes/ade20k.yaml": "tests/perception/test_semantic.py",
    "perception/classes/cityscapes.yaml": "tests/perception/test_semantic.py",
    "perception/classes/coco.yaml": "tests/perception/test_detector.py",
    "perception/models/listing.yaml": "the model's bytes are in the recipe",
}
"""Data files whose part in the recipe is tested or given elsewhere."""


@pytest.fixture
def build(tmp_path: Path) -> Build:
    raw = {"name": "b", "regions": [{"name": "r", "centre": [1.0, 2.0], "radius_m": 100}], "sources": {
        "street": {"w": {"type": "world"}}, "map": {"w": {"type": "world"}}},
        "workspace": str(tmp_path / "w"), "dataset": str(tmp_path / "d")}  # fmt: skip
    return parse_build(raw, base=tmp_path)


def dialogue_print(build: Build, code: str) -> str:
    prompts = {"en": "progressive-en-2", "de": "progressive-de-1"}[code]
    settings = config.Dialogue(engine="dialogue", model="m", endpoints=["http://127.0.0.1:1/v1"], prompt_set=prompts)
    return DialogueCaptioner(settings, build).fingerprint()


def composer_print(code: str) -> str:
    return composer.Composer(config.Composer(prompt_set=f"composer-{code}-1"), seed=1).fingerprint()


def edited(file: Path) -> None:
    """A comment is no other behaviour, and yet the file is another: nobody has to judge which edits matter."""
    file.write_text(file.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


def test_all_data_files_are_accounted_for() -> None:
    data = {
        str(path.relative_to(PIPELINE))
        for room in ("captioning", "perception")
        for path in (PIPELINE / room).rglob("*")
        if path.suffix in (".yaml", ".txt", ".json", ".csv")
    }
    tested = {"captioning/dialogue/orders.yaml", "captioning/language/places.txt", "perception/colours.yaml",
              "perception/vocabulary.yaml", *LANGUAGES}  # fmt: skip
    assert data == tested | set(ELSEWHERE)


@pytest.mark.parametrize("file", [*LANGUAGES, "captioning/language/places.txt"])
def test_a_language_s_files_are_in_the_recipe_of_both_captioners(
    file: str, build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = Path(file).parent.name if file in LANGUAGES else "en"
    before = dialogue_print(build, code), composer_print(code)
    copy = tmp_path / "language"
    shutil.copytree(language.FOLDER, copy)
    edited(copy / Path(file).relative_to("captioning/language"))

    def changed(wanted: str) -> base.Language:
        return base.Language(copy / wanted)

    monkeypatch.setattr(base, "GAZETTEER", copy / "places.txt")
    monkeypatch.setattr(names, "GAZETTEER", copy / "places.txt")
    for module in (dialogue, composer):
        monkeypatch.setattr(module, "language_of", changed)
    after = dialogue_print(build, code), composer_print(code)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_the_patterns_of_orders_are_in_the_dialogue_s_recipe(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dialogue_print(build, "en")
    copy = tmp_path / "orders.yaml"
    shutil.copy(quoting.ORDERS, copy)
    edited(copy)
    for module in (quoting, dialogue):
        monkeypatch.setattr(module, "ORDERS", copy)
    assert dialogue_print(build, "en") != before


def test_classes_are_in_the_recipe_of_cues_and_of_the_composer(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SuperpixelSegmenter(Superpixels())
    before = Ensemble([engine]).fingerprint(), composer_print("en")
    label, term = next(iter(vocabulary.vocabulary().items()))
    other = {**vocabulary.vocabulary(), label: term.model_copy(update={"lasting": not term.lasting})}
    monkeypatch.setattr(composer, "vocabulary", lambda: other)
    monkeypatch.setattr(engine, "words", other)
    after = Ensemble([engine]).fingerprint(), composer_print("en")
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_colours_are_in_the_recipe_of_cues(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Ensemble([SuperpixelSegmenter(Superpixels())]).fingerprint()
    assert Ensemble([SuperpixelSegmenter(Superpixels())]).fingerprint() == before
    monkeypatch.setattr("pipeline.perception.ensemble.colour_boxes", lambda of: colour_names.colour_boxes(of)[1:])
    assert Ensemble([SuperpixelSegmenter(Superpixels())]).fingerprint() != before
