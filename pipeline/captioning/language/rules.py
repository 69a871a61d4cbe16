"""The form of a language's `rules.yaml`: words and patterns that the checks and the controls need."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.records import ClaimKind

Side = Literal["left", "right", "ahead", "behind"]
Check = Literal["view", "style", "instruction", "place", "personal", "language", "length"]
Layout = Literal["roundabout", "rail", "water"]
Depth = Literal["near", "far"]


class Part(BaseModel):
    """Base of all parts: unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Part):
    """One thing that no description may say, with sentences that break it and sentences that do not."""

    check: Check
    pattern: str
    """Regular expression, matched without regard to case over a sentence whose quotations are masked."""
    says: list[str]
    """Sentences that break the rule."""
    passes: list[str]
    """Sentences that hold like words and do not."""


class Swap(Part):
    """Words that stand for one another in a control: what is true with one is false with another."""

    kind: ClaimKind
    words: list[list[str]]
    """Groups; a word is swapped for another of its group, in groups of four and more not for its neighbour there. Words
    of one group can stand in one another's place in any sentence: in a language with genders, cases or articles that
    hang on the next sound they agree in these."""
    endings: list[str] = [""]
    """What may follow each word; it stays as it is."""
    apart: int | None = None
    """Places in its group up to which another word is too like it to make a statement surely untrue."""
    within: int | None = None
    """Places in its group beyond which another word makes a statement untrue at first glance."""
    unless: str | None = None
    """Pattern; a word stays where this matches from its beginning."""
    after: str = ""
    """Pattern; a word stays unless this stands before it: no pine tree has a `pine chimney` for its like."""
    where: str = ""
    """Pattern; a statement that does not match it stays: a street that has lamps on the left has them on the right."""


class Stems(Part):
    """How inflected words and compounds are told to be of one thing."""

    letters: int | None = None
    """Words are one where their first so many letters are the same: plurals and cases, and few accidents."""
    fold: dict[str, str] = {}
    """Letters that change with the number: `Baum`, `Bäume`."""
    endings: list[str] = []
    """Endings of inflected words, taken off where three letters are left, the longest first."""
    heads: list[str] = []
    """Nouns that a compound is one of where it ends with them: a `Gartenmauer` is a `Mauer`."""
    materials: list[str] = []
    """Words that say of a compound's head what it is of: a `Backsteinmauer` is of `Backstein`."""
    same: list[list[str]] = []
    """Groups of words, plurals included, for one thing in the language's several spellings and countries."""


class Rules(Part):
    """`rules.yaml`."""

    code: str
    sides: dict[Side, list[str]]
    relative: list[str]
    """Words like those of `sides` that tell no direction from the standpoint: of a part of a thing (`the left window`),
    of where something turns or points, of what stands behind another thing."""
    compass: list[str]
    """Directions by the points of the compass."""
    layout: dict[Layout, list[str]]
    relations: dict[str, list[str]]
    """How two things stand to each other: patterns by what they say."""
    numbers: dict[str, int]
    depths: dict[Depth, list[str]]
    """How near or far off from the standpoint something is, where that is beyond doubt."""
    landmark: str
    """What ends before a thing that is mentioned to say where another is: `next to`."""
    single: str
    """That there is one of what is counted: `single-storey`. A bare `one` says nothing."""
    number_endings: list[str] = []
    """Word endings that may follow a number: `dreistöckig` tells of three storeys."""
    stems: Stems
    function_words: frozenset[str]
    plain_capitals: frozenset[str]
    """Words with a capital that name nothing."""
    connectors: frozenset[str]
    nouns_have_capitals: bool = False
    names_after: str | None = None
    """Where all nouns have capitals: pattern of what stands before a word that is a name."""
    street_words: frozenset[str]
    street_endings: list[str]
    common_streets: list[str] = []
    """Beginnings of words with such an ending that are common nouns: a `Wohnstraße` is no street's name."""
    place_endings: list[str] = []
    """Endings of inflected names of places: `Kopenhagens`, `Kopenhagener`."""
    short_forms: dict[str, str]
    refers_back: list[str]
    clause: str
    """Where a clause begins that may be cut: a pattern for what stands before it."""
    uncut: str | None = None
    """Clauses that the rest of a sentence cannot do without, its verb's second part for one."""
    rules: list[Rule]
    abbreviations: frozenset[str]
    foreign: frozenset[str]
    common: frozenset[str]
    least_common_share: float
    words_per_token: float
    """Words that a text has to a CLIP token, on the safe side: what a writer is told to keep to."""
    swaps: list[Swap]
    absent: dict[str, str]
    """Things that are seldom there: words by which evidence would speak of one, and the statement that it is there."""
    sign_reads: str
    """Statement that a sign bears words, `{words}`."""
    thing_is: str
    """Statement that a thing is there, `{thing}` with its article."""
    road: str
    """What a note on the road is a note on."""
