"""Mutations that make a description say what is not so.

They know nothing of how descriptions are judged. They look at the raw evidence only to make sure that what they write
is untrue: a church that is told to stand on the other side must have no other church there.
"""

import re
from collections.abc import Sequence

import numpy as np

from pipeline.captioning.base import Evidence
from schemas.records import Cue, Position, Sentence
from tools.dev.mutations.base import (
    Case,
    Mutate,
    into_sentence,
    lacks,
    long_of,
    pick,
    sort_of,
    texts_of,
    with_more,
    with_text,
)

LEFT = frozenset({Position.LEFT, Position.AHEAD_LEFT})

RIGHT = frozenset({Position.RIGHT, Position.AHEAD_RIGHT})

RING = [Position.LEFT, Position.AHEAD_LEFT, Position.AHEAD, Position.AHEAD_RIGHT, Position.RIGHT, Position.BEHIND]

SIDED = re.compile(r"\b(left|right)\b")

POINTS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"]

COMPASS = re.compile(r"\b(north|south)-(east|west)\b|\b(north|east|south|west)\b")

# What may be added, and the classes of which none may be there for it to be untrue.
ABSENT = [
    ("a windmill", ["windmill"]),
    ("a lighthouse", ["lighthouse"]),
    ("a red church", ["church", "place_of_worship"]),
    ("a stone fountain", ["fountain"]),
    ("a bronze statue", ["statue", "monument", "memorial", "artwork"]),
    ("a petrol station", ["fuel", "gas_station", "petrol"]),
    ("a football stadium", ["stadium"]),
    ("a playground", ["playground"]),
    ("a railway station", ["station", "halt", "train_station"]),
    ("a school", ["school", "elementary_school", "college", "specialty_school", "place_of_learning"]),
    ("a museum", ["museum", "art_museum"]),
    ("a cemetery", ["cemetery", "grave_yard"]),
    ("a footbridge", ["bridge"]),
    ("a water tower", ["water_tower", "tower"]),
    ("a flight of steps", ["steps", "stairs"]),
    ("a bus stop", ["bus_stop", "bus stop", "platform", "bus_station", "stop_position"]),
    ("a mosque", ["mosque", "place_of_worship"]),
    ("a swimming pool", ["swimming_pool"]),
]

FEATURES = [
    ("a roundabout", ["roundabout", "mini_roundabout"], "junction"),
    ("a level crossing", ["level_crossing", "railway_crossing"], "rails"),
    ("tram tracks", ["tram", "tram track", "rail track", "rail", "light_rail"], "rails"),
    ("a railway line", ["tram", "rail", "rail track", "tram track", "light_rail", "narrow_gauge"], "rails"),
    ("a river", ["river", "water", "stream", "canal", "riverbank"], "water"),
    ("a pond", ["pond", "water", "lake", "basin", "reservoir"], "water"),
    ("a canal", ["canal", "water", "river", "stream"], "water"),
]

DIRECTIONS = ["on my left", "to my right", "straight ahead", "behind me", "ahead on the right", "about 30 metres ahead"]

STREETS = ["Oak Street", "Fifth Avenue", "Rue de Rivoli", "Hauptstraße", "Calle Mayor", "Kirchgasse", "Jong-ro"]

# Another look for each, and those that may pass for that other.
FAR_LOOKS = {
    "red": ("blue", "grey purple"),
    "blue": ("yellow", "orange beige brown white"),
    "yellow": ("blue", "grey purple"),
    "white": ("green", ""),
    "green": ("red", "orange brown pink brick"),
    "grey": ("green", ""),
    "brown": ("blue", "grey purple"),
    "orange": ("blue", "grey purple"),
    "pink": ("green", ""),
    "beige": ("green", ""),
    "black": ("yellow", "orange beige brown white"),
    "brick": ("wooden", "brown"),
    "stone": ("wooden", "brown"),
    "wooden": ("brick", "red orange brown"),
}

