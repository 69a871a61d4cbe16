"""Fuses what several engines saw in one view: agreement counts more, disagreement is kept and said.

Two engines of which one is right about a thing with probability p and the other with q agree with 1 - (1 - p)(1 - q).
Where they see things that exclude each other, p becomes p (1 - q) / (1 - pq), and q likewise (Shafer 1976, Dempster's
rule for simple support functions). The one that comes out weaker is kept, disputed, and no longer lasting: nobody tells
it. A larger mask of what passes contradicts nothing that lasts: it stands before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.perception.base import Segment
from pipeline.perception.masks import LEAST_SHARE, area
from pipeline.perception.vocabulary import EXCLUSIVE, Term

SAME_MASK = 0.5
"""Share of a mask that lies on masks of its group from another engine: then they see the same thing."""
SAME_BOX = 0.35
"""The same for a box, of which the thing fills a part."""
BORNE_OUT, WITH_GROUND = 0.4, 0.25
"""Share of a mask that another engine must see as its group, too, to be a witness of it; and the share from which it is
none if it sees ground there."""
SAME_BOXES = 0.5
"""Intersection over union of two engines' boxes of one thing."""
CONTRADICTED = 0.6
"""Share of a mask or box that lies on one mask of another group: then they contradict each other."""
RESOLVED_SHARE = 0.005
"""What covers less of a view may be too small for another engine to see: then its silence is no contradiction."""
LEFTOVER = 0.25
"""What is left of a mask after others took their things out of it is no thing below this share."""

Words = Mapping[str, Term]


def fused(found: Sequence[tuple[str, Sequence[Segment]]], words: Words) -> list[Segment]:
    """One list of what all engines saw, the largest first.

    Masks come from the first engine that saw the thing, cut to the box where a detector saw it too; a label comes from
    the surest. They do not overlap, but for what is disputed and for boxes: what a detector alone saw stays a box.

    Args:
        found: name and segments of each engine, in the order of the build file.
        words: the classes, for what excludes what.
    """
    dense: list[Segment] = []
    boxes: list[Segment] = []
    for name, segments in found:
        own = [replace(segment, seen_by=(name,)) for segment in segments]
        dense = _with_masks(dense, [segment for segment in own if not segment.box], words)
        boxes = _with_boxes(boxes, [segment for segment in own if segment.box], words)
    everything = _together(dense, sorted(boxes, key=lambda box: -box.confidence), words)
    return sorted(everything, key=lambda s: (-area(s.mask), -s.confidence, s.label))


def agreed(p: float, q: float) -> float:
    """Confidence in what two engines see."""
    return 1 - (1 - p) * (1 - q)


def contested(p: float, q: float) -> float:
    """Confidence in what one engine sees with p, where another sees with q what excludes it."""
    return p * (1 - q) / (1 - p * q) if p * q < 1 else 0.5


def _with_masks(known: list[Segment], new: Sequence[Segment], words: Words) -> list[Segment]:
    """Known masks, and those of a further engine."""
    if not known:
        return list(new)
    known, before = list(known), len(known)
    covered = np.logical_or.reduce([segment.mask for segment in known])
    borne_out = [_borne_out(segment, new, words) for segment in known]
    for segment in new:
        size = area(segment.mask)
        meets = [area(other.mask & segment.mask) for other in known]
        kin = [i for i, other in enumerate(known) if meets[i] and _kin(other, segment, words)]
        if sum(meets[i] for i in kin) >= SAME_MASK * size:
            for i in kin:
                if borne_out[i] and meets[i] >= SAME_MASK * min(size, area(known[i].mask)):
                    known[i] = _agreement(known[i], segment)
            continue
        rival = _rival(segment, known, meets, words)
        if rival is not None:
            known[rival], contradicted = _dispute(known[rival], segment, meets[rival], words)
            known.append(contradicted)
            continue
        rest = segment.mask & ~covered
        if area(rest) >= max(SAME_MASK * size, LEAST_SHARE * rest.size):
            known.append(replace(segment, mask=rest))
    return [*(_contradicted(segment, new, words) for segment in known[:before]), *known[before:]]


def _borne_out(segment: Segment, new: Sequence[Segment], words: Words) -> bool:
    """Whether a further engine is a witness of a thing: sees so much of it, and no ground in it.

    Of a wall with a gate the gate alone may be a building's. Of ground any part is a witness: it is a stretch.
    """
    if words[segment.label].group == "ground":
        return True

    def share(others: Iterable[Segment]) -> float:
        masks = [other.mask & segment.mask for other in others]
        return area(np.logical_or.reduce(masks)) / area(segment.mask) if masks else 0.0

    ground = share(other for other in new if words[other.label].group == "ground")
    return ground < WITH_GROUND and share(other for other in new if _kin(segment, other, words)) >= BORNE_OUT


