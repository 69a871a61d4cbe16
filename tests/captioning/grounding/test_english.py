"""Articles, plurals, distances, spellings: the small rules of the composer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.captioning.composer.facts import quotable
from pipeline.captioning.composer.text_match import contains, similarity, spelling
from pipeline.captioning.composer.words import pluralise
from pipeline.captioning.language.en.grammar import Choices, article, listed, rounded_metres

SHORT = {"st": "street"}
GENERIC = frozenset({"cafe", "the"})


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("church", "a church"),
        ("orange house", "an orange house"),
        ("ATM", "an ATM"),
        ("university building", "a university building"),
        ("underground line", "an underground line"),
        ("unmarked crossing", "an unmarked crossing"),
        ("European deli", "a European deli"),
        ("one-storey house", "a one-storey house"),
        ("hour glass", "an hour glass"),
        ("8-storey house", "an 8-storey house"),
        ("used car shop", "a used car shop"),
    ],
)
def test_article(phrase: str, expected: str) -> None:
    assert article(phrase) == expected


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("church", "churches"),
        ("bench", "benches"),
        ("library", "libraries"),
        ("row of trees", "rows of trees"),
        ("bus stop", "bus stops"),
        ("quay", "quays"),
    ],
)
def test_plural(singular: str, plural: str) -> None:
    assert pluralise(singular) == plural


def test_lists() -> None:
    assert [listed(list("abc")[:n], "and") for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


@given(st.floats(0, 1000))
def test_told_distances_are_near_the_truth(distance: float) -> None:
    assert abs(rounded_metres(distance) - distance) <= max(5.0, 0.15 * distance)


@pytest.mark.parametrize(
    ("sign", "name", "same"),
    [
        ("TRIDENT", "Trident Booksellers & Cafe", True),
        ("TR1DENT", "Trident Booksellers", True),
        ("CAFE", "Trident Cafe", False),
        ("PEARL DELI", "Pearl Bank", False),
        ("서울사우나", "서울사우나", True),
        ("Joe's", "Joe\u2019s", True),
        ("CAFÉ LUNA", "Cafe Luna", True),
        ("LUNA", "Cafe Solar", False),
        ("MAIN ST", "Main Street", True),
    ],
)
def test_signs_are_matched_with_names(sign: str, name: str, same: bool) -> None:
    assert (similarity(spelling(sign, SHORT), spelling(name, SHORT), GENERIC) > 0) is same


def test_a_name_within_a_name_is_found_by_whole_words() -> None:
    assert contains(spelling("Pearl St Pub", SHORT), spelling("Pearl Street", SHORT))
    assert not contains(spelling("Pearlman Dental", SHORT), spelling("Pearl", SHORT))
    assert contains(spelling("종로약국", SHORT), spelling("종로", SHORT))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('JOE\'S "BEST" PIZZA', "JOE'S 'BEST' PIZZA"),
        ("  SHOE\u200b  FLY\n", "SHOE FLY"),
        ("AB", None),
        ("1137", "1137"),
        ("--::--", None),
        ("x" * 60, None),
        ("약국", "약국"),
        (None, None),
        ("{loc}", None),
    ],
)
def test_what_may_be_quoted(text: str | None, quoted: str | None) -> None:
    assert quotable(text) == quoted


def test_choices_hang_on_their_key_alone() -> None:
    options = list(range(7))
    one, two = Choices(0, "site"), Choices(0, "site")
    two.pick("something else", options)
    assert [one.pick("slot", options) for _ in range(20)] == [two.pick("slot", options) for _ in range(20)]
    once_each = Choices(1, "site")
    assert sorted(once_each.pick("slot", options) for _ in options) == options
