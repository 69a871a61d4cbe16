"""Descriptions from cues alone: no model, nothing said that no cue says. The offline default.

Cues become facts (`facts`), those of one thing are merged (`fusion`), one stands somewhere (`standpoint`), the rest is
put in an order (`document_planning`) and into words (`realisation`, `language`), which come from a prompt set.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

from pipeline.captioning.base import Description, Evidence, prompt_set_of
from pipeline.captioning.composer.document_planning import PLANS, Plan, select
from pipeline.captioning.composer.fusion import facts_of
from pipeline.captioning.composer.legibility import cut_off, hidden, notices
from pipeline.captioning.composer.readings import Readings
from pipeline.captioning.composer.realisation import Told, tell, tell_short
from pipeline.captioning.composer.roads import with_driven_roads
from pipeline.captioning.composer.sight import in_sight, names_around, with_sure_directions
from pipeline.captioning.composer.standpoint import Standpoint, standpoint_of
from pipeline.captioning.language import language_of
from pipeline.captioning.language.choices import Choices
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.phrases import Voice
from pipeline.captioning.language.phrasing import Teller
from pipeline.captioning.language.words import load_words
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config import captioning as config
from pipeline.digest import digest
from pipeline.errors import SiteError
from pipeline.perception.vocabulary import vocabulary
from pipeline.quantity import quantity
from schemas.reasons import Reason
from schemas.records import Claim, ClaimKind, Cue, Sentence, Shows, Variant

_AIM_TOKENS = (90, 170)
"""A long description is cut to a length drawn from this range; CVG-Text's have 126 tokens on average."""
_MOST_FACTS = (8, 13)
_FIRST_PERSON = 0.65
_SHORT_FACTS = 4
_REWORDINGS = 8
_LEAST_WORDS = config.Grounding().min_words
"""Where little is told a wording of so many words is looked for: what the checks ask for by default."""


