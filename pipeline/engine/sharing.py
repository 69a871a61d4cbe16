"""What worker processes of a build share: room at the model servers, and the units among them."""

from collections.abc import Sequence
from math import ceil
from typing import TypeVar

from pipeline.config.build import Build
from pipeline.config.captioning import Dialogue

T = TypeVar("T")


def with_shared_room(build: Build, processes: int) -> Build:
    """The build for each of some processes, which together send a model server no more than `at_once` requests."""
    if not isinstance(build.captioner, Dialogue):
        return build
    each = build.captioner.model_copy(update={"at_once": ceil(build.captioner.at_once / processes)})
    if each.verifier is not None:
        verifier = each.verifier.model_copy(update={"at_once": ceil(each.verifier.at_once / processes)})
        each = each.model_copy(update={"verifier": verifier})
    return build.model_copy(update={"captioner": each})


def dealt(elements: Sequence[T], hands: int) -> list[tuple[T, ...]]:
    """Elements dealt out like cards: one to each hand in turn."""
    return [tuple(elements[i::hands]) for i in range(hands)]
