"""A whole dialogue in each language: prompts, notes, what is written, controls, and what is not let pass."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.captioning.base import Description
from pipeline.captioning.dialogue.dialogue import DialogueCaptioner
from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.errors import ConfigError
from prompts import loader
from prompts.loader import load_prompt_set, prompt_sets
from tests.captioning.language.cases import cases
from tests.captioning.model_standin import Seen, say, serving, write_well
from tests.captioning.places import build_for, place

SETS = {
    load_prompt_set(name).language: name
    for name in prompt_sets()
    if name.startswith("progressive") and load_prompt_set(name).kind == "dialogue"
}
languages = pytest.mark.parametrize("code", LANGUAGES)


def write(code: str, *more: str) -> Any:
    """A writer in a language, who has been there: of what it says, `more` alone is not so."""
    of = cases(code)
    told = (*of.sound, of.lie, *of.claims)

    def answer(seen: Seen) -> Any:
        if seen.turn == "verify":
            answers = ["yes" if s["says"] in told else "no" for s in seen.data["statements"]]
            return {"answers": [{"statement": i, "answer": a, "picture": 1} for i, a in enumerate(answers, start=1)]}
        if seen.turn in ("compose", "repair"):
            said = [say(text) for text in (*of.sound, *of.claims[:2], *more)]
            return {"long": said, "short": said[:1], "street": said[1:3]}
        return write_well(seen)

    return answer


def described(code: str, tmp_path: Path, *more: str) -> tuple[Description, list[Seen]]:
    with serving(write(code, *more)) as model:
        build = build_for([model.url], tmp_path, prompt_set=SETS[code])
        assert build.captioner.engine == "dialogue"
        answer = DialogueCaptioner(build.captioner, build).describe([place(views=2)])[0]
    assert isinstance(answer, Description), answer
    return answer, model.seen


@languages
def test_a_dialogue_is_in_the_language_of_its_prompts(code: str, tmp_path: Path) -> None:
    said, seen = described(code, tmp_path)
    language = language_of(code)
    assert (said.language, said.fault, said.dropped) == (code, None, [])
    assert language.is_written_in(said.long)
    assert {note.what for note in said.notes} >= {language.rules.road}
    assert len(said.controls) >= 4
    assert language.is_written_in(" ".join(control.text for control in said.controls))
    assert all(control.answer == "no" for control in said.controls if not control.holds)
    assert language.is_written_in(seen[0].system)


@languages
def test_what_no_text_may_say_is_taken_out_in_each_language(code: str, tmp_path: Path) -> None:
    broken = list(cases(code).broken)[:6]
    said, _ = described(code, tmp_path, *broken)
    assert said.fault is None
    assert {gone.text for gone in said.dropped} == set(broken)


@languages
def test_the_words_that_a_writer_may_use_fit_its_tokens(code: str, tmp_path: Path) -> None:
    said, _ = described(code, tmp_path)
    words = sum(len(text.split()) for text in (said.long, said.short))
    assert words >= language_of(code).rules.words_per_token * (said.long_tokens + said.short_tokens)


def test_prompts_in_a_language_without_rules_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "progressive-xx-1"
    folder.mkdir()
    for name in ("system", "picture", "ask", "compose"):
        (folder / f"{name}.jinja").write_text("words")
    manifest = 'name: progressive-xx-1\nversion: "1"\nlanguage: xx\nkind: dialogue\nturns: [compose]\n'
    (folder / "manifest.yaml").write_text(manifest)
    monkeypatch.setattr(loader, "FOLDER", tmp_path)
    build = build_for(["http://127.0.0.1:1/v1"], tmp_path / "w", prompt_set="progressive-xx-1")
    assert build.captioner.engine == "dialogue"
    with pytest.raises(ConfigError, match=r"captioner\.prompt_set.*the language 'xx'.*rules for: de, en"):
        DialogueCaptioner(build.captioner, build)
