"""Sources whose calls go through a boundary: what they raise is an error of ours, whoever calls."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pipeline.boundary import Boundary
from pipeline.config.sources import SourceKind
from schemas.reasons import Reason

S = TypeVar("S")

_CALLS = ("near", "read", "truth", "chip", "around", "probe")
_LISTS = ("candidates", "roads")
"""These give iterators, so the boundary is needed while they are iterated."""


def guard_source(kind: SourceKind, source: S) -> S:
    """The same source, with all its calls that meet data from outside guarded.

    The methods are replaced on the object, so that it stays an instance of its class and of the protocols that it
    implements.
    """
    name = getattr(source, "name", type(source).__name__)
    for method in (*_CALLS, *_LISTS):
        if hasattr(source, method):
            boundary = Boundary(f"{kind} source {name}: {method}", Reason.BAD_ANSWER)
            setattr(source, method, (_guarded_list if method in _LISTS else _guarded)(source, method, boundary))
    return source


def _guarded(source: object, method: str, boundary: Boundary) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        with boundary.guard():
            return getattr(type(source), method)(source, *args, **kwargs)

    return guarded


def _guarded_list(source: object, method: str, boundary: Boundary) -> Callable[..., Iterator[Any]]:
    def guarded(*args: Any, **kwargs: Any) -> Iterator[Any]:
        with boundary.guard():
            yield from getattr(type(source), method)(source, *args, **kwargs)

    return guarded
