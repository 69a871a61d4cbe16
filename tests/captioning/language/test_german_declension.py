"""German noun phrases, each as it stands in a grammar."""

import pytest
import yaml

from pipeline.captioning.language import FOLDER
from pipeline.captioning.language.de.declension import Case, declined, pronoun, read_noun

HOUSE, CHURCH, TOWER = (read_noun(spec) for spec in ("das Haus|Häuser", "die Kirche|Kirchen", "der Turm|Türme"))


@pytest.mark.parametrize(
    ("spec", "look", "forms"),
    [
        ("das Haus|Häuser", "rot+", ("ein rotes Haus", "ein rotes Haus", "einem roten Haus")),
        (
            "die Bäckerei|Bäckereien",
            "dreistöckig+",
            ("eine dreistöckige Bäckerei", "eine dreistöckige Bäckerei", "einer dreistöckigen Bäckerei"),
        ),
        ("der Turm|Türme", "hoh+", ("ein hoher Turm", "einen hohen Turm", "einem hohen Turm")),
        (
            "das Haus|Häuser",
            "mit rotem Dach",
            ("ein Haus mit rotem Dach", "ein Haus mit rotem Dach", "einem Haus mit rotem Dach"),
        ),
        (
            "der botanisch+ Garten|botanisch+ Gärten",
            "groß+",
            ("ein großer botanischer Garten", "einen großen botanischen Garten", "einem großen botanischen Garten"),
        ),
        ("der Hydrant|Hydranten", "rot+", ("ein roter Hydrant", "einen roten Hydranten", "einem roten Hydranten")),
        ("der Mast|Masten", "hoh+", ("ein hoher Mast", "einen hohen Mast", "einem hohen Mast")),
        ("~das Grün", "dicht+", ("dichtes Grün", "dichtes Grün", "dichtem Grün")),
        ("pl Gleise", "alt+", ("alte Gleise", "alte Gleise", "alten Gleisen")),
    ],
)
def test_one_thing_with_the_indefinite_article(spec: str, look: str, forms: tuple[str, str, str]) -> None:
    cases: tuple[Case, ...] = ("nom", "acc", "dat")
    assert tuple(declined(read_noun(spec), case, looks=[look]) for case in cases) == forms


@pytest.mark.parametrize(
    ("spec", "looks", "forms"),
    [
        ("das Haus|Häuser", ["rot+"], ("zwei rote Häuser", "zwei rote Häuser", "zwei roten Häusern")),
        ("die Kirche|Kirchen", [], ("zwei Kirchen", "zwei Kirchen", "zwei Kirchen")),
        ("das Café|Cafés", [], ("zwei Cafés", "zwei Cafés", "zwei Cafés")),
        (
            "das Gebäude|=",
            ["aus Backstein"],
            ("zwei Gebäude aus Backstein", "zwei Gebäude aus Backstein", "zwei Gebäuden aus Backstein"),
        ),
        (
            "der Überweg mit Mittelinsel|Überwege mit Mittelinsel",
            [],
            ("zwei Überwege mit Mittelinsel", "zwei Überwege mit Mittelinsel", "zwei Überwegen mit Mittelinsel"),
        ),
        (
            "der Obst- und Gemüseladen|Obst- und Gemüseläden",
            [],
            ("zwei Obst- und Gemüseläden", "zwei Obst- und Gemüseläden", "zwei Obst- und Gemüseläden"),
        ),
    ],
)
def test_several(spec: str, looks: list[str], forms: tuple[str, str, str]) -> None:
    cases: tuple[Case, ...] = ("nom", "acc", "dat")
    assert tuple(declined(read_noun(spec), case, looks=looks, number="zwei") for case in cases) == forms


def test_the_definite_article_and_its_weak_adjectives() -> None:
    assert declined(HOUSE, "nom", article="der", looks=["rot+"]) == "das rote Haus"
    assert declined(TOWER, "acc", article="der", looks=["rot+"]) == "den roten Turm"
    assert declined(CHURCH, "dat", article="der", looks=["rot+"]) == "der roten Kirche"
    assert declined(HOUSE, "dat", article="der", looks=["rot+"], number="zwei") == "den zwei roten Häusern"


def test_one_of_a_kind_that_was_named() -> None:
    assert [pronoun(TOWER, case) for case in ("nom", "acc", "dat")] == ["einer", "einen", "einem"]
    assert [pronoun(HOUSE, case) for case in ("nom", "acc", "dat")] == ["eines", "eines", "einem"]
    assert pronoun(CHURCH, "dat") == "einer"


@pytest.mark.parametrize("spec", ["Haus|Häuser", "das Haus", "das", "dem Haus|Häuser", ""])
def test_a_noun_without_gender_or_plural_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_noun(spec)


def test_every_noun_of_the_list_can_be_declined() -> None:
    groups = yaml.safe_load((FOLDER / "de" / "nouns.yaml").read_text(encoding="utf-8"))["nouns"]
    for spec in {spec for group in groups.values() for spec in group.values() if spec}:
        noun = read_noun(spec)
        for number in (None, "drei"):
            text = declined(noun, "dat", number=None if noun.mass else number)
            assert "+" not in text
            assert text == " ".join(text.split())
