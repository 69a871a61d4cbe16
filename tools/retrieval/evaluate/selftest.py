"""Self-test of the evaluation on embeddings whose figures are known.

Constant embeddings once scored 100 % elsewhere, because ties were counted in the right answer's favour.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tools.retrieval.embeddings import Embeddings, embeddings
from tools.retrieval.evaluate.figures import Measured
from tools.retrieval.evaluate.protocol import Gallery, evaluate

_WIDTH = 64


@dataclass(frozen=True)
class Trial:
    """Result for one kind of embeddings."""

    name: str
    measured: Measured
    sound: bool
    wanted: str


def self_test(gallery: Gallery, seed: int = 0) -> list[Trial]:
    """Evaluate constant, random, permuted and perfect embeddings; overlapping chips count as wrong."""
    random = np.random.Generator(np.random.Philox(key=seed))
    ids = gallery.ids
    drawn = random.standard_normal((len(ids), _WIDTH)).astype(np.float32)
    other = random.standard_normal((len(ids), _WIDTH)).astype(np.float32)
    chips = embeddings(ids, drawn, "self-test")
    plain = replace(gallery, strata={}, thin=np.ones(len(ids), np.bool_))
    constant = embeddings(ids, np.ones((len(ids), _WIDTH), np.float32), "self-test")
    middle = (len(ids) + 1) / 2

    def at_chance(found: Measured) -> bool:
        # Four standard deviations of a share of independent queries.
        spread = 4 * np.sqrt(found["R@10"].chance * (1 - found["R@10"].chance) / found.queries)
        return bool(abs(found["R@10"].value - found["R@10"].chance) <= spread + 1e-9)

    kinds: list[tuple[str, Embeddings, Embeddings, Callable[[Measured], bool], str]] = [
        ("constant", constant, constant, lambda m: m["median rank"].value == middle, f"every rank {middle:g}"),
        ("random", embeddings(ids, other, "self-test"), chips, at_chance, "R@10 at chance"),
        ("permuted", _shifted(chips), chips, lambda m: m["R@1"].value == 0, "R@1 0 %"),
        ("perfect", chips, chips, lambda m: m["R@1"].value == 1, "R@1 100 %"),
    ]
    trials = []
    for name, queries, shown, sound, wanted in kinds:
        measured = evaluate(queries, shown, plain)[0]
        trials.append(Trial(name, measured, bool(sound(measured)), wanted))
    return trials


def _shifted(chips: Embeddings) -> Embeddings:
    """Assign each vector to the next id."""
    return Embeddings(chips.ids, np.roll(chips.vectors, 1, axis=0))
