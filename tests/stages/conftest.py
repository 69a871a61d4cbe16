"""Pictures of the synthetic world are drawn once for all tests of stages."""

from tests.drawn_once import drawn_once

__all__ = ["drawn_once"]
