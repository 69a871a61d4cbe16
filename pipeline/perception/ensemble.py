"""All segmenters of a build as one: each looks at every view, what they saw is fused, and its colours are read."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property

from pipeline.digest import digest
from pipeline.perception.base import Segment, Segmenter, View
from pipeline.perception.colour_names import NAMED, colour_boxes
from pipeline.perception.fronts import doubted
from pipeline.perception.fusion import fused
from pipeline.perception.looks import ViewColours
from pipeline.perception.masks import area
from pipeline.perception.models.store import ModelInUse
from pipeline.perception.vocabulary import Term, vocabulary

VERSION = 7


class Ensemble:
    """Segments that say which engines saw them and what colour they are; see `fusion` and `looks`."""

    def __init__(self, engines: Sequence[Segmenter]) -> None:
        self._engines = tuple(engines)
        self.name = " + ".join(engine.name for engine in engines)
        self.models: tuple[ModelInUse, ...] = tuple(model for engine in engines for model in engine.models)
        self.words: Mapping[str, Term] = dict(vocabulary())
        for engine in reversed(self._engines):  # where two know a class the first says what it is
            self.words = {**self.words, **engine.words}

    def fingerprint(self) -> str:
        """Digest of the engines in their order, of how their results are fused, and of the classes and colours."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        engines = " + ".join(engine.fingerprint() for engine in self._engines)
        made = digest(list(self.words.values()), [asdict(box) for of in NAMED for box in colour_boxes(of)])
        return f"{engines} fused {VERSION} {made}"

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view, in the views' order; within a view the largest first."""
        found = [(engine.name, engine.segment(views)) for engine in self._engines]
        return [self._seen(view, [(name, each[i]) for name, each in found]) for i, view in enumerate(views)]

    def _seen(self, view: View, found: Sequence[tuple[str, Sequence[Segment]]]) -> list[Segment]:
        seen = [doubted(segment) for segment in fused(found, self.words)]
        colours = ViewColours(view.pixels, seen, self.words)
        coloured = [part for segment in seen for part in colours.coloured(segment)]
        return sorted(coloured, key=lambda segment: -area(segment.mask))
