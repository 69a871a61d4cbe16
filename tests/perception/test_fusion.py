"""Several engines on one view: agreement, disagreement, and what a box alone means."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.config.perception import DetectorSegments, SemanticSegments, Superpixels
from pipeline.perception.base import Segment, View
from pipeline.perception.detector import DetectorSegmenter
from pipeline.perception.ensemble import Ensemble
from pipeline.perception.fusion import agreed, contested, fused
from pipeline.perception.semantic import SemanticSegmenter
from pipeline.perception.superpixels import SuperpixelSegmenter
from pipeline.perception.vocabulary import vocabulary
from tests.perception.street_models import street_models

SIDE = 100
WORDS = vocabulary()


def seen(label: str, rows: slice, columns: slice, confidence: float = 0.8, *, box: bool = False) -> Segment:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, columns] = True
    return Segment(label, None, mask, confidence, WORDS[label].lasting, None, box=box)


def only(found: list[Segment], label: str) -> Segment:
    (segment,) = (segment for segment in found if segment.label == label)
    return segment


@given(st.floats(0, 1), st.floats(0, 1))
def test_agreement_makes_surer_and_contradiction_less_sure(p: float, q: float) -> None:
    assert max(p, q) - 1e-12 <= agreed(p, q) <= 1 + 1e-12
    assert contested(p, q) <= p + 1e-12 or p == q == 1
    assert contested(p, q) + contested(q, p) <= 1 + 1e-9
    assert agreed(p, 0) == pytest.approx(p)
    assert contested(p, 0) == pytest.approx(p)


def test_one_engine_s_segments_pass_through() -> None:
    house, sky = seen("house", slice(40, 90), slice(0, 50)), seen("sky", slice(0, 30), slice(0, 100))
    found = fused([("one", [house, sky])], WORDS)
    assert {(s.label, s.confidence, s.seen_by, s.disputed) for s in found} == {
        ("house", 0.8, ("one",), False), ("sky", 0.8, ("one",), False),
    }  # fmt: skip


def test_two_masks_of_one_kind_are_one_thing_that_two_saw() -> None:
    """It has the first engine's mask and the surer one's name."""
    a, b = seen("building", slice(20, 80), slice(0, 60), 0.7), seen("house", slice(22, 80), slice(2, 60), 0.9)
    (found,) = fused([("one", [a]), ("two", [b])], WORDS)
    assert (found.label, found.seen_by, found.disputed) == ("house", ("one", "two"), False)
    assert found.confidence == pytest.approx(0.97)
    assert (found.mask == a.mask).all()


def test_what_one_engine_alone_saw_stays_as_sure_as_it_was() -> None:
    a, b = seen("building", slice(20, 80), slice(0, 60)), seen("tree", slice(30, 90), slice(70, 100), 0.6)
    found = fused([("one", [a]), ("two", [b])], WORDS)
    assert [(s.label, s.confidence, s.seen_by) for s in found] == [
        ("building", 0.8, ("one",)), ("tree", 0.6, ("two",)),
    ]  # fmt: skip


def test_who_sees_a_small_part_of_a_thing_is_no_witness_of_it() -> None:
    """Of a compound's wall that one engine calls a building another may see the gate alone as one."""
    wall = seen("building", slice(20, 80), slice(0, 100), 0.9)
    for columns, witnesses in ((slice(0, 30), ("one",)), (slice(0, 50), ("one", "two"))):
        part = seen("building", slice(20, 80), columns, 0.6)
        assert only(fused([("one", [wall]), ("two", [part])], WORDS), "building").seen_by == witnesses
    ground, part = seen("pavement", slice(60, 100), slice(0, 100), 0.9), seen("road", slice(60, 100), slice(0, 30), 0.6)
    assert only(fused([("one", [ground]), ("two", [part])], WORDS), "pavement").seen_by == ("one", "two")


