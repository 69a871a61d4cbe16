"""A stand-in model that replies what a large vision-language model replied that saw the pictures.

`recorded/` has a file a place: its photos' ids in the corpus, the replies of each turn, and the answers to each
statement that was put to the verifier. A place is known by the look of its main picture, so that another encoder does
no harm.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.imaging.phash import distance, phash
from tests.captioning.model_standin import Seen, write_well

FOLDER = Path(__file__).parent / "recorded"
_ALIKE_BITS = 10


class Replay:
    """Replies by the turn and the picture that is shown."""

    def __init__(self) -> None:
        self.places: dict[str, dict[str, Any]] = {
            file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))
        }
        self.unknown: list[str] = []
        """Statements that nobody answered then."""
        self.put = 0
        """Statements that were put."""

    def photos(self, regions: tuple[str, ...]) -> set[str]:
        """Ids of the photos of some regions' places."""
        return {photo for name, place in self.places.items() if name.startswith(regions) for photo in place["photos"]}

    def answers(self) -> dict[str, str]:
        """Recorded answers to all statements."""
        return {text: answer for place in self.places.values() for text, answer in place["verify"].items()}

    def __call__(self, seen: Seen) -> Any:
        """The reply to a request."""
        if seen.turn == "ready":
            return write_well(seen)
        look = _look(seen)
        if seen.turn == "observe":
            noted = {mark: reply for place in self.places.values() for mark, reply in place["observe"].items()}
            return noted[_nearest(look, list(noted))]
        mains = {place["main"]: place for place in self.places.values()}
        place = mains[_nearest(look, list(mains))]
        return self._verified(seen, place["verify"]) if seen.turn == "verify" else place[seen.turn]

    def _verified(self, seen: Seen, answers: dict[str, str]) -> Any:
        told = seen.data["statements"]
        self.put += len(told)
        self.unknown += [one["says"] for one in told if one["says"] not in answers]
        return {
            "answers": [
                {"statement": one["statement"], "answer": answers.get(one["says"], "cannot"), "picture": 1}
                for one in told
            ]
        }


def _look(seen: Seen) -> str:
    url = next(part for part in seen.body["messages"][1]["content"] if part["type"] == "image_url")["image_url"]["url"]
    return phash(np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")))


def _nearest(look: str, marks: list[str]) -> str:
    best = min(marks, key=lambda mark: distance(look, mark))
    assert distance(look, best) <= _ALIKE_BITS, f"no reply is recorded for the picture {look}"
    return best
