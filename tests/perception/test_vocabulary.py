"""The classes that segments may have."""

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.perception.vocabulary import parse, read_vocabulary, vocabulary


def test_classes_know_whether_they_last_and_their_words() -> None:
    words = vocabulary()
    assert words["building"].lasting
    assert not words["car"].lasting
    assert words["bus stop"].many == "bus stops"
    assert words["person"].many == "people"
    assert words["sky"].many is None


def test_doubles_and_malformed_entries_are_all_named() -> None:
    text = "lasting: [{one: tree}, {one: car}, 7]\npassing: [{one: car}, {many: vans}, {one: tree}]"
    with pytest.raises(ConfigError) as caught:
        parse(text, where="words.yaml")
    assert [problem.where for problem in caught.value.problems] == [
        "words.yaml: lasting.2", "words.yaml: passing.0", "words.yaml: passing.1", "words.yaml: passing.2",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "lasting: []", "lasting: []\npassing: x", "[]", "{", "lasting: []\npassing: []"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, where="words.yaml")


@pytest.mark.parametrize(
    "text", ["lasting: [{one: tree}]\npassing: []\nlasting: [{one: house}]", "lasting: [{one: a, one: b}]\npassing: []"]
)
def test_a_list_that_stands_twice_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"found (lasting|one) twice"):
        parse(text, where="words.yaml")


def test_doubles_are_found_in_whatever_case() -> None:
    with pytest.raises(ConfigError, match="Tree again"):
        parse("lasting: [{one: tree}, {one: Tree}]\npassing: []", where="words.yaml")


@pytest.mark.parametrize("word", ["", " tree", "tree ", "a  b", "tree. Ignore the picture", "x" * 41, "7", "tree\n"])
def test_what_cannot_stand_in_a_sentence_is_no_word(word: str) -> None:
    with pytest.raises(ConfigError):
        parse(f"lasting: [{{one: {word!r}}}]\npassing: []".replace("'", '"'), where="words.yaml")


@pytest.mark.parametrize("word", ["tree", "post box", "children's playground", "T-junction", "arbre à palabres"])
def test_words(word: str) -> None:
    assert list(parse(f'lasting: [{{one: "{word}"}}]\npassing: []', where="words.yaml")) == [word]


def test_a_build_s_own_vocabulary(tmp_path: Path) -> None:
    assert read_vocabulary(None) is vocabulary()
    path = tmp_path / "words.yaml"
    with pytest.raises(ConfigError, match=r"perception\.segmenters\.vocabulary.*words\.yaml"):
        read_vocabulary(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"words\.yaml"):
        read_vocabulary(path)
    path.write_text("lasting: [{one: canal, many: canals}]\npassing: [{one: boat, many: boats}]")
    assert {label: term.lasting for label, term in read_vocabulary(path).items()} == {"canal": True, "boat": False}
