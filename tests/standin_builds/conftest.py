"""Pictures that the stand-in gives out are drawn once for all tests of builds against it."""

from tests.drawn_once import drawn_once

__all__ = ["drawn_once"]
