"""A segmenter without weights: superpixels named by colour, texture, straight edges and position.

It knows sky, vegetation, grass, road, paved ground and building, and would rather say nothing than something wrong: a
dark or flat picture gets no segments. It never claims water, since by such rules wet asphalt, glass and a blue wall
look like it, and gives a building no colour: windows, shade and haze outvote the wall. It knows neither vehicles nor
people, so text on them passes for a sign's. A confidence is the mean membership of the segment's superpixels, scaled to
at most `CEILING`; the ceilings were set by eye on some 160 street photos and are no measured precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2lab
from skimage.segmentation import slic

from pipeline.config.perception import Superpixels
from pipeline.imaging.types import Pixels
from pipeline.perception.base import Segment, View
from pipeline.perception.models.store import ModelInUse
from pipeline.perception.vocabulary import vocabulary

VERSION = 1
LONG_SIDE_PX = 320
"""The picture is scaled down to this: colour and texture need no more."""
SUPERPIXELS = 300

CEILING = {"sky": 0.75, "vegetation": 0.75, "grass": 0.7, "building": 0.7, "road": 0.7, "paved ground": 0.6}
LEAST_SHARE = {"sky": 0.02, "vegetation": 0.015, "grass": 0.02, "building": 0.04, "road": 0.12, "paved ground": 0.12}
"""Smaller parts of the picture are no segments."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class SuperpixelSegmenter:
    """Segments for machines and builds without a model. See the module for what it claims and what it does not."""

    name = f"superpixels {VERSION}"

    def __init__(self, config: Superpixels) -> None:
        self._config = config
        self.words = vocabulary()
        self.models: tuple[ModelInUse, ...] = ()

    def fingerprint(self) -> str:
        """Name with version, the libraries that do the arithmetic, and the settings."""
        libraries = " ".join(f"{name} {version(name)}" for name in ("scikit-image", "opencv-python-headless", "numpy"))
        return f"{self.name} {libraries} {self._config.min_confidence:g}"

    def segment(self, views: Sequence[View]) -> list[list[Segment]]:
        """Segments of each view, in the views' order; within a view by class, then from the left."""
        return [[s for s in _segments(view.pixels) if s.confidence >= self._config.min_confidence] for view in views]


@dataclass(frozen=True)
class _Patches:
    """The superpixels of a picture; each array but the first two has one value a superpixel."""

    labels: NDArray[np.int64]
    """Height x width of the reduced picture: which superpixel a pixel is in."""
    pairs: NDArray[np.int64]
    """k x 2: superpixels that touch."""
    lightness: Floats
    """CIE L*, 0 to 100."""
    a: Floats
    b: Floats
    chroma: Floats
    hue: Floats
    """Degrees in the a*b* plane: 0 red, 90 yellow, 180 green, 270 blue."""
    rough: Floats
    """Mean gradient of L* a pixel."""
    y: Floats
    """Centre, 0 at the picture's top and 1 at its bottom."""
    upright: Floats
    """Share of the surroundings that lies on straight near-vertical edges."""
    level: Floats
    """The same for edges nearer to level than to upright."""


