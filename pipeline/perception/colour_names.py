"""Names of colours: boxes in CIELAB, from `colours.yaml`."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.perception.masks import Bools

Named = Literal["pixels", "parts"]
NAMED: tuple[Named, ...] = get_args(Named)
"""What has names: single pixels, and the medians of the parts of a building's front."""


@dataclass(frozen=True)
class ColourBox:
    """Part of CIELAB that has a name; each range with its ends."""

    name: str
    lightness: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[float, float]

    def holds(self, lightness: NDArray[np.float32], chroma: NDArray[np.float32], hue: NDArray[np.float32]) -> Bools:
        """Which pixels lie in it; hue in degrees, 0 to 360."""
        low, high = self.hue
        between = (hue >= low) & (hue <= high) if low <= high else (hue >= low) | (hue <= high)
        bright = (lightness >= self.lightness[0]) & (lightness <= self.lightness[1])
        return np.asarray(bright & (chroma >= self.chroma[0]) & (chroma <= self.chroma[1]) & between, bool)


@cache
def colour_boxes(of: Named = "pixels") -> tuple[ColourBox, ...]:
    """All boxes of one of `NAMED`; a name may have several."""
    raw = yaml.safe_load((files(__package__) / "colours.yaml").read_text(encoding="utf-8"))
    return tuple(
        ColourBox(name, tuple(box["lightness"]), tuple(box["chroma"]), tuple(box.get("hue", (0, 360))))
        for name, boxes in raw[of].items()
        for box in boxes
    )
