"""The colours of a view's things, from their masks' pixels, where they are sure.

A pixel has a name if it lies in a box of `colours.yaml`. A thing has that of most of its named pixels, if those are
many and no other name comes near; in a row of houses each stretch that has one becomes a building of its own. What has
none may be grey or pale, by stricter rules, and ground reddish. Nothing is said at night, of a blurred view, under
light of a strong tint, of small things, and of what nobody describes by its colour. So many things have none: what is
said is meant to be true, not complete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment
from pipeline.perception.clearness import is_clear
from pipeline.perception.colour_names import colour_boxes
from pipeline.perception.front_colours import front_colours
from pipeline.perception.fronts import WALL, is_front
from pipeline.perception.ground_colours import GROUND_SHARE, ground_colour
from pipeline.perception.markings import markings
from pipeline.perception.masks import SIDE_SHARE, Bools, area
from pipeline.perception.plausible import MADE
from pipeline.perception.vocabulary import Term
from schemas.records import Look

LONG_SIDE_PX = 512
"""Pixels are averaged down to this: single ones are noise."""
LEAST_SHARE = 0.003
"""Minimum share of the view: smaller things have no colour."""
LEAST_CONFIDENCE, LEAST_BUILDING_CONFIDENCE = 0.6, 0.8
"""Minimum confidence of an object whose pixels are used. What is wrongly taken for a building (sky between branches, a
car's mirror, the inside of a shop) is often of one colour."""
WHOLE_SHARE = 0.45
"""Least share of a mask that has the name."""
FACADE_SHARE = 0.22
"""The same for each column of a building: there are windows, a roof and shade."""
LAMPLIT_SHARE = 0.1
"""Least share of the upper third of what has a colour that lamps give."""
DARK, LIT = 26.0, 0.4
"""Windows and deep shade are darker, and count for no colour where so much of a column is lighter."""
FACADE_WIDTH, FACADE_AREA = 0.08, 0.015
"""Minimum shares of the view: a narrower or smaller stretch of one colour is no facade."""
NARROW = 2.7
"""A stretch of brick that is so many times as high as wide, and a piece of something wider, is a door or a pier.
Without openings each such stretch is one, and each piece."""
BLURRED, GAP = 0.05, 0.03
"""Shares of the view's width: columns are averaged over the first, and a gap of the second does not split a facade."""
MIRRORED_LIGHTNESS, MIRRORED_CHROMA = 48.0, 28.0
"""Least lightness and chroma of blue that is no building's colour: glass mirrors the sky."""
PLANT_HUE = 140.0
"""Greatest hue of green that is none either: plants before it, or taken for it."""
REST = 0.5
"""What is beside the facades of a mask is a building too if it has this share of the mask; else it goes with them."""
BEFORE_NEXT = 2.0
"""The name's share is at least so many times that of the next."""
TINT = 16.0
"""Chroma of the median of what else is seen, but for the sky: above, it is the light that has the colour."""
GREENISH = -5.0
"""Median a* of made ground from which the camera gives it a cast towards green: paving is grey or reddish."""
NEUTRAL_SHARE, NEUTRAL_LIGHTNESS, NEUTRAL_CHROMA = 0.05, 35.0, 9.0
"""Share of a view, but for its sky, from which it has grey and white things, so that the light has no colour: what is
seen besides is of one, as paving of brick is. Their least lightness and most chroma."""
ELSE = 0.05
"""Least share of the view for that; of a smaller one nothing can be said, and the whole view stands for it."""
INDOORS = 40.0
"""Median lightness of a view without sky below which lamps light what is seen."""
GREY_LIGHTNESS, GREY_CHROMA, GREY_B = (40.0, 74.0), 7.0, (-2.5, 2.5)
"""Grey of a building, in CIELAB: white in the shade of a blue sky has a lower b*, beige there a higher one."""
GREY_SHARE, PAINTED_WHITE = 0.4, 0.08
"""Least share of a building that is grey, and the share of white from which its grey may be white in the shade."""
BUILDING_PALE, BUILDING_CHROMA, BUILDING_SHARE = 62.0, 16.0, 0.5
"""The same of a pale building, and the least share of what is lit of it: there are windows and a roof."""
_COLOURED = frozenset({"building", "ground", "barrier", "sign", "awning", "door", "bridge", "roof"})
"""Groups and labels that are described by their colour."""
_MASONRY = frozenset({"brick-red"})
"""A stretch of brick that the border of the view cuts, or that has no openings, is a wall: a house's or a garden's."""
_CLOTH = frozenset({"red", "orange", "yellow", "green", "blue", "purple", "pink"})
"""Colours that a mask of buildings without openings has not of itself: an awning, a parasol or a hoarding is in it."""
LARGE_CLOTH = 0.15
"""Share of such a mask from which a part of one of these colours is told."""
_CAST = frozenset({"green", "blue"})
"""Colours that a cast towards green gives to what has none: to white paint in the shade, to glass, to roofs."""
_LAMPLIGHT = frozenset({"yellow", "orange", "beige"})
"""Colours that lamps give to a white wall at dusk."""
_PALE = frozenset({"white", "beige"})
"""Colours of paint; ground is pale in the sun, whatever it is made of."""

Floats = NDArray[np.float64]


class ViewColours:
    """The colours of one view's things."""

    def __init__(self, pixels: Pixels, segments: Sequence[Segment], words: Mapping[str, Term]) -> None:
        """Names the pixels; the segments say whether there is a sky, and a dark one."""
        self._words, self._segments = words, segments
        scale = min(1.0, LONG_SIDE_PX / max(pixels.shape))
        self._size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        small = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        lightness, a, b = np.moveaxis(lab, -1, 0)
        chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
        self.names = list(dict.fromkeys(box.name for box in colour_boxes()))
        self.named = np.full(lightness.shape, -1, np.int8)
        """Which name each pixel has; -1 for none."""
        for box in colour_boxes():
            self.named[box.holds(lightness, chroma, hue)] = self.names.index(box.name)
        self._lightness, self._a, self._b = lightness, a, b
        self._grey = (lightness >= GREY_LIGHTNESS[0]) & (lightness <= GREY_LIGHTNESS[1]) & (chroma <= GREY_CHROMA)
        self._grey &= (b >= GREY_B[0]) & (b <= GREY_B[1])
        blue, green = (self.named == self.names.index(name) for name in ("blue", "green"))
        self._no_wall = blue & (lightness >= MIRRORED_LIGHTNESS) & (chroma >= MIRRORED_CHROMA)
        self._no_wall |= green & (hue < PLANT_HUE)
        """Pixels whose colour is not that of the building they lie on."""
        self._doubtful = _CAST if self._greenish() else frozenset()
        self.named[np.isin(self.named, [self.names.index(name) for name in self._doubtful])] = -1
        skies = [self._small(segment.mask) for segment in segments if segment.label == "sky"]
        self._sky = np.logical_or.reduce(skies) if skies else np.zeros(a.shape, bool)
        neutral = ~self._sky & (lightness >= NEUTRAL_LIGHTNESS) & (chroma <= NEUTRAL_CHROMA)
        self._neutral = area(neutral) / max(1, area(~self._sky))
        self._lit = is_clear(pixels, segments) and (bool(skies) or float(np.median(lightness)) >= INDOORS)
        """Whether there is light enough to tell colours."""

    def coloured(self, segment: Segment) -> list[Segment]:
        """The segment with its colour, if it has a sure one; a mask of buildings in parts, where facades differ."""
        group = self._words[segment.label].group
        least = LEAST_BUILDING_CONFIDENCE if group == "building" else LEAST_CONFIDENCE
        if (
            not self._lit
            or segment.box
            or not {group, segment.label} & _COLOURED
            or segment.confidence < least
            or area(segment.mask) < LEAST_SHARE * segment.mask.size
            or self._tinted(segment.mask)
        ):
            return [segment]
        if group == "building":
            parts = self._facades(segment)
            if not any(part.attribute == "white" for part in parts):
                parts = [part if part.looks else self._perhaps_plain(part) for part in parts]
            return [self._with_parts(part) for part in parts]
        if group == "ground":
            segment = _with(segment, *markings(self._small(segment.mask), self._lightness, self._a, self._b))
        inner = self._inner(segment.mask)
        shares = self._shares(segment.mask).sum(axis=1) / max(1, area(inner))
        name, confidence = self._surest(shares[:, None], GROUND_SHARE if group == "ground" else WHOLE_SHARE)
        if group == "ground" and (name[0] < 0 or self.names[name[0]] in _PALE):
            plain = ground_colour(inner, self._lightness, self._a, self._b)
            return [_with(segment, _colour(*plain)) if plain else segment]
        if name[0] < 0:
            return [segment]
        return [_with(segment, _colour(self.names[name[0]], float(confidence[0])))]

    def _facades(self, segment: Segment) -> list[Segment]:
        """Stretches of one colour, and the rest if it is large; the mask alone if it has none."""
        inner = self._inner(segment.mask)
        width = inner.shape[1]
        kernel = np.ones(min(width, max(3, round(BLURRED * width))))
        lit = inner & (self._lightness >= DARK)
        counts = (*self._counts(lit & ~self._no_wall), *(mask.sum(axis=0) for mask in (lit & self._grey, lit, inner)))
        *names, grey, light, whole = (np.convolve(row, kernel, "same") for row in counts)
        name, confidence = self._surest(np.array(names) / np.maximum(light, 1), FACADE_SHARE)
        name[(np.max(names, axis=0) < grey) | (light < LIT * whole) | ~inner.any(axis=0)] = -1
        found = []
        for i, colour in enumerate(self.names):
            for left, right in _runs(name == i, gap=max(3, round(GAP * width))):
                large = right - left >= FACADE_WIDTH * width and area(inner[:, left:right]) >= FACADE_AREA * inner.size
                if (
                    large
                    and not (colour in _CLOTH and segment.without_openings)
                    and not (colour in _MASONRY and self._is_piece(segment, inner, left, right))
                    and self._goes_up(i, inner[:, left:right], left)
                ):
                    found.append((left, right, colour, float(confidence[left:right][name[left:right] == i].mean())))
        if not found:
            return [segment]
        scale = segment.mask.shape[1] / width
        parts, rest = [], segment.mask.copy()
        for left, right, colour, sure in sorted(found):
            columns = slice(round(left * scale), round(right * scale))
            mask = np.zeros_like(rest)
            mask[:, columns] = rest[:, columns]
            rest[:, columns] = False
            made = replace(segment, mask=mask)
            if colour in _MASONRY and WALL in self._words and not self._is_house(mask, left, right):
                made = replace(made, label=WALL)
            parts.append(_with(made, _colour(colour, sure)))
        if area(rest) >= REST * area(segment.mask):
            return [*parts, *(replace(segment, mask=side) for side in self._beside(rest, sorted(found), scale))]
        largest = max(range(len(parts)), key=lambda i: area(parts[i].mask))
        parts[largest] = replace(parts[largest], mask=parts[largest].mask | rest)
        return parts

    def _is_house(self, stretch: Bools, left: int, right: int) -> bool:
        """Whether a stretch of brick, given at the view's scale, is seen whole and shows openings."""
        uncut = left > 0 and right < self._size[0]
        return uncut and is_front(stretch, self._lightness, self._segments)

    def _is_piece(self, segment: Segment, inner: Bools, left: int, right: int) -> bool:
        """Whether a stretch of brick is a door, a pier, a gate or a pot, and neither a house nor a wall."""
        stretch = np.zeros_like(segment.mask)
        scale = segment.mask.shape[1] / inner.shape[1]
        columns = slice(round(left * scale), round(right * scale))
        stretch[:, columns] = segment.mask[:, columns]
        narrow = area(inner[:, left:right]) > NARROW * (right - left) ** 2
        within = _goes_on(inner, left, right)
        return (within and narrow) if self._is_house(stretch, left, right) else (within or narrow)

    def _beside(self, rest: Bools, found: Sequence[tuple[int, int, str, float]], scale: float) -> list[Bools]:
        """What is left of a mask on either side of a facade: another house on each; all in one if one is small."""
        middle = max(found, key=lambda stretch: stretch[1] - stretch[0])
        column = round((middle[0] + middle[1]) / 2 * scale)
        left, right = rest.copy(), rest.copy()
        left[:, column:], right[:, :column] = False, False
        least = max(FACADE_AREA * rest.size, SIDE_SHARE * area(rest))
        return [left, right] if min(area(left), area(right)) >= least else [rest]

    def _with_parts(self, segment: Segment) -> Segment:
        """A building with the colours of parts of its front."""
        if self._words[segment.label].group != "building":  # a wall
            return segment
        inner = self._inner(segment.mask)
        found = front_colours(inner, ~self._no_wall, self._lightness, self._a, self._b, segment.attribute)
        least = dict.fromkeys(_CLOTH, LARGE_CLOTH) if segment.without_openings else {}
        sure = (look for look in found if look.value not in self._doubtful)
        return _with(segment, *(look for look in sure if look.confidence >= least.get(look.value, 0.0)))

    def _goes_up(self, colour: int, stretch: Bools, left: int) -> bool:
        """Whether a stretch of a building has a colour in its middle third as well.

        What has it at its foot alone may be a garden wall before it, or a lit shop window; lamplight goes up as far as
        a shop is high, so that what is yellow in its middle is yellow above as well.
        """
        rows = np.arange(stretch.shape[0])[:, None]
        first, size = stretch.argmax(axis=0), np.count_nonzero(stretch, axis=0)
        columns = slice(left, left + stretch.shape[1])
        of_colour = self.named[:, columns] == colour
        lit = stretch & (self._lightness[:, columns] >= DARK)
        top, middle = lit & (rows < first + size / 3), lit & (rows >= first + size / 3) & (rows < first + size * 2 / 3)

        def has(part: Bools, least: float) -> bool:
            return area(part & of_colour) >= least * max(1, area(part))

        return has(middle, FACADE_SHARE) and (self.names[colour] not in _LAMPLIGHT or has(top, LAMPLIT_SHARE))

    def _perhaps_plain(self, segment: Segment) -> Segment:
        """The building, grey if much of it is, and hardly any of it has another colour or is white; or pale."""
        inner = self._inner(segment.mask)
        size = max(1, area(inner))
        share = area(inner & self._grey) / size
        named = area(inner & (self.named >= 0)) / size
        white = area(inner & (self.named == self.names.index("white"))) / size
        if share >= max(GREY_SHARE, BEFORE_NEXT * named) and white < PAINTED_WHITE:
            return _with(segment, _colour("grey", share / (share + named)))
        lit = inner & (self._lightness >= DARK)
        pale = lit & (self._lightness >= BUILDING_PALE) & (np.hypot(self._a, self._b) <= BUILDING_CHROMA)
        coloured = area(lit & (self.named >= 0) & ~np.isin(self.named, [self.names.index(name) for name in _PALE]))
        least = max(BUILDING_SHARE * max(area(lit), LIT * size), BEFORE_NEXT * coloured)
        if area(inner) < FACADE_AREA * inner.size or area(pale) < least:
            return segment
        return _with(segment, _colour("pale", area(pale) / area(lit)))

    def _tinted(self, mask: Bools) -> bool:
        """Whether the light on a thing has a colour, by what is beside it."""
        beside = ~self._small(mask) & ~self._sky
        if area(beside) < ELSE * beside.size:
            beside = np.ones_like(beside)
        chroma = float(np.hypot(np.median(self._a[beside]), np.median(self._b[beside])))
        return chroma >= TINT and self._neutral < NEUTRAL_SHARE

    def _greenish(self) -> bool:
        """Whether made ground, which is no green of itself, says that the camera makes all greener than it is."""
        ground = [self._small(segment.mask) for segment in self._segments if segment.label in MADE]
        made = np.logical_or.reduce(ground) if ground else np.zeros(self._a.shape, bool)
        return area(made) >= LEAST_SHARE * made.size and float(np.median(self._a[made])) <= GREENISH

    def _small(self, mask: Bools) -> Bools:
        """A mask at the scale of the names."""
        return np.asarray(cv2.resize(mask.astype(np.uint8), self._size, interpolation=cv2.INTER_NEAREST), bool)

    def _inner(self, mask: Bools) -> Bools:
        """The same without its rim, which its surroundings mix into."""
        return np.asarray(cv2.erode(self._small(mask).astype(np.uint8), np.ones((3, 3), np.uint8)), bool)

    def _shares(self, mask: Bools) -> Floats:
        """Names x columns: how many of a mask's pixels have a name."""
        return self._counts(self._inner(mask))

    def _counts(self, inner: Bools) -> Floats:
        """The same of a mask at the scale of the names."""
        named = np.where(inner, self.named, -1)
        return np.array([np.count_nonzero(named == i, axis=0) for i in range(len(self.names))], float)

    def _surest(self, shares: Floats, least: float) -> tuple[NDArray[np.int64], Floats]:
        """For each column of names x columns the name that prevails, or -1, and its part of it and the next."""
        first, second = np.sort(shares, axis=0)[[-1, -2]]
        sure = (first >= least) & (first >= BEFORE_NEXT * second)
        confidence = first / np.maximum(first + second, 1e-9)
        return np.where(sure, shares.argmax(axis=0), -1), np.asarray(confidence, float)


def _goes_on(mask: Bools, left: int, right: int) -> bool:
    """Whether a mask goes on at both sides of a stretch."""
    rim = round(BLURRED * mask.shape[1]) + 1
    return bool(mask[:, : max(0, left - rim)].any() and mask[:, right + rim :].any())


def _runs(true: Bools, gap: int) -> list[tuple[int, int]]:
    """First and past-the-last index of each stretch that is true, gaps closed."""
    closed = cv2.morphologyEx(true.astype(np.uint8)[None], cv2.MORPH_CLOSE, np.ones((1, gap | 1), np.uint8))[0]
    steps = np.diff(np.concatenate([[0], closed.astype(int), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))


def _colour(value: str, confidence: float) -> Look:
    return Look(kind="colour", value=value, confidence=round(confidence, 4))


def _with(segment: Segment, *looks: Look) -> Segment:
    """The segment with further looks; its adjective is the colour of the whole."""
    colour = next((look.value for look in looks if look.kind == "colour"), None)
    return replace(segment, looks=(*segment.looks, *looks), attribute=segment.attribute or colour)