COUNTED = [
    "church",
    "crossroads",
    "T-junction",
    "zebra crossing",
    "fountain",
    "statue",
    "park",
    "bus stop",
    "school",
    "hotel",
    "bank",
    "pharmacy",
    "bakery",
    "roundabout",
    "square",
    "pond",
    "supermarket",
    "petrol station",
    "bookshop",
    "museum",
]

NEGATIONS = [
    (r"\bthere is (?:also )?an? ", "there is no "),
    (r"\bThere is (?:also )?an? ", "There is no "),
    (r"\bThere's an? ", "There's no "),
    (r"\bI have an? ", "I have no "),
    (r"\bI can see an? ", "I cannot see a "),
    (r"\bI see an? ", "I see no "),
    (r"\bone finds an? ", "one finds no "),
    (r"\bis an? ", "is no "),
    (r"\bare (two|three|several) ", "are no "),
    (r"\bstands\b", "does not stand"),
    (r", with an? ", ", without a "),
    (r"\b(lies|runs)\b", "never \\1"),
]


def alone_on_its_side(cue: Cue, evidence: Evidence) -> bool:
    """Whether nothing of its sort is, or may be, anywhere but on its side, the map's other facts included."""
    side = LEFT if cue.position in LEFT else RIGHT
    word = cue.category or cue.label
    for other in evidence.cues:
        if other.kind == "text" and cue.kind == "text":
            if other.text == cue.text and other.position not in side:
                return False
        elif (sort_of(other) == sort_of(cue) or word in (other.label, other.category)) and other.position not in side:
            return False
    heading = next((v.heading_deg for v in evidence.site.views if v.projection == "perspective"), None)
    if heading is None:
        return True
    for fact in evidence.site.facts:
        turn = (fact.bearing_deg - heading + 180) % 360 - 180
        if word in (fact.kind, fact.category) and not (turn < -20 if side is LEFT else turn > 20):
            return False
    return True


def swapped(text: str) -> str:
    return SIDED.sub(lambda m: "right" if m.group() == "left" else "left", text)


