"""Descriptions from cues alone: no model, nothing said that no cue says. The offline default.

Cues become facts (`facts`), those of one thing are merged (`merging`), one stands somewhere (`standpoint`), the rest is
put in an order (`arranging`) and into words (`telling`, `wording`), which come from a prompt set (`words`).
"""

from collections.abc import Iterator, Sequence

from pipeline.captioning.base import Description, Evidence, prompt_set_of
from pipeline.captioning.composer.document_planning import PLANS, select
from pipeline.captioning.composer.fusion import facts_of
from pipeline.captioning.composer.realisation import Told, tell, tell_short
from pipeline.captioning.composer.standpoint import Standpoint, standpoint_of
from pipeline.captioning.language.en.grammar import Choices
from pipeline.captioning.language.facts import Fact
from pipeline.captioning.language.words import Voice, load_words
from pipeline.captioning.tokens import count_clip_tokens
from pipeline.config import captioning as config
from pipeline.digest import digest
from pipeline.errors import SiteError
from schemas.reasons import Reason
from schemas.records import Claim, ClaimKind, Cue, Sentence, Shows, Variant

_AIM_TOKENS = (90, 170)
"""A long description is cut to a length drawn from this range; CVG-Text's have 126 tokens on average."""
_MOST_FACTS = (8, 13)
_FIRST_PERSON = 0.65
_SHORT_FACTS = 4
_REWORDINGS = 4


class Composer:
    """Writes descriptions by rule, each with choices keyed by the seed and the site."""

    name = "composer 1"
    model: str | None = None
    room: int | None = None

    def __init__(self, settings: config.Composer, seed: int) -> None:
        """Loads the words.

        Raises:
            ConfigError: there is no such prompt set, it is not a composer's, or its words are malformed.
        """
        prompt_set = prompt_set_of(settings.prompt_set, "composer")
        self.prompt_set = prompt_set.name
        self._digest = prompt_set.digest
        self._language = prompt_set.language
        self._words = load_words(prompt_set)
        self._settings = settings
        self._seed = seed

    def fingerprint(self) -> str:
        """Changes with the version, the prompt set's content, the limits and the seed."""
        return digest(self.name, self._digest, self._settings, self._seed)

    def describe(self, sites: Sequence[Evidence]) -> list[Description | SiteError]:
        """A description a site, or NO_CUES or TOO_LONG. What one site gets does not depend on the others."""
        return [self._answer(site) for site in sites]

    def _answer(self, site: Evidence) -> Description | SiteError:
        try:
            return self._describe(site)
        except SiteError as error:
            return error

    def _describe(self, site: Evidence) -> Description:
        site_id = site.site.site_id
        facts = facts_of(site.cues, site.site.region, self._words.nouns)
        standpoint, around = standpoint_of(facts, self._words.nouns)
        if standpoint is None and not around:
            raise SiteError(Reason.NO_CUES, f"none of {len(site.cues)} cues is lasting, legible and worth a word")
        long = _first_within(self._settings.long_tokens, self._long(site_id, standpoint, around))
        shorts = self._short(site_id, standpoint, around, unlike=_text(long))
        short = _first_within(self._settings.short_tokens, shorts)
        return Description(
            long=_text(long),
            short=_text(short),
            long_tokens=count_clip_tokens(_text(long)),
            short_tokens=count_clip_tokens(_text(short)),
            sentences=[
                *(_sentence("long", told, site.cues) for told in long),
                *(_sentence("short", told, site.cues) for told in short),
            ],
            language=self._language,
        )

    def _long(self, site_id: str, standpoint: Standpoint | None, around: Sequence[Fact]) -> Iterator[list[Told]]:
        """The description with fewer and fewer facts, from the length drawn for it down; last, single facts."""
        style = Choices(self._seed, site_id, "style")
        voice: Voice = "first" if style.share("voice") < _FIRST_PERSON else "neutral"
        plan = style.pick("plan", PLANS)
        aim = _between(_AIM_TOKENS, style.share("tokens"))
        chosen = select(around, _between(_MOST_FACTS, style.share("facts")))

        def told(standpoint: Standpoint | None, facts: Sequence[Fact]) -> list[Told]:
            return tell(self._words, Choices(self._seed, site_id, "long"), voice, plan, standpoint, facts)

        for count in range(len(chosen), 0, -1):
            candidate = told(standpoint, chosen[:count])
            if count_clip_tokens(_text(candidate)) <= aim:
                yield candidate
        if standpoint is not None:
            yield told(standpoint, [])
        yield from (told(None, [fact]) for fact in around)

    def _short(
        self, site_id: str, standpoint: Standpoint | None, around: Sequence[Fact], *, unlike: str
    ) -> Iterator[list[Told]]:
        """As `_long`; in other words than the text `unlike` begins with, where there are any."""
        chosen = select(around, _SHORT_FACTS)
        cases: list[tuple[Standpoint | None, Sequence[Fact]]] = [
            *((standpoint, chosen[:count]) for count in range(len(chosen), 0, -1)),
            *((standpoint, []) for _ in range(standpoint is not None)),
            *((None, [fact]) for fact in around),
        ]
        for held, facts in cases:
            for rewording in range(_REWORDINGS):
                choices = Choices(self._seed, site_id, "short", rewording)
                voice: Voice = "first" if choices.share("voice") < _FIRST_PERSON else "neutral"
                candidate = tell_short(self._words, choices, voice, held, facts)
                if not unlike.startswith(_text(candidate)) or rewording == _REWORDINGS - 1:
                    yield candidate
                    break


def _sentence(variant: Variant, told: Told, cues: Sequence[Cue]) -> Sentence:
    """A sentence as its one claim, which the cues that it was written from bear out."""
    rests_on = list(told.cue_ids)
    kinds = {cue.kind for cue in cues if cue.cue_id in told.cue_ids}
    kind: ClaimKind = "sign" if "text" in kinds else "thing" if "object" in kinds else "map"
    claim = Claim(text=told.text, kind=kind, cites=rests_on, outcome="supported", witnesses=rests_on)
    shows: Shows = "on_map" if kinds == {"map"} else "street_only"
    return Sentence(variant=variant, text=told.text, cue_ids=rests_on, claims=[claim], shows=shows)


def _first_within(limit: int, candidates: Iterator[list[Told]]) -> list[Told]:
    shortest: int | None = None
    for candidate in candidates:
        tokens = count_clip_tokens(_text(candidate))
        if tokens <= limit:
            return candidate
        shortest = tokens if shortest is None else min(shortest, tokens)
    raise SiteError(Reason.TOO_LONG, f"{shortest} tokens in the shortest wording, at most {limit} allowed")


def _text(sentences: Sequence[Told]) -> str:
    return " ".join(told.text for told in sentences)


def _between(bounds: tuple[int, int], share: float) -> int:
    low, high = bounds
    return low + int(share * (high - low + 1))