def test_who_sees_ground_in_a_thing_is_no_witness_of_it() -> None:
    """A mask of a building that runs down over the ground is unlike the building."""
    building, other = seen("building", slice(0, 100), slice(0, 100), 0.9), seen("building", slice(0, 70), slice(0, 100))
    for top, witnesses in ((70, ("one",)), (85, ("one", "two"))):
        found = fused([("one", [building]), ("two", [other, seen("road", slice(top, 100), slice(0, 100))])], WORDS)
        assert max(found, key=lambda s: s.mask.sum()).seen_by == witnesses


def test_a_box_with_a_mask_of_its_kind_in_it_is_that_mask_within_the_box() -> None:
    row = seen("car", slice(60, 80), slice(0, 90), 0.9)  # three cars in a row, one mask
    box = seen("truck", slice(55, 85), slice(0, 30), 0.6, box=True)
    found = fused([("masks", [row]), ("boxes", [box])], WORDS)
    first = next(s for s in found if len(s.seen_by) == 2)
    assert (first.label, first.box, first.seen_by) == ("car", False, ("boxes", "masks"))
    assert first.confidence == pytest.approx(0.96)
    assert first.mask.sum() == 20 * 30
    rest = next(s for s in found if s.seen_by == ("masks",))
    assert rest.mask.sum() == 20 * 60
    assert not (first.mask & rest.mask).any()


def test_a_detector_that_the_segmentation_contradicts_is_disputed_and_never_told() -> None:
    """A row of houses that a detector calls a train with 0.84, as one does on a photo of Lund."""
    houses = seen("building", slice(10, 90), slice(0, 100), 0.97)
    train = seen("train", slice(10, 80), slice(0, 45), 0.84, box=True)
    found = fused([("masks", [houses]), ("boxes", [train])], WORDS)
    claim, rival = only(found, "train"), only(found, "building")
    assert (claim.disputed, claim.lasting) == (True, False)
    assert claim.confidence == pytest.approx(0.84 * 0.03 / (1 - 0.84 * 0.97), abs=1e-3)
    assert (rival.disputed, rival.lasting, rival.confidence) == (False, True, 0.97)  # the train is a part of it
    assert (rival.mask == houses.mask).all()


def test_a_contradiction_of_the_whole_is_said_of_both() -> None:
    tree, house = seen("tree", slice(10, 90), slice(0, 50), 0.9), seen("house", slice(10, 90), slice(0, 50), 0.6)
    found = fused([("one", [tree]), ("two", [house])], WORDS)
    a, b = only(found, "tree"), only(found, "house")
    assert (a.disputed, a.lasting, b.disputed, b.lasting) == (True, True, True, False)
    assert a.confidence == pytest.approx(0.9 * 0.4 / 0.46, abs=1e-3)
    assert a.confidence + b.confidence < 1


def test_a_larger_mask_of_another_engine_contradicts_the_mask_in_it() -> None:
    """Tree trunks that one network calls a building, in the wood that the other sees: that one's mask holds more."""
    trunks, wood = seen("building", slice(20, 60), slice(40, 60), 0.9), seen("tree", slice(10, 80), slice(0, 100), 0.6)
    trees = [seen("tree", slice(10, 80), columns, 0.9) for columns in (slice(0, 40), slice(60, 100))]
    found = fused([("one", [trunks, *trees]), ("two", [wood])], WORDS)
    told = only(found, "building")
    assert (told.disputed, told.lasting, told.seen_by) == (True, True, ("one",))
    assert told.confidence == pytest.approx(contested(0.9, 0.6), abs=1e-4)
    assert all(s.seen_by == ("one", "two") and not s.disputed for s in found if s.label == "tree")


def test_a_larger_mask_of_what_passes_contradicts_nothing_that_lasts() -> None:
    pavement, crowd = seen("pavement", slice(50, 100), slice(0, 50)), seen("person", slice(20, 100), slice(0, 60), 0.6)
    found = fused([("one", [pavement]), ("two", [crowd])], WORDS)
    told = only(found, "pavement")
    assert (told.disputed, told.confidence) == (False, 0.8)


