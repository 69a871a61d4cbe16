"""Made-up sites, cues and what must hold of any description, for the tests of the composer."""

import re

import pytest

from pipeline.captioning.base import Description, Evidence
from pipeline.captioning.composer.composer import Composer
from pipeline.captioning.composer.facts import nameable, quotable
from pipeline.captioning.language import LANGUAGES, language_of
from pipeline.captioning.language.phrasing import rounded_metres
from pipeline.captioning.language.quotes import masked_quotations, quotations
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config import captioning as config
from schemas.records import Cue, Sentence
from tests.captioning.conftest import cue, evidence
from tests.captioning.language.cases import cases

__all__ = ["cue"]

ANY = config.Composer(min_seen=0, max_map_share=1)
"""A site may be told from one cue, wherever it is from: what a rule does shows best alone."""
COMPOSER = Composer(ANY, seed=0)
COMPOSERS = {code: Composer(ANY.model_copy(update={"prompt_set": f"composer-{code}-1"}), seed=0) for code in LANGUAGES}
languages = pytest.mark.parametrize("code", LANGUAGES)


def describe(evidence: Evidence, composer: Composer = COMPOSER) -> Description:
    answer = composer.describe([evidence])[0]
    assert isinstance(answer, Description), answer
    return answer


def site(cues: list[Cue], site_id: str = "s1", region: str = "somewhere") -> Evidence:
    return evidence(site_id, cues, region)


def bare(sentence: Sentence, cues: dict[str, Cue]) -> str:
    """The sentence in lower case without quoted words and names, which may hold any words."""
    text = masked_quotations(sentence.text)
    for cue_id in sentence.cue_ids:
        for name in (cues[cue_id].text, cues[cue_id].text_en):
            if shown := nameable(name):
                text = re.sub(re.escape(shown), "", text, flags=re.IGNORECASE)
    return text.lower()


def check(evidence: Evidence, description: Description, code: str = "en") -> None:
    """Everything that must hold of any description."""
    cues = {cue.cue_id: cue for cue in evidence.cues}
    for variant, text, tokens in (
        ("long", description.long, description.long_tokens),
        ("short", description.short, description.short_tokens),
    ):
        assert text == " ".join(s.text for s in description.sentences if s.variant == variant)
        assert tokens == count_clip_tokens(text)
        assert text == " ".join(text.split())
    assert description.long_tokens <= 300
    assert description.short_tokens <= 77
    for sentence in description.sentences:
        assert sentence.cue_ids
        assert len(set(sentence.cue_ids)) == len(sentence.cue_ids)
        assert all(cues[cue_id].lasting for cue_id in sentence.cue_ids)
        assert sentence.text.endswith(".")
        assert not re.search(r"[{}+\[\]]| [.,;]|\.\.", masked_quotations(sentence.text)), sentence.text
        quotable_here = {quotable(cues[cue_id].text) for cue_id in sentence.cue_ids}
        assert set(quotations(sentence.text)) <= quotable_here
        words = bare(sentence, cues)
        assert {fault.check for fault in language_of(code).faults(words)} <= {"length"}, words
        check_directions(words, [cues[cue_id] for cue_id in sentence.cue_ids], code)
        told = {int(number) for number in re.findall(r"(\d+) m(?:etres|eter)?\b", words)}
        assert told <= {rounded_metres(c.distance_m) for i in sentence.cue_ids if (c := cues[i]).distance_m is not None}


def check_directions(words: str, rests_on: list[Cue], code: str) -> None:
    rest, of = words, cases(code)
    for pattern, position in of.told_directions.items():
        rest, times = re.subn(pattern, "", rest)
        assert not times or position in {cue.position for cue in rests_on}, words
    octants = {
        of.compass[round(c.bearing_deg / 45) % 8] for c in rests_on if c.bearing_deg is not None and not c.position
    }
    points = "|".join(sorted(of.compass, key=len, reverse=True))
    assert set(re.findall(rf"\b(?:{points})\b", words)) <= octants, words
