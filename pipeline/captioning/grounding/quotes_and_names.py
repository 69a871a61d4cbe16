"""Checks `quote`, `name` and `place`: what is said to be written or called so, and what must not be named."""

import re
from collections.abc import Iterable, Sequence

from pipeline.captioning.evidence import Item, Known
from pipeline.captioning.grounding.finding import Finding, finding
from pipeline.captioning.grounding.names import Name, is_place, is_street, region_words, spelled_out
from pipeline.captioning.grounding.objects import placed
from pipeline.captioning.language.en.english import English
from pipeline.captioning.language.en.kinds import Kinds
from pipeline.captioning.language.en.sentence_parser import Quote
from pipeline.captioning.language.en.where import Place
from pipeline.captioning.likeness import covered, folded, likeness
from pipeline.config.captioning import Grounding

_STREETS = frozenset({"road", "square", "junction", "stop", "crossing", "rail"})
"""Kinds of map facts whose names are those of streets, or of places called after them."""
_SURE = 0.9


def judge_quote(quote: Quote, evidence: Known, policy: Grounding, kinds: Kinds, english: English) -> list[Finding]:
    """A quote rests on a sign that was read; on a name of the map only where it is not said to be written."""
    claim = f'"{quote.text}"'
    signs = [item for item in evidence.lasting if item.source == "text"]
    read = alike(quote.text, signs, policy.text_likeness, kinds)
    if not read:
        read = _several(quote.text, signs, policy.text_likeness)
    if read:
        return [finding("quote", claim, "supported", read), *placed(claim, quote.places, read, ())]
    passing = alike(
        quote.text, [i for i in evidence.items if i.source == "text" and not i.lasting], policy.text_likeness, kinds
    )
    if passing:
        return [finding("quote", claim, "forbidden", passing)]
    if english.meaning.search(quote.before):
        return [finding("quote", claim, "unknown")]
    if english.reading.search(quote.before):
        return [
            finding("quote", claim, "unsupported", alike(quote.text, evidence.lasting, policy.text_likeness, kinds))
        ]
    return _judge_name("quote", quote.text, quote.places, evidence, policy, kinds, english)


def judge_name(name: Name, evidence: Known, policy: Grounding, kinds: Kinds, english: English) -> list[Finding]:
    """A name rests on a sign, or on the map as far as the policy allows it."""
    after = re.findall(r"\w+", name.after.casefold())[:1]
    script = english.raw.scripts.get(name.text.casefold())
    written = name.before.casefold().endswith(" in ") or bool(after and after[0] in english.raw.script_words)
    if script is not None and written:
        return [finding("quote", name.text, "supported" if script & evidence.scripts else "unsupported")]
    if name.text in english.raw.demonyms:
        if after and after[0] in english.raw.cuisine_heads:
            return []
        legible = alike(name.text, _signs(evidence), _SURE, kinds)
        return [finding("place", name.text, "supported" if legible else "forbidden", legible)]
    return _judge_name("name", name.text, name.places, evidence, policy, kinds, english)


def _judge_name(
    check: str, text: str, places: Sequence[Place], evidence: Known, policy: Grounding, kinds: Kinds, english: English
) -> list[Finding]:
    signs = _signs(evidence)
    legible = alike(text, signs, policy.text_likeness, kinds) or _several(text, signs, policy.text_likeness)
    mapped = alike(text, [item for item in evidence.lasting if item.source == "map"], policy.text_likeness, kinds)
    if legible:
        both = [*legible, *mapped]
        return [finding(check, text, "supported", both), *placed(text, places, both, ())]
    near = [
        item
        for item in mapped
        if item.group not in _STREETS and (item.distance_m or 0.0) <= policy.names_within_m and policy.names == "mapped"
    ]
    streets = [item for item in mapped if item.group in _STREETS]
    region = region_words(evidence.region, kinds, english)
    town = is_place(text.split()) or not region.isdisjoint(folded(text).split())
    if town:
        near = [item for item in near if folded(text) in item.words]  # a town is no part of a shop's name
        mapped = [item for item in mapped if item in near]
    if near and not (streets and is_street(text, english)):
        return [finding(check, text, "supported", near), *placed(text, places, near, ())]
    if mapped:
        return [finding("place" if streets else check, text, "forbidden", mapped)]
    return [
        finding("place", text, "forbidden") if town or is_street(text, english) else finding(check, text, "unsupported")
    ]


def alike(text: str, items: Iterable[Item], least: float, kinds: Kinds) -> list[Item]:
    """The things whose words are those of a text, the most alike first."""
    claimed = folded(text)
    full = spelled_out(claimed, kinds.short_forms)
    scored = []
    for item in items:
        if not item.words:
            continue
        readings = [(claimed, words) for words in item.words]
        readings += [(full, spelled_out(words, kinds.short_forms)) for words in item.words]
        best = max(likeness(one, other) for one, other in readings)
        if best >= least:
            scored.append((best, item))
    return [item for _, item in sorted(scored, key=lambda pair: -pair[0])]


def _several(text: str, signs: Sequence[Item], least: float) -> list[Item]:
    """The signs of one view that together bear a text, and nothing else: one sign is often read as several lines."""
    claimed = folded(text)
    for view in dict.fromkeys(item.view_id for item in signs):
        mine = [i for i in signs if i.view_id == view and any(covered(words, [claimed]) >= least for words in i.words)]
        if len(mine) > 1 and covered(claimed, [words for item in mine for words in item.words]) >= max(least, _SURE):
            return mine
    return []


def _signs(evidence: Known) -> list[Item]:
    return [item for item in evidence.lasting if item.source == "text"]
