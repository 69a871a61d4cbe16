"""The truth about a street view: texts and objects with their pixels, without what something else hides."""

import json
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.geo.point import Floats
from pipeline.world import ground
from pipeline.world.mesh import Mesh
from pipeline.world.picture import ground_windows, horizon_row, to_picture
from pipeline.world.scene import Eye, Flat, Scene, cells_in_view, look, paint_numbers
from pipeline.world.town import Town

VISIBLE_SHARE = 0.5
"""A thing of which less is to be seen is left out."""
_TEXT_SHARE = 0.85
_LETTER_PX = 9.0  # least height of a line of text that can be read
_CHARACTER_PX = 4.0  # least width of a letter: a sign seen from the side is not legible
_THING_AREA, _STRETCH_AREA = 0.0006, 0.003  # least shares of the picture
_NO_DISTANCE = frozenset({"sky"})


def truth(town: Town, eye: Eye, extra: Mesh, road_lanes: int, detail: float, north_deg: float) -> str:
    """JSON of what an eye sees.

    Args:
        town: The town.
        eye: The camera.
        extra: What passes by.
        road_lanes: Lanes of the street that the camera stands on.
        detail: Photo pixels a picture pixel: below 1 where the picture was cut from a coarser panorama.
        north_deg: Where true north lies in the town's frame.

    Returns:
        `{"texts": [...], "objects": [...]}` as `pipeline.perception.oracle` documents it, the largest first.
    """
    scene = look(town, eye, extra)
    names = ["", "sky"]
    numbers = _ground_numbers(town, eye, names)
    first = len(names)
    paint_numbers(numbers, scene, first)
    flats = len(scene.flats)
    counts = np.bincount(numbers.ravel() + flats, minlength=flats + first + len(scene.things))
    texts = [
        text
        for n, flat in enumerate(scene.flats)
        if flat.sign and (text := _text(eye, flat, int(counts[flats - 1 - n]), detail))
    ]
    objects: list[tuple[int, dict[str, Any]]] = []
    size = eye.width * eye.height
    for number in (np.flatnonzero(counts[flats + 1 :] >= size * _THING_AREA) + 1).tolist():
        count = int(counts[flats + number])
        thing = scene.things[number - first] if number >= first else None
        if not thing and ":" not in names[number] and count < size * _STRETCH_AREA:
            continue
        if thing and count < VISIBLE_SHARE * _area(eye, _outline(scene, number - first)):
            continue
        polygon, centre = _polygon(numbers == number)
        if polygon is None:
            continue
        label = thing.label if thing else names[number].partition(":")[0]
        found: dict[str, Any] = {"label": label, "attribute": thing.attribute if thing else None, "polygon": polygon}
        if label == "road":
            found["attribute"] = {1: "one-lane", 2: "two-lane", 3: "three-lane", 4: "four-lane"}.get(road_lanes)
        bearing, distance = _where(eye, centre, north_deg)
        if thing:
            distance = _distance(scene, number - first)
        found |= {"lasting": thing.lasting if thing else True, "bearing_deg": bearing}
        found["distance_m"] = None if label in _NO_DISTANCE or distance is None else round(distance, 1)
        objects.append((count, found))
    objects.sort(key=lambda pair: -pair[0])
    found_all = {"texts": texts, "objects": [found for _, found in objects]}
    return json.dumps(found_all, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _ground_numbers(town: Town, eye: Eye, names: list[str]) -> NDArray[np.int32]:
    top = int(np.clip(np.ceil(horizon_row(eye)), 0, eye.height))
    numbers = np.zeros((eye.height, eye.width), np.int32)
    numbers[:top] = 1
    if top == eye.height:
        return numbers
    down = np.array([[1, 0, 0], [0, 1, -top], [0, 0, 1.0]])
    below = np.zeros((eye.height - top, eye.width), np.uint16)
    for window in ground_windows(eye):
        cells = cells_in_view(town, eye, window.size_px / window.scale * 0.75)
        labels = ground.paint_labels(town, cells, window, names)
        matrix = down @ to_picture(eye, window)
        size = (eye.width, eye.height - top)
        cv2.warpPerspective(labels, matrix, size, dst=below, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_TRANSPARENT)
    numbers[top:] = below
    return numbers


def _text(eye: Eye, flat: Flat, count: int, detail: float) -> dict[str, Any] | None:
    assert flat.sign is not None
    assert flat.letters is not None
    corners = flat.letters
    if (corners < 0).any() or (corners > (eye.width, eye.height)).any():
        return None
    top, right, bottom, left = (float(np.hypot(*(corners[(k + 1) % 4] - corners[k]))) for k in range(4))
    if min(left, right) * detail < _LETTER_PX or min(top, bottom) * detail < _CHARACTER_PX * len(flat.sign.text):
        return None
    if count < _TEXT_SHARE * float(cv2.contourArea(corners.astype(np.float32))):
        return None
    return {
        "text": flat.sign.text,
        "polygon": [round(float(v), 1) for v in corners.ravel()],
        "lasting": flat.sign.lasting,
        "distance_m": round(flat.distance, 1),
        "script": "Latn",
    }


def _outline(scene: Scene, thing: int) -> list[Floats]:
    """Pixels of the corners of a thing's faces and boards."""
    faces: list[Floats] = [scene.faces[n] / 16.0 + 0.5 for n in np.flatnonzero(scene.face_things == thing).tolist()]
    return faces + [flat.corners for flat in scene.flats if flat.sign is None and flat.thing == thing]


def _area(eye: Eye, parts: list[Floats]) -> float:
    """Pixels that a thing would cover if nothing stood before it: its convex outline within the picture."""
    if not parts:
        return np.inf
    hull = cv2.convexHull(np.concatenate(parts).astype(np.float32))
    frame = np.array([[0, 0], [eye.width, 0], [eye.width, eye.height], [0, eye.height]], np.float32)
    area, _ = cv2.intersectConvexConvex(hull, frame)
    # A single board is a tree or person, whose picture fills about two thirds of its frame.
    return float(area) * (0.65 if len(parts) == 1 else 0.9)


def _polygon(mask: NDArray[np.bool_]) -> tuple[list[float] | None, Floats]:
    """Outline of a mask's largest piece, and its middle."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    outline = cv2.approxPolyDP(largest, 1.2, closed=True)[:, 0] + 0.5
    if len(outline) < 3:
        return None, np.zeros(2)
    moments = cv2.moments(largest)
    centre = np.array([moments["m10"], moments["m01"]]) / max(moments["m00"], 1e-6) + 0.5
    return [round(v, 1) for v in outline.ravel().tolist()], centre


def _where(eye: Eye, pixel: Floats, north_deg: float) -> tuple[float, float | None]:
    """Bearing of what a pixel shows, and its distance if it lies on the ground."""
    ray = np.array([*(pixel - (eye.width / 2, eye.height / 2)), eye.focal]) @ eye.axes
    bearing = round(float(np.degrees(np.arctan2(ray[0], ray[1])) - north_deg) % 360.0, 1) % 360.0
    return bearing, float(-eye.z / ray[2] * np.hypot(ray[0], ray[1])) if ray[2] < -1e-3 else None


def _distance(scene: Scene, thing: int) -> float:
    faces = scene.distances[scene.face_things == thing]
    flats = [flat.distance for flat in scene.flats if flat.thing == thing]
    return float(min([*faces.tolist(), *flats]))
