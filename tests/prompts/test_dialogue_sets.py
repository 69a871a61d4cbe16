"""Prompt sets of dialogues: complete, in order, and with reply schemas that servers and models both know."""

import json
import re
from pathlib import Path

import pytest

from prompts import loader
from prompts.loader import PromptSetError, load_prompt_set, prompt_sets
from prompts.replies import REPLIES, TURNS, Turn, reply_schema

DIALOGUES = [name for name in prompt_sets() if load_prompt_set(name).kind == "dialogue"]


def test_the_sets_are_there() -> None:
    turns = {name: load_prompt_set(name).turns for name in DIALOGUES}
    assert turns == {
        "progressive-de-1": TURNS,
        "progressive-en-2": TURNS,
        "single-turn-en-2": ("compose", "verify"),
        "plain-en-2": ("compose", "verify"),
    }
    assert not load_prompt_set("plain-en-2").cues


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
    (folder / "verify.jinja").write_text("left over")
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
def test_schemas_keep_to_what_guidance_takes(turn: Turn) -> None:
    text = json.dumps(reply_schema(turn))
    for refused in ("uniqueItems", "patternProperties", "propertyNames", "default", "description"):
        assert refused not in text


@pytest.mark.parametrize("name", [name for name in DIALOGUES if "repair" in load_prompt_set(name).turns])
def test_limits_of_the_schema_are_told_in_the_prompt(name: str) -> None:
    """A model that writes past a limit that it was not told of is cut off in the middle of a word."""
    files = load_prompt_set(name).files
    for turn in ("observe", "relate", "compose"):
        limits = set(re.findall(r'"maxLength": (\d+)', json.dumps(reply_schema(turn)))) - {"8"}
        assert limits <= set(re.findall(r"\d+", files[f"{turn}.jinja"])), turn


def test_every_turn_has_its_reply() -> None:
    assert set(REPLIES) == set(TURNS)
