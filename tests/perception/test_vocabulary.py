"""The classes that segments may have."""

import pytest

from pipeline.errors import ConfigError
from pipeline.perception.vocabulary import parse, vocabulary


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


@pytest.mark.parametrize("text", ["", "lasting: []", "lasting: []\npassing: x", "[]"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text, where="words.yaml")
