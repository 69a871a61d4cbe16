"""The word lists of the checks: each kind by one name, and the relations that verdicts hang on."""

from pathlib import Path

import pytest
import yaml

import pipeline.captioning.grounding
import pipeline.captioning.language.en
from pipeline.captioning.grounding.names import gazetteer, is_place
from pipeline.captioning.language.en.kinds import kinds
from pipeline.captioning.likeness import folded, likeness

FOLDER = Path(pipeline.captioning.grounding.__path__[0])
THINGS = yaml.safe_load((Path(pipeline.captioning.language.en.__path__[0]) / "things.yaml").read_text(encoding="utf-8"))


def test_kinds_are_called_by_their_canonical_names() -> None:
    synonyms = {spec.partition("|")[0] for others in THINGS["same"].values() for spec in others}
    named = {
        *THINGS["kinds"],
        *(c for cs in THINGS["kinds"].values() for c in cs),
        *THINGS["distinct"],
        *THINGS["mapped"],
    }
    named |= {kind for group in THINGS["confusable"] for kind in group} | set(THINGS["signed"])
    assert named & synonyms == set()


def test_no_word_stands_for_two_things() -> None:
    seen: dict[str, str] = {}
    for kind, others in THINGS["same"].items():
        for spec in others:
            assert seen.setdefault(spec, kind) == kind, spec


@pytest.mark.parametrize(
    ("claim", "found", "bond"),
    [
        ("building", "church", "same"),
        ("church", "building", None),
        ("shop", "toy shop", "same"),
        ("toy shop", "shop", "coarse"),
        ("park", "car park", None),
        ("junction", "roundabout", "same"),
        ("roundabout", "junction", None),
        ("T-junction", "crossroads", None),
        ("tree", "greenery", "coarse"),
        ("house", "apartment building", "confusable"),
        ("rails", "tram line", "same"),
        ("set of traffic lights", "junction with traffic lights", "same"),
    ],
)
def test_how_a_thing_in_evidence_bears_on_a_claim(claim: str, found: str, bond: str | None) -> None:
    assert kinds().bond(claim, found) == bond


@pytest.mark.parametrize(
    ("group", "raw", "name"),
    [
        ("poi", "clothing_store", "clothes shop"),
        ("object", "crossing", "pedestrian crossing"),
        ("object", "vegetation", "greenery"),
        ("junction", "t-junction", "T-junction"),
        ("building", "yes", "building"),
        ("road", "construction", None),
    ],
)
def test_classes_of_maps_and_engines_have_a_name(group: str, raw: str, name: str | None) -> None:
    assert kinds().of_class(group, raw) == name


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Friseur König", "FRISEUR KONIG", True),
        ("Castle Chemist", "Ashby Chemist", False),
        ("Gasthaus Vogel", "Gasthaus Adler", False),
        ("Trident", "Trident Booksellers & Cafe", True),
        ("Bar", "Barber", False),
        ("STOP", "SHOP", False),
        ("MORK'S", "Mork\u2019s", True),
        ("МОЛОКО", "Молоко", True),
    ],
)
def test_likeness(one: str, other: str, alike: bool) -> None:
    assert (likeness(folded(one), folded(other)) >= 0.8) is alike


def test_the_gazetteer_knows_cities_and_countries_and_no_common_words() -> None:
    assert is_place(["Buenos", "Aires"])
    assert is_place(["old", "France"])
    assert not is_place(["Nice", "Reading"])
    assert len(gazetteer()) > 1_000