def _segments(pixels: Pixels) -> list[Segment]:
    small = _reduced(pixels, LONG_SIDE_PX)
    lab = rgb2lab(small)
    dark_or_flat = np.median(lab[..., 0]) < 25 or lab[..., 0].std() < 6
    if min(small.shape[:2]) < 32 or dark_or_flat:
        return []
    patches = _patches(pixels, small, lab)
    found: list[Segment] = []
    for name, members, score in _classes(patches):
        for part in _parts(members[patches.labels], whole=name in ("sky", "road", "paved ground")):
            if part.mean() < LEAST_SHARE[name] or not _plausible(name, part):
                continue
            mask = cv2.resize(part.astype(np.uint8), pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
            found.append(
                Segment(
                    label=name,
                    attribute=None,
                    mask=mask,
                    confidence=round(CEILING[name] * float(score[patches.labels[part]].mean()), 3),
                    lasting=vocabulary()[name].lasting,
                    distance_m=None,
                )
            )
    return found


def _reduced(pixels: Pixels, long_side: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _patches(pixels: Pixels, small: Pixels, lab: Floats) -> _Patches:
    height, width = small.shape[:2]
    labels = slic(small, n_segments=SUPERPIXELS, compactness=12, max_num_iter=5, start_label=0).astype(np.int64)
    count = int(labels.max()) + 1
    sizes = np.bincount(labels.ravel(), minlength=count)

    def mean(values: NDArray[np.floating]) -> Floats:
        return np.asarray(np.bincount(labels.ravel(), values.ravel(), minlength=count) / sizes, float)

    lightness = lab[..., 0].astype(np.float32)
    gradient = np.hypot(cv2.Sobel(lightness, cv2.CV_32F, 1, 0), cv2.Sobel(lightness, cv2.CV_32F, 0, 1)) / 8
    rows = np.broadcast_to((np.arange(height)[:, None] + 0.5) / height, (height, width))
    upright, level = _edges(pixels, (height, width))
    a, b = mean(lab[..., 1]), mean(lab[..., 2])
    beside = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    below = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.concatenate([beside, below])
    return _Patches(
        labels=labels,
        pairs=np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0),
        lightness=mean(lab[..., 0]),
        a=a,
        b=b,
        chroma=np.hypot(a, b),
        hue=np.degrees(np.arctan2(b, a)) % 360,
        rough=mean(gradient),
        y=mean(rows),
        upright=mean(upright),
        level=mean(level),
    )


def _edges(pixels: Pixels, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Density of straight near-vertical edges, and of the more level ones, around each pixel of the reduced picture."""
    grey = cv2.cvtColor(_reduced(pixels, 2 * LONG_SIDE_PX), cv2.COLOR_RGB2GRAY)
    lines = cv2.createLineSegmentDetector().detect(grey)[0]
    lines = np.zeros((0, 4)) if lines is None else lines.reshape(-1, 4).astype(float)
    across, down = np.abs(lines[:, 2] - lines[:, 0]), np.abs(lines[:, 3] - lines[:, 1])
    tilt = np.degrees(np.arctan2(across, down))
    long = np.hypot(across, down) > 20
    drawn: list[NDArray[np.float32]] = []
    for chosen in (long & (tilt < 7), long & (tilt > 50)):
        canvas = np.zeros(shape, np.float32)
        for x1, y1, x2, y2 in (lines[chosen] / 2).astype(int).tolist():
            cv2.line(canvas, (x1, y1), (x2, y2), 1.0, 1)
        drawn.append(np.asarray(cv2.blur(canvas, (31, 31), borderType=cv2.BORDER_REPLICATE), np.float32))
    return drawn[0], drawn[1]


def _ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, linear between; downwards if low > high."""
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def _classes(p: _Patches) -> list[tuple[str, Bools, Floats]]:
    """Label, members among the superpixels and membership of each class; no superpixel is in two."""
    sky_score = _sky(p)
    sky = _grown(_touching(p, p.labels[0]), sky_score > 0.35, p.pairs)
    green_score = _green(p)
    green = (green_score > 0.45) & ~sky
    grass = green & (p.y > 0.6) & (p.rough < 2.8)
    paved_score = _paved(p)
    paved = _grown(_touching(p, p.labels[-1]), (paved_score > 0.4) & ~green & ~sky, p.pairs)
    building_score = _ramp(p.upright, 0.015, 0.05) * _ramp(p.level, 0.01, 0.03)
    building_score *= _ramp(p.y, 0.85, 0.7) * _ramp(p.rough, 0.5, 1.2)  # sky between the wires of a pole is smooth
    building = (building_score > 0.4) & ~sky & ~green & ~paved & (sky_score < 0.35)
    found = [
        ("sky", sky, sky_score),
        ("vegetation", green & ~grass, green_score),
        ("grass", grass, green_score),
        ("building", building, building_score),
    ]
    ground = _ground_label(paved[p.labels])
    return found if ground is None else [*found, (ground, paved, paved_score)]


def _sky(p: _Patches) -> Floats:
    """Smooth and either blue, or pale, cool and far brighter than the rest of the picture; in the upper part."""
    blue = _ramp(p.chroma, 5, 14) * ((p.hue > 225) & (p.hue < 300)) * _ramp(p.lightness, 30, 45)
    pale = _ramp(p.lightness, 80, 90) * _ramp(p.chroma, 9, 4) * _ramp(p.b, 3, 0)
    pale *= _ramp(p.lightness - np.median(p.lightness), 8, 20)
    return _ramp(p.rough, 2.6, 1.0) * np.maximum(blue, pale) * _ramp(p.y, 0.65, 0.5)


def _green(p: _Patches) -> Floats:
    """Leaf green: not yellow or turquoise, neither pale nor glowing; rough, or below the horizon."""
    colour = _ramp(-p.a, 3, 9) * _ramp(p.b, 4, 12) * _ramp(p.hue, 98, 106) * _ramp(p.hue, 160, 150)
    colour *= _ramp(p.lightness, 8, 20) * _ramp(p.lightness, 82, 72) * _ramp(p.chroma, 62, 50)
    return colour * np.maximum(_ramp(p.rough, 1.0, 2.5), _ramp(p.y, 0.55, 0.65))


def _paved(p: _Patches) -> Floats:
    """Grey and fairly smooth, below the horizon; not dark, which the inside of a car is."""
    return _ramp(p.chroma, 14, 8) * _ramp(p.lightness, 25, 38) * _ramp(p.rough, 4.5, 2.5) * _ramp(p.y, 0.5, 0.62)


def _touching(p: _Patches, edge: NDArray[np.int64]) -> Bools:
    return np.isin(np.arange(len(p.y)), edge)


def _grown(seeds: Bools, allowed: Bools, pairs: NDArray[np.int64]) -> Bools:
    """The allowed superpixels that a chain of allowed ones ties to a seed."""
    reached = seeds & allowed
    first, second = pairs[:, 0], pairs[:, 1]
    while True:
        wider = reached.copy()
        wider[second[reached[first]]] = True
        wider[first[reached[second]]] = True
        wider &= allowed
        if (wider == reached).all():
            return reached
        reached = wider


def _ground_label(ground: Bools) -> str | None:
    """The class of ground by its outline, or None: then it may be the inside of the car that the camera is in.

    Ground that runs away from the camera narrows upwards and ends near the horizon. It is a road where it fills the
    foot of the picture or narrows towards the middle, and has few things standing on it; a pavement along a facade
    narrows to one side, a square has things all over.
    """
    height, width = ground.shape
    spans = ground.mean(axis=1)
    rows = np.flatnonzero(spans > 0.03)
    if not rows.size or rows[0] > 0.64 * height:
        return None
    top, foot = rows[0], spans[int(0.9 * height) :].mean()
    if foot < 0.55 or spans[top : top + max(1, height // 12)].mean() > 0.35:
        return None
    steps = np.diff(ground[top:].astype(int), axis=1, prepend=0)
    pieces = (steps == 1).sum(axis=1).mean()
    middle = abs(np.flatnonzero(ground[top]).mean() / width - 0.5) < 0.13
    narrowing = np.corrcoef(np.arange(top, height), spans[top:])[0, 1]
    return "road" if pieces < 2.3 and (foot > 0.9 or (middle and narrowing > 0.85)) else "paved ground"


def _parts(mask: Bools, *, whole: bool) -> list[Bools]:
    """Connected parts from left to right, or the mask as one part."""
    if whole:
        return [mask] if mask.any() else []
    count, numbered = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    parts = [numbered == i for i in range(1, count)]
    return sorted(parts, key=lambda part: float(np.flatnonzero(part.any(axis=0)).mean()))


def _plausible(name: str, part: Bools) -> bool:
    """A building is wider than a pole and does not lie on the ground."""
    if name != "building":
        return True
    rows, columns = np.nonzero(part)
    height, width = part.shape
    return bool(np.unique(columns).size > 0.12 * width and rows.min() < 0.5 * height)
