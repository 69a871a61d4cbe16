"""Tells roads from forecourts and squares: something drives or stands on a road, or it has lines."""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.perception import rle
from pipeline.perception.vocabulary import vocabulary
from schemas.records import Cue

ROAD, PAVED = "road", "paved ground"
REACH = 0.015
"""How far below a vehicle the road begins at most, as a share of the view's height: there is its shadow."""


def with_driven_roads(cues: Sequence[Cue]) -> list[Cue]:
    """The cues; a road that shows neither vehicles on it nor lines is called paved ground, which is true of both."""
    terms = vocabulary()
    vehicles = [c for c in cues if not c.disputed and c.label in terms and terms[c.label].group == "vehicle"]
    return [
        cue.model_copy(update={"label": PAVED})
        if cue.kind == "object" and cue.label == ROAD and not _is_driven(cue, vehicles)
        else cue
        for cue in cues
    ]


def _is_driven(road: Cue, vehicles: Sequence[Cue]) -> bool:
    if road.mask is None or any(look.kind == "marking" for look in road.looks):
        return True
    ground = rle.decode(road.mask)
    reach = max(1, round(REACH * ground.shape[0]))
    around = cv2.dilate(ground.astype(np.uint8), np.ones((2 * reach + 1, 1), np.uint8)).astype(bool)
    masks = [rle.decode(car.mask) for car in vehicles if car.view_id == road.view_id and car.mask is not None]
    return any(bool((mask & around).any()) for mask in masks)