def swap_sides(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    known = {cue.cue_id: cue for cue in case.evidence.cues}
    for i in rng.permutation(len(case.sentences)).tolist():
        sentence = case.sentences[i]
        cited = [known[cue_id] for cue_id in sentence.cue_ids if cue_id in known]
        sided = [cue for cue in cited if cue.position in LEFT | RIGHT and (cue.distance_m or 99) > 6]
        if SIDED.search(sentence.text) and any(alone_on_its_side(cue, case.evidence) for cue in sided):
            return with_text(case, i, swapped(sentence.text))
    return None


def swap_all_sides(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    if swap_sides(case, rng) is None:
        return None
    return [sentence.model_copy(update={"text": swapped(sentence.text)}) for sentence in case.sentences]


def swap_front_and_back(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    known = {cue.cue_id: cue for cue in case.evidence.cues}
    for i in rng.permutation(len(case.sentences)).tolist():
        sentence = case.sentences[i]
        cited = [known[c] for c in sentence.cue_ids if c in known]
        found = [cue for cue in cited if cue.position is Position.BEHIND and (cue.distance_m or 0) > 6]
        lone = [cue for cue in found if sum(sort_of(cue) == sort_of(other) for other in case.evidence.cues) == 1]
        lone = [
            c
            for c in lone
            if sum((c.category or c.label) in (f.category, f.kind) for f in case.evidence.site.facts) <= 1
        ]
        text = re.sub(r"\b(behind (?:me|this spot)|at my back|(?:to|at) the rear)\b", "straight ahead", sentence.text)
        if lone and text != sentence.text:
            return with_text(case, i, text)
    return None


def turn_compass(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    known = {cue.cue_id: cue for cue in case.evidence.cues}

    def opposite(match: re.Match[str]) -> str:
        return POINTS[(POINTS.index(match.group()) + 4) % 8]

    for i in rng.permutation(len(case.sentences)).tolist():
        sentence = case.sentences[i]
        cited = [known[c] for c in sentence.cue_ids if c in known and known[c].bearing_deg is not None]
        lone = [
            c
            for c in cited
            if (c.distance_m or 0) > 8 and sum(sort_of(c) == sort_of(o) for o in case.evidence.cues) == 1
        ]
        lone = [
            c
            for c in lone
            if sum((c.category or c.label) in (f.category, f.kind) for f in case.evidence.site.facts) <= 1
        ]
        if lone and COMPASS.search(sentence.text):
            return with_text(case, i, COMPASS.sub(opposite, sentence.text))
    return None


def add_absent(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    options = [phrase for phrase, words in ABSENT if lacks(case.evidence, words)]
    if not options:
        return None
    thing, where = pick(rng, options), pick(rng, DIRECTIONS)
    return with_more(
        case,
        pick(
            rng, [f"There is {thing} {where}.", f"I can see {thing} {where}.", f"{where.capitalize()} stands {thing}."]
        ),
        rng,
    )


def slip_absent_in(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    """Into a sentence, in place of another thing."""
    options = [phrase for phrase, words in ABSENT if lacks(case.evidence, words)]
    for i in rng.permutation(long_of(case)).tolist():
        text = case.sentences[i].text
        match = re.search(
            r"\ban? (?:[a-z-]+ ){0,2}(?:building|house|hedge|tree|crossroads|crossing|shop|park|street|bakery|café)\b",
            text,
        )
        if match and options:
            return with_text(case, i, text[: match.start()] + pick(rng, options) + text[match.end() :])
    return None


def add_feature(group: str) -> Mutate:
    def mutate(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
        options = [phrase for phrase, words, of in FEATURES if of == group and lacks(case.evidence, words)]
        if not options:
            return None
        thing, where = pick(rng, options), pick(rng, DIRECTIONS)
        one = "run" if thing == "tram tracks" else "is"
        return with_more(
            case,
            pick(
                rng, [f"{where.capitalize()} {one} {thing}.", f"I'm standing near {thing}.", f"I have {thing} {where}."]
            ),
            rng,
        )

    return mutate


def change_junction(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    if not lacks(case.evidence, ["roundabout", "mini_roundabout"]):
        return None
    for i in rng.permutation(len(case.sentences)).tolist():
        text, count = re.subn(
            r"\b(?:crossroads|T-junction|junction with traffic lights|junction)\b",
            "roundabout",
            case.sentences[i].text,
            count=1,
        )
        if count:
            return with_text(case, i, text)
    return None


def stranger(case: Case, rng: np.random.Generator) -> str | None:
    """A name of another place that shares no word with this one's."""
    here = {word for text in texts_of(case) for word in re.findall(r"\w+", text.casefold())}
    for i in rng.permutation(len(case.others)).tolist():
        for text in texts_of(case.others[i]):
            words = re.findall(r"\w+", text.casefold())
            if (
                len(words) > 1
                and len(text) >= 5
                and here.isdisjoint(words)
                and not any(w[:5] in h for w in words for h in here)
            ):
                return text
    return None


def change_quote(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    for i in rng.permutation(len(case.sentences)).tolist():
        text = case.sentences[i].text
        match = re.search(r'"([^"]{3,})"', text)
        new = stranger(case, rng) if match else None
        if match and new:
            return with_text(case, i, text[: match.start(1)] + new + text[match.end(1) :])
    return None


def garble_quote(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    """Every second letter another."""
    for i in rng.permutation(len(case.sentences)).tolist():
        text = case.sentences[i].text
        match = re.search(r'"([^"]{5,})"', text)
        if match:
            letters = [c if n % 2 or not c.isalpha() else "XQZKVW"[n // 2 % 6] for n, c in enumerate(match[1])]
            return with_text(case, i, text[: match.start(1)] + "".join(letters) + text[match.end(1) :])
    return None


def change_name(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    names = [cue.text for cue in case.evidence.cues if cue.kind == "map" and cue.text]
    for i in rng.permutation(len(case.sentences)).tolist():
        text = case.sentences[i].text
        told = [name for name in names if f" {name}" in text and f'"{name}"' not in text]
        new = stranger(case, rng) if told else None
        if told and new:
            return with_text(case, i, text.replace(told[0], new))
    return None


def insert_place(options: Sequence[str]) -> Mutate:
    def mutate(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
        legible = " ".join(texts_of(case)).casefold()
        free = [place for place in options if place.casefold() not in legible]
        if not free:
            return None
        place = pick(rng, free)
        if rng.random() < 0.5:
            return into_sentence(case, rng, f"in {place}")
        return with_more(
            case, pick(rng, [f"This is {place}.", f"{place} is all around me.", f"I am in the middle of {place}."]), rng
        )

    return mutate


def tell_street(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    """The name that the map has for the street, where no sign shows it."""
    read = " ".join((cue.text or "") for cue in case.evidence.cues if cue.kind == "text").casefold()
    roads = [cue.text for cue in case.evidence.cues if cue.label == "road" and cue.text]
    shops = " ".join(
        (cue.text or "") for cue in case.evidence.cues if cue.kind == "map" and cue.label != "road"
    ).casefold()
    secret = [r for r in roads if not any(len(w) > 3 and w in read + shops for w in r.casefold().split())]
    if not secret:
        return None
    return into_sentence(case, rng, f"on {pick(rng, secret)}")


def insert_street(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    there = " ".join(texts_of(case)).casefold()
    options = [street for street in STREETS if street.casefold() not in there]
    return into_sentence(case, rng, f"along {pick(rng, options)}")


def negate(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    for i in rng.permutation(len(case.sentences)).tolist():
        for pattern, instead in NEGATIONS:
            text, count = re.subn(pattern, instead, case.sentences[i].text, count=1)
            if count:
                return with_text(case, i, text)
    return None


def change_look(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    """A look that nothing like it, thereabouts, has or may have."""
    known = {cue.cue_id: cue for cue in case.evidence.cues}
    for i in rng.permutation(len(case.sentences)).tolist():
        sentence = case.sentences[i]
        for cue in (known[c] for c in sentence.cue_ids if c in known and known[c].kind == "object"):
            new, near = FAR_LOOKS.get(cue.attribute or "", ("", ""))
            alike = [
                o
                for o in case.evidence.cues
                if o.kind == "object" and _alike(o.label, cue.label) and _may_be_there(o, cue)
            ]
            # One whose colour nobody told may well have the new one.
            sure = all(_family(o) == _family(cue) and o.attribute not in (new, *near.split()) for o in alike)
            if new and cue.attribute and f"{cue.attribute} " in sentence.text and sure:
                return with_text(case, i, re.sub(rf"\b{cue.attribute}\b", new, sentence.text))
    return None


def _family(cue: Cue) -> str:
    if cue.attribute in ("brick", "stone", "wooden"):
        return "material"
    return "colour" if cue.attribute in FAR_LOOKS else ""


def _may_be_there(one: Cue, other: Cue) -> bool:
    if one.position is None or other.position is None:
        return True
    gap = abs(RING.index(one.position) - RING.index(other.position))
    return min(gap, len(RING) - gap) <= 1


def _alike(one: str, other: str) -> bool:
    houses = {"building", "house", "apartment building", "office building", "shop", "school", "church"}
    return one == other or (one in houses and other in houses)


def lie_of_number(case: Case, rng: np.random.Generator) -> list[Sentence] | None:
    for i in rng.permutation(len(case.sentences)).tolist():
        for noun in rng.permutation(COUNTED).tolist():
            plural = {
                "church": "churches",
                "crossroads": "crossroads",
                "pharmacy": "pharmacies",
                "bakery": "bakeries",
            }.get(noun, noun + "s")
            text, count = re.subn(
                rf"\b(?:an?|another|two|three) {noun}\b|\b(?:two|three|several) {plural}\b",
                f"twelve {plural}",
                case.sentences[i].text,
                count=1,
            )
            if count:
                return with_text(case, i, text)
    return None
