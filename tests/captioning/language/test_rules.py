"""What a language knows: each rule by sentences that break it and sentences that do not, and what a sentence says."""

import random
import re

import pytest

from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.captioning.language.quotes import quotations
from pipeline.captioning.language.rules import Rule
from pipeline.errors import ConfigError

RULES = [(code, rule) for code in LANGUAGES for rule in language_of(code).rules.rules]
ENGLISH = language_of("en")
STATEMENTS = {"en": 'A two-storey red brick house above a shop on the left has a sign reading "CAFE 21".'}
"""One in each language, with a word for most kinds of control."""


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


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_examples_that_pass_break_no_other_rule_either(code: str) -> None:
    language = language_of(code)
    for rule in language.rules.rules:
        for sentence in rule.passes:
            assert language.faults(sentence) == [], sentence


def test_a_language_without_rules_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"captioner\.prompt_set.*'fr'.*rules for: .*en"):
        language_of("fr")


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("On the left stands a brick house.", {"left"}),
        ("Ahead to the right rises a tower.", {"ahead", "right"}),
        ("Behind, three steps climb to a hall.", {"behind"}),
        ("Behind the wall grows bamboo.", set()),
        ("A kiosk is in front of the church.", set()),
        ("A kiosk is in front of me.", {"ahead"}),
        ("The road bends right after the signals.", set()),
        ("A right-angled bend follows.", set()),
        ("A row stands to its left.", set()),
        ("From left to right come three houses.", set()),
        ('A sign reads "KEEP LEFT".', set()),
        ("Trees stand left and right.", {"left", "right"}),
    ],
)
def test_sides_are_those_of_the_standpoint(text: str, sides: set[str]) -> None:
    assert ENGLISH.sides(text) == sides


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Two signal heads hang over a three-storey house.", {2, 3}),
        ("One of its awnings is red.", set()),
        ('A sign reads "58".', set()),
        ("A pair of lamps stands by 12 bollards.", {2, 12}),
    ],
)
def test_numbers_are_read_in_words_and_figures(text: str, numbers: set[int]) -> None:
    assert ENGLISH.numbers(text) == numbers


def test_quotations_in_any_marks() -> None:
    text = 'Signs read "CAFE", \u201cBar\u201d, \u201eApotheke\u201c, \u00abPain\u00bb and \u300c\u9152\u5c4b\u300d.'
    assert quotations(text) == ["CAFE", "Bar", "Apotheke", "Pain", "\u9152\u5c4b"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Behind lies the shop Lolo Rugs and Gifts.", ["Lolo Rugs and Gifts"]),
        ("Athleta stands on the right.", ["Athleta"]),
        ("A house of the Victorian age has a T-shaped plan.", []),
        ("The garden of \uac00\ud68c\ub3d9 lies near.", ["\uac00\ud68c\ub3d9"]),
        ("Two broad blocks stand there.", []),
    ],
)
def test_names_are_runs_of_capitals_and_what_is_known(text: str, names: list[str]) -> None:
    assert ENGLISH.names(text, ["Athleta"]) == names


def test_a_clause_is_cut_where_it_alone_says_what_failed() -> None:
    text = "In front of it stands a lamp post with tall banners, beside two dark bins."
    lamp, bins = "A lamp post with tall banners stands there.", "Two dark bins stand there."
    assert ENGLISH.without(text, [bins], [lamp]) == "In front of it stands a lamp post with tall banners."
    assert ENGLISH.without(text, [lamp], [bins]) is None  # the main clause cannot go
    assert ENGLISH.without("A red and blue awning hangs there.", ["It is blue."], ["An awning is red."]) is None


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("It is one of two blocks.", True),
        ("Next to it is a white door.", True),
        ('A sign there reads "BANK".', True),
        ("One of its awnings is red.", True),
        ("A white door is next to the wall.", False),
        ("Street trees stand in front of it all.", False),
    ],
)
def test_what_leans_on_the_sentence_before(text: str, back: bool) -> None:
    assert ENGLISH.refers_back(text) is back


@pytest.mark.parametrize("code", LANGUAGES)
def test_controls_differ_from_what_they_are_made_of_in_one_place(code: str) -> None:
    language, statement = language_of(code), STATEMENTS[code]
    for seed in range(20):
        made = language.spoilt(statement, random.Random(seed))
        assert {"side", "look", "count", "sign"} <= {kind for kind, _ in made}
        for _, text in made:
            assert text != statement
            assert language.faults(text) == []
            assert len(set(text.split()) ^ set(statement.split())) <= 6


def test_a_control_tells_of_nothing_that_any_witness_speaks_of() -> None:
    draw = random.Random(3)
    words = [f"a {what}" for what in ENGLISH.rules.absent if what != "pagoda"]
    assert ENGLISH.absent(words, draw) == ENGLISH.rules.absent["pagoda"]
    assert ENGLISH.absent([*words, "pagoda"], draw) is None


def test_a_text_in_another_language_is_known() -> None:
    assert ENGLISH.faults("Ein Schild mit der Aufschrift steht auf dem Platz.")
    assert not ENGLISH.is_written_in("Schild Haus Baum Wand Laden Platz Kirche Turm Brunnen Tor")
    assert ENGLISH.is_written_in("A wall runs along the left, and a church stands on the right of the road.")


def test_sentences_end_at_full_stops_that_end_them() -> None:
    text = 'A sign reads "St. Mary. Open." It hangs on the wall of the St. Mary church. Trees follow.'
    assert (
        ENGLISH.sentences(text)
        == [
            'A sign reads "St. Mary. Open." It hangs on the wall of the St. Mary church.',
            "Trees follow.",
        ]
        or len(ENGLISH.sentences(text)) == 3
    )
