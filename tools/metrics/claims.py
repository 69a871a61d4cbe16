"""How much of a description its evidence bears out, counted from the verdicts of `pipeline.captioning.grounding`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.captioning.grounding.grounding import LANGUAGES, judge
from pipeline.config.captioning import Grounding
from schemas.records import Cue, Verdict
from tools.metrics.described import Described

Family = Literal["quote", "object", "map", "direction"]
FAMILIES: tuple[Family, ...] = ("quote", "object", "map", "direction")
LEGIBLE_CONFIDENCE, LEGIBLE_SHARE = 0.8, 0.001
"""A sign that a description should quote: read so surely, and at least so large in its view (0.1% of the pixels, some
100 by 10 pixels in one of 1024 by 768)."""
_CHECKED = frozenset({"supported", "unsupported", "contradicted", "forbidden"})


@dataclass(frozen=True)
class Claims:
    """What the checks found in one long description."""

    checked: Counter[Family]
    """Claims of each family that could be checked."""
    supported: Counter[Family]
    signs: int
    """Lasting texts that are legible and large."""
    signs_told: int
    """Of them those that a quote or a name of the description rests on."""
    leaked: tuple[str, ...]
    """Names that give the place away and that nobody can read there."""
    faults: tuple[str, ...]
    """The claims that were not borne out, in words."""

    @property
    def groundedness(self) -> float | None:
        """Supported claims over those that could be checked, all families together; None if there was none."""
        total = self.checked.total()
        return self.supported.total() / total if total else None


def claims_of(sample: Described, policy: Grounding) -> Claims | None:
    """Judge a sample's long description by its cues; None in a language that cannot be judged."""
    if sample.language not in LANGUAGES:
        return None
    return counted(judge(sample.sentences, sample.evidence, policy, sample.language), sample.evidence.cues)


def counted(verdicts: Sequence[Verdict], cues: Sequence[Cue]) -> Claims:
    """Count verdicts. A quote is supported if it rests on a text that was read; a name of the map is not enough."""
    texts = {cue.cue_id for cue in cues if cue.kind == "text"}
    checked: Counter[Family] = Counter()
    supported: Counter[Family] = Counter()
    for verdict in verdicts:
        family = next((family for family in FAMILIES if family == verdict.check), None)
        if family is None or verdict.outcome not in _CHECKED:
            continue
        rests = family != "quote" or not verdict.cue_ids or not texts.isdisjoint(verdict.cue_ids)
        checked[family] += 1
        supported[family] += verdict.outcome == "supported" and rests
    told = _cited(v for v in verdicts if v.check in ("quote", "name") and v.outcome == "supported")
    signs = {cue.cue_id for cue in cues if _is_large_sign(cue)}
    return Claims(
        checked=checked,
        supported=supported,
        signs=len(signs),
        signs_told=len(signs & told),
        leaked=tuple(dict.fromkeys(v.claim for v in verdicts if v.check == "place" and v.outcome == "forbidden")),
        faults=tuple(
            dict.fromkeys(
                f"{v.check} {v.outcome}: {v.claim}" for v in verdicts if v.outcome in _CHECKED - {"supported"}
            )
        ),
    )


def _cited(verdicts: Iterable[Verdict]) -> set[str]:
    return {cue_id for verdict in verdicts for cue_id in verdict.cue_ids}


def _is_large_sign(cue: Cue) -> bool:
    large = (cue.area_share or 0.0) >= LEGIBLE_SHARE and cue.confidence >= LEGIBLE_CONFIDENCE
    return cue.kind == "text" and cue.lasting and large
