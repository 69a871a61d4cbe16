"""What a language knows: each rule by sentences that break it and sentences that do not, and what a sentence says.

Every language is held to the same; the sentences are in `cases`, a module a language.
"""

import random
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.captioning.language.quotes import quotations
from pipeline.captioning.language.rules import Rule
from pipeline.errors import ConfigError
from tests.captioning.language.cases import Cases, cases

T = TypeVar("T")
RULES = [(code, rule) for code in LANGUAGES for rule in language_of(code).rules.rules]
languages = pytest.mark.parametrize("code", LANGUAGES)


def each(of: Callable[[Cases], Iterable[T]]) -> pytest.MarkDecorator:
    """A test run for each case of each language."""
    found = [(code, one) for code in LANGUAGES for one in of(cases(code))]
    # Not the whole case: a set in it would be named in another order by each process.
    ids = [f"{code} {one[0] if isinstance(one, tuple) else one}"[:80] for code, one in found]
    return pytest.mark.parametrize(("code", "case"), found, ids=ids)


@pytest.mark.parametrize(
    ("code", "rule"), RULES, ids=[f"{code} {rule.check} {i}" for i, (code, rule) in enumerate(RULES)]
)
def test_each_rule_finds_what_breaks_it_and_nothing_else(code: str, rule: Rule) -> None:
    assert rule.says
    assert rule.passes
    language = language_of(code)
    for sentence in rule.says:
        assert any(fault.check == rule.check for fault in language.faults(sentence)), sentence
    pattern = re.compile(rule.pattern, re.IGNORECASE)
    for sentence in rule.passes:
        assert not pattern.search(sentence), sentence


@languages
def test_the_examples_that_pass_break_no_other_rule_either(code: str) -> None:
    language = language_of(code)
    for rule in language.rules.rules:
        for sentence in rule.passes:
            assert language.faults(sentence) == [], sentence


def test_a_language_without_rules_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"captioner\.prompt_set.*'fr'.*rules for: de, en"):
        language_of("fr")


@languages
def test_a_language_s_folder_is_called_by_its_code(code: str) -> None:
    assert language_of(code).code == code


@each(lambda c: c.sides.items())
def test_sides_are_those_of_the_standpoint(code: str, case: tuple[str, set[str]]) -> None:
    text, sides = case
    assert language_of(code).sides(text) == sides


@each(lambda c: c.sides)
def test_the_clauses_of_a_sentence_have_its_sides_and_no_other(code: str, case: str) -> None:
    """Words that follow may say that a word is no direction: `right behind the bus`."""
    language = language_of(code)
    assert frozenset[str]().union(*language.sides_by_clause(case)) == language.sides(case)


@each(lambda c: c.numbers.items())
def test_numbers_are_read_in_words_and_figures(code: str, case: tuple[str, set[int]]) -> None:
    text, numbers = case
    assert language_of(code).numbers(text) == numbers


@each(lambda c: c.layout.items())
def test_what_a_complete_map_would_have(code: str, case: tuple[str, set[str]]) -> None:
    text, layout = case
    assert language_of(code).layout(text) == layout


@each(lambda c: c.relations.items())
def test_relations_are_those_of_two_things_that_are_named(code: str, case: tuple[str, set[str]]) -> None:
    text, relations = case
    assert language_of(code).relations(text) == relations


