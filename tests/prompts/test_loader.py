"""Prompt sets are found by name, and their digest hangs on every byte of them."""

from pathlib import Path

import pytest

from prompts import loader
from prompts.loader import PromptSetError, load_prompt_set, prompt_sets


@pytest.mark.parametrize("name", prompt_sets())
def test_every_prompt_set_loads(name: str) -> None:
    prompt_set = load_prompt_set(name)
    assert prompt_set.name == name
    assert prompt_set.files


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(PromptSetError, match="composer-en-1") as caught:
        load_prompt_set("../composer-en-1")
    assert caught.value.found == "'../composer-en-1'"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "toy-en-1"
    made.mkdir()
    (made / "manifest.yaml").write_text(
        'name: toy-en-1\nversion: "1"\nlanguage: en\nkind: composer\n', encoding="utf-8"
    )
    (made / "phrases.yaml").write_text("a: b\n", encoding="utf-8")
    monkeypatch.setattr(loader, "FOLDER", tmp_path)
    return made


def test_the_digest_changes_with_any_file_s_name_or_content(folder: Path) -> None:
    digests = [load_prompt_set("toy-en-1").digest]
    (folder / "phrases.yaml").write_text("a: c\n", encoding="utf-8")
    digests.append(load_prompt_set("toy-en-1").digest)
    (folder / "phrases.yaml").rename(folder / "other.yaml")
    digests.append(load_prompt_set("toy-en-1").digest)
    (folder / "turn.jinja").write_text("{{ cues }}", encoding="utf-8")
    digests.append(load_prompt_set("toy-en-1").digest)
    assert len(set(digests)) == 4
    (folder / "turn.jinja~").write_text("an editor's backup", encoding="utf-8")
    assert load_prompt_set("toy-en-1").digest == digests[-1]


@pytest.mark.parametrize(
    "manifest", ["name: toy-en-1\n", "- no mapping", "name: other-en-1\nversion: '1'\nlanguage: en\nkind: composer\n"]
)
def test_a_malformed_manifest_is_refused(folder: Path, manifest: str) -> None:
    (folder / "manifest.yaml").write_text(manifest, encoding="utf-8")
    with pytest.raises(PromptSetError, match=r"toy-en-1/manifest\.yaml"):
        load_prompt_set("toy-en-1")
