"""Prompt sets of dialogues: complete, in order, and with reply schemas that servers and models both know."""

import json
from pathlib import Path

import pytest

from prompts import loader
from prompts.loader import PromptSetError, load_prompt_set, prompt_sets
from prompts.replies import OFFERED, REPLIES, TURNS, Composition, Rulings, Turn, reply_schema

DIALOGUES = [name for name in prompt_sets() if load_prompt_set(name).kind == "dialogue"]


def test_the_three_sets_are_there() -> None:
    turns = {name: load_prompt_set(name).turns for name in DIALOGUES}
    assert turns == {"progressive-en-1": TURNS, "single-turn-en-1": ("compose",), "plain-en-1": ("compose",)}
    assert not load_prompt_set("plain-en-1").cues


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "toy-en-1"
    made.mkdir()
    for name in ("system", "picture", "ask", "compose"):
        (made / f"{name}.jinja").write_text("words")
    write_manifest(made, "[compose]")
    monkeypatch.setattr(loader, "FOLDER", tmp_path)
    return made


def write_manifest(folder: Path, turns: str, more: str = "") -> None:
    text = f'name: toy-en-1\nversion: "1"\nlanguage: en\nkind: dialogue\nturns: {turns}\n{more}'
    (folder / "manifest.yaml").write_text(text)


def test_a_template_a_turn_and_no_other(folder: Path) -> None:
    assert load_prompt_set("toy-en-1").turns == ("compose",)
    write_manifest(folder, "[observe, compose]")
    with pytest.raises(PromptSetError, match=r"observe\.jinja"):
        load_prompt_set("toy-en-1")
    write_manifest(folder, "[compose]")
    (folder / "review.jinja").write_text("left over")
    with pytest.raises(PromptSetError, match="one template a turn"):
        load_prompt_set("toy-en-1")


@pytest.mark.parametrize(
    ("turns", "more"), [("[]", ""), ("[observe]", ""), ("[compose, ground]", ""), ("[ground, compose]", "cues: false")]
)
def test_turns_that_make_no_dialogue_are_refused(folder: Path, turns: str, more: str) -> None:
    write_manifest(folder, turns, more)
    with pytest.raises(PromptSetError):
        load_prompt_set("toy-en-1")


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("ids", [[], ["t1", "o2"]])
def test_schemas_keep_to_what_guidance_takes(turn: Turn, ids: list[str]) -> None:
    text = json.dumps(reply_schema(turn, ids))
    for refused in ("uniqueItems", "patternProperties", "propertyNames", "cue-id", "default"):
        assert refused not in text


def test_a_ruling_on_each_cue_and_on_no_other() -> None:
    schema = reply_schema("ground", ["t1", "o2"])["properties"]["cues"]
    assert list(schema["properties"]) == schema["required"] == ["t1", "o2"]
    offered = {OFFERED: {"t1", "o2"}}
    Rulings.model_validate({"cues": {"t1": "clear", "o2": "wrong"}}, context=offered)
    for cues in ({"t1": "clear"}, {"t1": "clear", "o2": "clear", "o3": "clear"}, {"t1": "clear", "o2": "perhaps"}):
        with pytest.raises(ValueError, match=r"no ruling on o2|no cue of this turn|Input should be"):
            Rulings.model_validate({"cues": cues}, context=offered)


def test_a_sentence_can_only_refer_to_cues_that_were_offered() -> None:
    said = [{"text": "A house.", "cues": ["o9"]}] * 2
    raw = {"long": said, "short": said[:1], "street": said}
    Composition.model_validate(raw, context={OFFERED: {"o9"}})
    with pytest.raises(ValueError, match="no cue of this turn"):
        Composition.model_validate(raw, context={OFFERED: {"t1"}})
    cues = reply_schema("compose", [])["$defs"]["Said"]["properties"]["cues"]
    assert cues["maxItems"] == 0


def test_every_turn_has_its_reply() -> None:
    assert set(REPLIES) == set(TURNS)
