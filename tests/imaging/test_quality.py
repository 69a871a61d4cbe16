"""Scores follow their formulas, do not depend on resolution, and the default gates let real photos through."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipeline.config.imagery import ImageLimits, QualityGates
from pipeline.imaging.decode import decode
from pipeline.imaging.quality import gate, measure
from schemas.reasons import Reason
from schemas.records import Quality

GATES = QualityGates()


def flat(level: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((384, 512, 3), level, np.uint8)


def test_formulas_on_pictures_whose_scores_are_known() -> None:
    assert measure(flat(90)) == Quality(sharpness=0, contrast=0, entropy=0, darkness=0)
    halves = flat(0)
    halves[:, 256:] = 200
    scores = measure(halves)
    assert scores.contrast == 100
    assert scores.entropy == 1
    assert scores.darkness == 0.5
    assert scores.sharpness == pytest.approx(2 * 200**2 / 512)  # two columns of 512 answer +200 and -200
    levels = np.tile(np.repeat(np.arange(256, dtype=np.uint8), 2), (384, 1))
    assert measure(np.dstack([levels] * 3)).entropy == 8
    assert measure(flat(31)).darkness == 1
    assert measure(flat(32)).darkness == 0


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({}, None),
        ({"sharpness": 29.9}, Reason.TOO_BLURRED),
        ({"contrast": 11.9}, Reason.TOO_FLAT),
        ({"entropy": 3.9}, Reason.TOO_FLAT),
        ({"darkness": 0.81, "sharpness": 1.0, "contrast": 1.0}, Reason.TOO_DARK),
    ],
)
def test_gate_names_the_reason(scores: dict[str, float], reason: Reason | None) -> None:
    good = {"sharpness": 30.0, "contrast": 12.0, "entropy": 4.0, "darkness": 0.8}
    assert gate(Quality(**(good | scores)), GATES) == reason


def test_all_street_photos_pass_and_their_ruins_do_not(corpus: Path) -> None:
    """Night photos among them: the darkest has 65 % of its pixels below the threshold."""
    paths = sorted((corpus / "street").rglob("*.jpg"))[::6]
    for path in paths:
        pixels = decode(path.read_bytes(), ImageLimits())
        assert gate(measure(pixels), GATES) is None, path
        image = Image.fromarray(pixels)
        smeared = np.asarray(image.filter(ImageFilter.GaussianBlur(max(image.size) / 100)))
        assert gate(measure(smeared), GATES) in {Reason.TOO_BLURRED, Reason.TOO_FLAT}, path
        assert gate(measure((pixels * 0.04).astype(np.uint8)), GATES) == Reason.TOO_DARK, path


def test_sharpness_does_not_reward_resolution(corpus: Path) -> None:
    pixels = decode((corpus / "street/amsterdam/pano_0000_006658_f.jpg").read_bytes(), ImageLimits())
    larger = np.asarray(Image.fromarray(pixels).resize((3000, 3000), Image.Resampling.BICUBIC))
    assert 0.7 < measure(larger).sharpness / measure(pixels).sharpness <= 1.05