def test_a_thing_before_another_or_too_small_to_be_seen_contradicts_nothing() -> None:
    wall = seen("building", slice(0, 100), slice(0, 100), 0.95)
    bench = seen("bench", slice(60, 80), slice(0, 40), 0.7, box=True)
    far = seen("person", slice(40, 45), slice(80, 88), 0.7, box=True)
    found = fused([("masks", [wall]), ("boxes", [bench, far])], WORDS)
    assert not any(s.disputed for s in found)
    assert {(s.label, s.box, s.lasting) for s in found} == {
        ("building", False, True), ("bench", True, True), ("person", True, False),
    }  # fmt: skip


def test_two_detectors_of_one_thing_agree() -> None:
    a, b = (
        seen("car", slice(50, 80), slice(10, 50), 0.6, box=True),
        seen("car", slice(52, 80), slice(12, 52), 0.5, box=True),
    )
    other = seen("car", slice(50, 80), slice(60, 95), 0.5, box=True)
    found = fused([("one", [a]), ("two", [b, other])], WORDS)
    assert sorted((round(s.confidence, 2), s.seen_by) for s in found) == [(0.5, ("two",)), (0.8, ("one", "two"))]


@st.composite
def anything(draw: st.DrawFn) -> list[Segment]:
    """One engine's segments: masks apart, or boxes."""
    box, taken, made = draw(st.booleans()), np.zeros((SIDE, SIDE), bool), []
    for _ in range(draw(st.integers(0, 5))):
        top, left = draw(st.integers(0, SIDE - 9)), draw(st.integers(0, SIDE - 9))
        rows, columns = slice(top, top + draw(st.integers(8, 60))), slice(left, left + draw(st.integers(8, 60)))
        label = draw(st.sampled_from(["building", "house", "sky", "car", "truck", "person", "bench", "road"]))
        segment = seen(label, rows, columns, draw(st.floats(0.3, 1)), box=box)
        if box or not (taken & segment.mask).any():
            taken |= segment.mask
            made.append(segment)
    return made


@given(st.lists(anything(), min_size=1, max_size=3))
def test_whatever_engines_see_the_list_is_sound(engines: list[list[Segment]]) -> None:
    found = fused([(f"e{i}", segments) for i, segments in enumerate(engines)], WORDS)
    apart = [s.mask for s in found if not s.disputed and not s.box]
    assert not apart or np.sum(apart, axis=0).max() <= 1
    everything = np.logical_or.reduce([s.mask for some in engines for s in some] or [np.zeros((SIDE, SIDE), bool)])
    for segment in found:
        assert 0 <= segment.confidence <= 1
        assert segment.seen_by
        assert segment.mask.any()
        assert not (segment.mask & ~everything).any()
        assert segment.lasting <= WORDS[segment.label].lasting
    assert found == sorted(found, key=lambda s: -s.mask.sum())


def test_real_models_on_the_photo_whose_houses_are_called_trains(corpus: Path) -> None:
    first, second = street_models(corpus)
    semantic, detector = SemanticSegments.model_validate(first), DetectorSegments.model_validate(second)
    with Image.open(corpus / "street" / "lund" / "01.jpg") as image:
        photo = np.asarray(image.convert("RGB").resize((1024, 768)))
    ensemble = Ensemble([SemanticSegmenter(semantic), DetectorSegmenter(detector)])
    (found,) = ensemble.segment([View("0", photo, None)])
    trains = [segment for segment in found if segment.label == "train"]
    assert trains
    assert all(train.disputed and train.confidence < 0.3 and not train.lasting for train in trains)
    assert (
        sum(s.label == "building" and s.lasting and s.confidence > 0.7 for s in found) == 2
    )  # openings too far to be seen
    assert next(s for s in found if s.label == "person").seen_by == (
        "detector yolox_nano_416 695e750a5d57", "semantic ade20k_mnv2_513 fd43aa78741d",
    )  # fmt: skip
    assert [model.sha256[:6] for model in ensemble.models] == ["fd43aa", "695e75"]


def test_an_ensemble_s_fingerprint_has_all_engines_in_their_order() -> None:
    one, two = SuperpixelSegmenter(Superpixels()), SuperpixelSegmenter(Superpixels(min_confidence=0.6))
    prints = {Ensemble(engines).fingerprint() for engines in ([one], [two], [one, two], [two, one])}
    assert len(prints) == 4
