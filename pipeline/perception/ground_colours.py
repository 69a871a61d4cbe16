"""The colour of ground: grey, pale or reddish, of what has no colour of paint."""

import numpy as np
from numpy.typing import NDArray

from pipeline.perception.masks import Bools, area, upper_share

GROUND_SHARE = 0.65
"""Least share of a mask that has the colour: of ground the whole is meant."""
FAR_PART, FAR_SHARE = 0.3, 0.5
"""So great a part of ground, its far end, has its colour by the second: most of the rest may be a car's dashboard."""
GREY, GREY_A, GREY_B = (24.0, 74.0), (-5.0, 2.5), (-15.0, 3.5)
"""Lightness, a* and b* of grey: bluer in the shade of a blue sky; sand has a higher b*, and red paving a higher a*."""
PALE, PALE_CHROMA = 70.0, 13.0
"""Least lightness of pale ground, whatever it is made of, and its most chroma. A road is grey near by and pale far off,
in the sun: it is called by what it is more of."""
REDDISH_A, REDDISH_HUE, REDDISH_LIGHTNESS = 7.0, (345.0, 58.0), 26.0
"""Least a* of reddish ground, which paving of brick is, its hue (that of lamplight is above), and least lightness."""

Floats = NDArray[np.float32]


def ground_colour(inner: Bools, lightness: Floats, a: Floats, b: Floats) -> tuple[str, float] | None:
    """`grey`, `pale` or `reddish`, and its share of the mask; None where none is sure.

    Args:
        inner: the mask without its rim, height x width.
        lightness: L* of the view's pixels, 0 to 100.
        a: a* of them.
        b: b* of them.
    """
    hue, size = np.degrees(np.arctan2(b, a)) % 360, max(1, area(inner))
    grey = (lightness >= GREY[0]) & (lightness <= GREY[1])
    grey &= (a >= GREY_A[0]) & (a <= GREY_A[1]) & (b >= GREY_B[0]) & (b <= GREY_B[1])
    pale = (lightness >= PALE) & (np.hypot(a, b) <= PALE_CHROMA)
    red = (a >= REDDISH_A) & ((hue >= REDDISH_HUE[0]) | (hue <= REDDISH_HUE[1])) & (lightness >= REDDISH_LIGHTNESS)
    kinds = {"reddish": red, "grey" if area(inner & grey) >= area(inner & pale) else "pale": grey | pale}
    share, value = max((area(inner & has) / size, value) for value, has in kinds.items())
    far = upper_share(inner, kinds[value], FAR_PART)
    return (value, share) if share >= GROUND_SHARE and far >= FAR_SHARE else None