def _contradicted(segment: Segment, new: Sequence[Segment], words: Words) -> Segment:
    """A known mask as a further engine leaves it, whose larger masks may say that something else lasts there."""
    group = words[segment.label].group
    size = area(segment.mask)
    if group not in EXCLUSIVE or not segment.lasting or size < RESOLVED_SHARE * segment.mask.size:
        return segment
    others = [o for o in new if o.lasting and words[o.label].group in EXCLUSIVE - {group}]
    meets = np.array([area(other.mask & segment.mask) for other in others], float)
    if segment.disputed or meets.sum() < CONTRADICTED * size:
        return segment
    rival = float(np.average([other.confidence for other in others], weights=meets))
    return _disputed(segment, contested(segment.confidence, rival), words, weaker=segment.confidence <= rival)


def _with_boxes(known: list[Segment], new: Sequence[Segment], words: Words) -> list[Segment]:
    """Known boxes, and those of a further detector."""
    known = list(known)
    before = len(known)
    for box in new:
        for i, other in enumerate(known[:before]):
            union = area(other.mask | box.mask)
            if _kin(other, box, words) and area(other.mask & box.mask) >= SAME_BOXES * union:
                known[i] = _agreement(other, box)
                break
        else:
            known.append(box)
    return known


def _together(dense: Sequence[Segment], boxes: Sequence[Segment], words: Words) -> list[Segment]:
    """Masks and boxes: a box takes its thing out of the masks, or stays a box, or is disputed."""
    left = list(dense)
    placed: list[Segment] = []
    for box in boxes:
        size = area(box.mask)
        meets = [area(other.mask & box.mask) for other in dense]
        kin = [i for i, other in enumerate(dense) if meets[i] and _kin(other, box, words)]
        if sum(meets[i] for i in kin) >= SAME_BOX * size:
            shown = np.logical_or.reduce([left[i].mask for i in kin]) & box.mask  # what no surer box has taken
            surest = max((dense[i] for i in kin), key=lambda segment: segment.confidence)
            placed.append(_agreement(replace(box, mask=shown, box=False), surest))
            for i in kin:
                left[i] = replace(left[i], mask=left[i].mask & ~shown)
            continue
        rival = _rival(box, left, meets, words)
        if rival is None:
            placed.append(box)
        else:
            left[rival], contradicted = _dispute(left[rival], box, meets[rival], words)
            placed.append(contradicted)
    rest = [
        segment
        for segment, before in zip(left, dense, strict=True)
        if area(segment.mask) >= LEFTOVER * area(before.mask)
    ]
    return [segment for segment in (*rest, *placed) if area(segment.mask) >= LEAST_SHARE * segment.mask.size]


def _kin(a: Segment, b: Segment, words: Words) -> bool:
    return words[a.label].group == words[b.label].group and not (a.disputed or b.disputed)


def _rival(segment: Segment, others: Sequence[Segment], meets: Iterable[int], words: Words) -> int | None:
    """Which other mask says that there is something else where a segment is, if any does."""
    size = area(segment.mask)
    group = words[segment.label].group
    if group not in EXCLUSIVE or size < RESOLVED_SHARE * segment.mask.size:
        return None
    found = [
        (meet, i)
        for i, (other, meet) in enumerate(zip(others, meets, strict=True))
        if meet >= CONTRADICTED * size and words[other.label].group in EXCLUSIVE - {group} and not other.disputed
    ]
    return max(found)[1] if found else None


def _agreement(a: Segment, b: Segment) -> Segment:
    """The first segment, which the engines of the second saw too; called as the surer one calls it."""
    surer = a if a.confidence >= b.confidence else b
    return replace(
        a,
        label=surer.label,
        attribute=a.attribute or b.attribute,
        lasting=surer.lasting,
        confidence=round(agreed(a.confidence, b.confidence), 4),
        seen_by=tuple(dict.fromkeys((*a.seen_by, *b.seen_by))),
        distance_m=a.distance_m if a.distance_m is not None else b.distance_m,
    )


def _dispute(a: Segment, b: Segment, meet: int, words: Words) -> tuple[Segment, Segment]:
    """Both, with what is left of their confidence; a segment of which the other touches a part keeps its own."""
    p, q = contested(a.confidence, b.confidence), contested(b.confidence, a.confidence)
    return (
        _disputed(a, p, words, weaker=p <= q) if meet >= SAME_MASK * area(a.mask) else a,
        _disputed(b, q, words, weaker=q <= p) if meet >= SAME_MASK * area(b.mask) else b,
    )


def _disputed(segment: Segment, confidence: float, words: Words, *, weaker: bool) -> Segment:
    lasting = words[segment.label].lasting and not weaker
    return replace(segment, confidence=round(confidence, 4), disputed=True, lasting=lasting)
