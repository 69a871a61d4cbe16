"""Chooses what a dialogue shows the model: everything, or fewer views and then fewer cues where that is too long."""

from collections.abc import Sequence

from pipeline.captioning.dialogue.pictures import Picture
from schemas.records import Cue


def loads(pictures: Sequence[Picture], cues: Sequence[Cue]) -> list[tuple[list[Picture], list[Cue]]]:
    """The loads to try, from everything down to the main view, the chips and a quarter of the cues."""
    views = [picture for picture in pictures if picture.kind == "street"]
    chips = [picture for picture in pictures if picture.kind != "street"]
    loads = [([*views[:most], *chips], list(cues)) for most in range(len(views), 1, -1)]
    return loads + [([*views[:1], *chips], _first_of_each_kind(cues, share)) for share in (1.0, 0.5, 0.25)]


def _first_of_each_kind(cues: Sequence[Cue], share: float) -> list[Cue]:
    """The first of the texts, of the objects and of what is on the map: cues come by falling weight."""
    kept: list[Cue] = []
    for kind in ("text", "object", "map"):
        alike = [cue for cue in cues if cue.kind == kind]
        kept += alike[: max(1, round(len(alike) * share))]
    return kept
