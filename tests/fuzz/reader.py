"""A way into the pipeline for bytes from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Reader:
    """A way in, with the inputs to try."""

    name: str
    inputs: st.SearchStrategy[Any]
    """Spoilt ones."""
    read: Callable[[Any], object]
    sound: Any
    """An input that nothing is wrong with."""