@languages
@pytest.mark.parametrize("part", ["a", "weiher", "left ", "links "])
def test_a_model_that_goes_on_with_one_word_takes_no_time_to_read(code: str, part: str) -> None:
    """No pattern looks through the rest of a word from each of its letters: this would take minutes."""
    language = language_of(code)
    text = part * (20_000 // len(part)) + "x."
    assert language.layout(text) == frozenset()
    assert language.relations(text) == frozenset()
    assert not language.refers_back(text)
    assert language.numbers(text) == set()
    assert language.sides(text) <= {"left"}


def test_quotations_in_any_marks() -> None:
    text = 'Signs read "CAFE", \u201cBar\u201d, \u201eApotheke\u201c, \u00abPain\u00bb and \u300c\u9152\u5c4b\u300d.'
    assert quotations(text) == ["CAFE", "Bar", "Apotheke", "Pain", "\u9152\u5c4b"]
    assert quotations("The shop's sign reads 'LINDSAY'S DELI', the door's \u2018OPEN\u2019.") == [
        "LINDSAY'S DELI",
        "OPEN",
    ]
    assert quotations("The dogs' run and the cats' house, 6' wide, are of the '70s.") == []
    assert quotations("Schilder mit \u201aBrot\u2018 h\u00e4ngen dort.") == ["Brot"]
    assert quotations("Schilder mit \u00bbBrot\u00ab und \u00bbMilch\u00ab.") == ["Brot", "Milch"]


@each(lambda c: c.names.items())
def test_names_are_known_or_have_the_form_of_one(code: str, case: tuple[str, list[str]]) -> None:
    text, names = case
    assert language_of(code).names(text, cases(code).known) == names


@languages
def test_streets_and_places_are_known_by_their_names(code: str) -> None:
    language, of = language_of(code), cases(code)
    assert [name for name in (*of.streets, *of.no_streets) if language.is_street(name)] == of.streets
    assert [name for name in (*of.places, *of.no_places) if language.is_place(name)] == of.places


@each(lambda c: c.cuts)
def test_a_clause_is_cut_where_it_alone_says_what_failed(
    code: str, case: tuple[str, list[str], list[str], str | None]
) -> None:
    text, failed, kept, left = case
    assert language_of(code).without(text, failed, kept) == left


@languages
def test_what_leans_on_the_sentence_before(code: str) -> None:
    language, of = language_of(code), cases(code)
    assert [s for s in (*of.refers_back, *of.stands_alone) if language.refers_back(s)] == of.refers_back


@languages
def test_words_are_compared_by_their_stems(code: str) -> None:
    language, of = language_of(code), cases(code)
    for one, other in of.alike:
        assert language.stems(one) & language.stems(other), (one, other)
    for one, other in of.unlike:
        assert not language.stems(one) & language.stems(other), (one, other)


@languages
def test_controls_differ_from_what_they_are_made_of_in_one_place(code: str) -> None:
    language, statement = language_of(code), cases(code).statement
    for seed in range(20):
        made = language.spoilt(statement, random.Random(seed))
        assert {"side", "look", "count", "sign"} <= {kind for kind, _ in made}
        for _, text in made:
            assert text != statement
            assert language.faults(text) == []
            assert len(set(text.split()) ^ set(statement.split())) <= 6


@languages
def test_a_control_tells_of_nothing_that_any_witness_speaks_of(code: str) -> None:
    language, draw = language_of(code), random.Random(3)
    *others, last = language.rules.absent
    assert language.absent(others, draw) == language.rules.absent[last]
    assert language.absent([*others, last.split()[0]], draw) is None


@languages
def test_statements_about_absent_things_may_be_said_and_are_in_the_language(code: str) -> None:
    language = language_of(code)
    for what, statement in language.rules.absent.items():
        assert language.faults(statement) == []
        assert not language.stems(statement).isdisjoint(language.stems(what)), what


@languages
def test_a_text_in_another_language_is_known(code: str) -> None:
    language, of = language_of(code), cases(code)
    for sentence in of.foreign:
        assert [fault.check for fault in language.faults(sentence)] == ["language"], sentence
    assert not language.is_written_in(of.not_written)
    assert language.is_written_in(of.written)


@pytest.mark.parametrize(("code", "other"), [(a, b) for a in LANGUAGES for b in LANGUAGES if a != b])
def test_one_language_is_not_taken_for_another(code: str, other: str) -> None:
    text = " ".join((*cases(other).sound, cases(other).lie))
    assert not language_of(code).is_written_in(text)
    assert language_of(other).is_written_in(text)


@each(lambda c: c.sentences)
def test_sentences_end_at_full_stops_that_end_them(code: str, case: list[str]) -> None:
    assert language_of(code).sentences(" ".join(case)) == case


@languages
def test_the_words_of_a_place_s_name_are_no_hedging(code: str) -> None:
    language, of = language_of(code), cases(code)
    assert [fault.check for fault in language.faults(of.place_name)] == ["style"]
    assert language.faults(of.place_name, [of.place_named]) == []