class Composer:
    """Writes descriptions by rule, each with choices keyed by the seed and the site."""

    name = "composer 7"
    model: str | None = None
    room: int | None = None

    def __init__(self, settings: config.Composer, seed: int) -> None:
        """Loads the words.

        Raises:
            ConfigError: there is no such prompt set, it is not a composer's, there are no rules for its language, or
                its words are malformed.
        """
        prompt_set = prompt_set_of(settings.prompt_set, "composer")
        self.prompt_set = prompt_set.name
        self._digest = prompt_set.digest
        self._language = language_of(prompt_set.language)
        self._words = load_words(prompt_set)
        self._settings = settings
        self._seed = seed

    def fingerprint(self) -> str:
        """Changes with the version, the language, the classes, the prompt set's content, the limits and the seed."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        classes = list(vocabulary().values())
        return digest(self.name, self._language.digest, classes, self._digest, self._settings, self._seed)

    def describe(self, sites: Sequence[Evidence]) -> list[Description | SiteError]:
        """A description a site, or NO_CUES, TOO_LITTLE_TO_SAY or TOO_LONG.

        What one site gets does not depend on the others.
        """
        return [self._answer(site) for site in sites]

    def _answer(self, site: Evidence) -> Description | SiteError:
        try:
            return self._describe(site)
        except SiteError as error:
            return error

    def _describe(self, site: Evidence) -> Description:
        site_id = site.site.site_id
        idle = notices(site.cues)
        facts = facts_of(
            with_driven_roads([cue for cue in with_sure_directions(site) if cue.cue_id not in idle]),
            Readings(names_around(site), cut_off(site.cues, site.site.views) | hidden(site.cues)),
            site.site.region,
            self._words.nouns,
            self._settings.min_confidence,
        )
        standpoint, around = standpoint_of(facts, self._words.nouns)
        visible = in_sight(site)
        around = [fact for fact in around if fact.seen or visible.issuperset(fact.cue_ids)]
        if standpoint is None and not around:
            raise SiteError(Reason.NO_CUES, f"none of {len(site.cues)} cues is lasting, legible and worth a word")
        seen = sum(fact.seen for fact in around) + (standpoint is not None and standpoint.seen)
        if seen < self._settings.min_seen:
            detail = f"{quantity(seen, 'thing')} to tell of that the photos show, {self._settings.min_seen} asked for"
            raise SiteError(Reason.TOO_LITTLE_TO_SAY, detail)
        long = _first_within(self._settings.long_tokens, self._long(site, standpoint, around))
        shorts = self._short(site, standpoint, around, unlike=_text(long))
        short = _first_within(self._settings.short_tokens, shorts)
        street = self._street(site_id, [fact for fact in around if fact.seen])
        return Description(
            long=_text(long),
            short=_text(short),
            long_tokens=count_clip_tokens(_text(long)),
            short_tokens=count_clip_tokens(_text(short)),
            sentences=[
                *(_sentence("long", told, site.cues) for told in long),
                *(_sentence("short", told, site.cues) for told in short),
                *(_sentence("street", told, site.cues) for told in street),
            ],
            street=_text(street) or None,
            street_tokens=count_clip_tokens(_text(street)) if street else 0,
            language=self._language.code,
        )

    def _long(self, site: Evidence, standpoint: Standpoint | None, around: Sequence[Fact]) -> Iterator[list[Told]]:
        """The description with fewer and fewer facts, from the length drawn for it down; last, single facts."""
        site_id = site.site.site_id
        style = Choices(self._seed, site_id, "style")
        voice: Voice = "first" if style.share("voice") < _FIRST_PERSON else "neutral"
        plan = style.pick("plan", PLANS)
        aim = _between(_AIM_TOKENS, style.share("tokens"))
        chosen = select(around, _between(_MOST_FACTS, style.share("facts")), "above", self._settings.max_map_share)

        def told(plan: Plan, standpoint: Standpoint | None, facts: Sequence[Fact], *rewording: int) -> list[Told]:
            return tell(self._teller(voice, site_id, "long", *rewording), plan, standpoint, facts)

        # With the standpoint in a sentence of its own too much may rest on the map; at the start it shares one.
        cases = [(plan, standpoint), (PLANS[0], standpoint), (plan, None)]
        for order, held in cases if standpoint is not None else cases[-1:]:
            for count in range(len(chosen), 0, -1):
                wordings = [told(order, held, chosen[:count])]
                if _words(wordings[0]) < _LEAST_WORDS:
                    wordings += [told(order, held, chosen[:count], i) for i in range(1, _REWORDINGS)]
                candidate = next((w for w in wordings if _words(w) >= _LEAST_WORDS), wordings[0])
                if count_clip_tokens(_text(candidate)) <= aim and self._is_of_photos(candidate, site.cues):
                    yield candidate
        if standpoint is not None and self._may_stand_alone(standpoint):
            yield told(plan, standpoint, [])
        yield from (told(plan, None, [fact]) for fact in around if fact.seen or self._settings.max_map_share == 1)

    def _may_stand_alone(self, standpoint: Standpoint) -> bool:
        return standpoint.seen or self._settings.max_map_share == 1

    def _is_of_photos(self, candidate: Sequence[Told], cues: Sequence[Cue]) -> bool:
        """Whether no more sentences rest on the map alone than the settings allow."""
        seen = {cue.cue_id for cue in cues if cue.kind != "map"}
        of_map = sum(seen.isdisjoint(told.cue_ids) for told in candidate)
        return of_map <= self._settings.max_map_share * len(candidate)

    def _street(self, site_id: str, seen: Sequence[Fact]) -> list[Told]:
        """The description of the photos alone, signs and shops before what shows from above; may be empty."""
        style = Choices(self._seed, site_id, "street style")
        voice: Voice = "first" if style.share("voice") < _FIRST_PERSON else "neutral"
        chosen = select(seen, _between(_MOST_FACTS, style.share("facts")), "street", 0.0)
        for count in range(len(chosen), 0, -1):
            told = tell(self._teller(voice, site_id, "street"), style.pick("plan", PLANS), None, chosen[:count])
            if count_clip_tokens(_text(told)) <= self._settings.long_tokens:
                return told
        return []

    def _short(
        self, site: Evidence, standpoint: Standpoint | None, around: Sequence[Fact], *, unlike: str
    ) -> Iterator[list[Told]]:
        """As `_long`; in other words than the text `unlike` begins with, where there are any."""
        site_id = site.site.site_id
        chosen = select(around, _SHORT_FACTS, "above", self._settings.max_map_share)
        from_map = self._settings.max_map_share == 1
        cases: list[tuple[Standpoint | None, Sequence[Fact]]] = [
            *((standpoint, chosen[:count]) for count in range(len(chosen), 0, -1)),
            *((one, []) for one in (standpoint,) if one is not None and self._may_stand_alone(one)),
            *((None, [fact]) for fact in around if fact.seen or from_map),
        ]
        for held, facts in cases:
            for rewording in range(_REWORDINGS):
                style = Choices(self._seed, site_id, "short", rewording)
                voice: Voice = "first" if style.share("voice") < _FIRST_PERSON else "neutral"
                candidate = tell_short(self._teller(voice, site_id, "short", rewording), held, facts)
                if not self._is_of_photos(candidate, site.cues):
                    break
                if not unlike.startswith(_text(candidate)) or rewording == _REWORDINGS - 1:
                    yield candidate
                    break

    def _teller(self, voice: Voice, *key: object) -> Teller:
        return self._language.grammar.Teller(self._words, Choices(self._seed, *key), voice)


def _sentence(variant: Variant, told: Told, cues: Sequence[Cue]) -> Sentence:
    """A sentence as its one claim, which the cues that it was written from bear out."""
    rests_on = list(told.cue_ids)
    kinds = {cue.kind for cue in cues if cue.cue_id in told.cue_ids}
    kind: ClaimKind = "sign" if "text" in kinds else "thing" if "object" in kinds else "map"
    claim = Claim(text=told.text, kind=kind, cites=rests_on, outcome="supported", witnesses=rests_on)
    above = {cue.from_above for cue in cues if cue.cue_id in told.cue_ids}
    shows: Shows = "from_above" if "aerial" in above else "on_map" if kinds == {"map"} else "street_only"
    return Sentence(variant=variant, text=told.text, cue_ids=rests_on, claims=[claim], shows=shows)


def _first_within(limit: int, candidates: Iterator[list[Told]]) -> list[Told]:
    shortest: int | None = None
    for candidate in candidates:
        tokens = count_clip_tokens(_text(candidate))
        if tokens <= limit:
            return candidate
        shortest = tokens if shortest is None else min(shortest, tokens)
    if shortest is None:
        raise SiteError(Reason.TOO_LITTLE_TO_SAY, "nothing that rests on more than the map")
    raise SiteError(Reason.TOO_LONG, f"{shortest} tokens in the shortest wording, at most {limit} allowed")


def _text(sentences: Sequence[Told]) -> str:
    return " ".join(told.text for told in sentences)


def _words(sentences: Sequence[Told]) -> int:
    return len(_text(sentences).split())


def _between(bounds: tuple[int, int], share: float) -> int:
    low, high = bounds
    return low + int(share * (high - low + 1))
