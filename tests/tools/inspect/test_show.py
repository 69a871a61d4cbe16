import math
import unicodedata
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from schemas import records
from schemas.records import Mask, Sample
from tools.inspect.pictures.drawing import Tag, draw_tags, scale_bar_m, wedge
from tools.inspect.pictures.lettering import Style, elide, flow, printable, undrawable, width_of
from tools.inspect.pictures.views import CAMERA, chip_with_camera, street_with_cues
from tools.inspect.show import compass_point, describe_sample, render_sample

MakeSample = Callable[..., Sample]
EVIL = "\x1b[31mred\x07 \u202eback\u2066 \U000e0041"


def test_the_picture_is_a_page_of_1600_pixels_and_always_the_same(make_sample: MakeSample) -> None:
    first, second = render_sample(make_sample()), render_sample(make_sample())
    assert first.width == 1600
    assert first.mode == "RGB"
    assert first.tobytes() == second.tobytes()


def test_missing_views_are_frames_and_other_views_are_a_strip(make_sample: MakeSample) -> None:
    whole = make_sample()
    info = whole.street_view.model_dump() | {"view_id": "0@90"}
    more = whole.model_copy(
        update={
            "other_views": [records.StreetView(**info, image=whole.street, truth=None)],
            "panorama": whole.street,
            "panorama_view": whole.street_view,
        }
    )
    assert render_sample(more).height > render_sample(whole).height
    bare = whole.model_copy(update=dict.fromkeys(("aerial", "aerial_chip", "map", "map_chip")))
    assert render_sample(bare).width == 1600
    assert "no aerial view here" in describe_sample(bare)
    assert "no map view here" in describe_sample(bare)


def test_a_picture_that_cannot_be_decoded_does_not_stop_the_rest(make_sample: MakeSample) -> None:
    broken = records.Image(bytes=b"\xff\xd8\xff broken", path="street.jpg")
    assert render_sample(make_sample(street=broken, aerial=broken)).width == 1600


def test_the_text_has_every_sentence_with_its_evidence_and_every_credit(make_sample: MakeSample) -> None:
    text = describe_sample(make_sample(3))
    assert "House 3 stands by a green hedge on Mill Lane. [o1 m1]" in text
    assert "looking north-east (45°), field of view 70°" in text
    for expected in ("BAKERY", "green hedge", "road (tertiary)", "90°", "30 m", "Author 3 of photos", "CC-BY-4.0"):
        assert expected in text


def test_hostile_text_cannot_steer_a_terminal_or_break_the_picture(make_sample: MakeSample) -> None:
    sample = make_sample()
    cues = [cue.model_copy(update={"text": EVIL + "x" * 3000}) for cue in sample.cues]
    sentences = [s.model_copy(update={"text": EVIL}) for s in sample.sentences]
    hostile = sample.model_copy(update={"cues": cues, "sentences": sentences, "sample_id": EVIL, "description": EVIL})
    text = describe_sample(hostile)
    assert "\\u001b[31mred\\u0007 \\u202eback\\u2066 \\U000e0041" in text
    assert not {"\x1b", "\x07", "\u202e", "\u2066", "\U000e0041"} & set(text)
    assert render_sample(hostile).width == 1600


@given(st.text())
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"}
    assert printable(shown) == shown


@given(
    st.lists(st.text(alphabet="abcdefghij é한中", max_size=40), min_size=1, max_size=4),
    st.integers(min_value=60, max_value=400),
)
def test_a_paragraph_keeps_to_its_width(texts: list[str], width: int) -> None:
    assert flow([(text, Style()) for text in texts], width).width == width
    assert width_of(elide(texts[0], Style(), width), Style()) <= width


def test_letters_that_the_font_lacks_are_known() -> None:
    assert not undrawable(["Plain words, 12 m?", "Café Łódź", "한글 간판", "北村 カフェ"])
    assert undrawable(["\U0001346f"])


def test_a_mask_that_does_not_fit_is_told_and_not_drawn(make_sample: MakeSample) -> None:
    sample = make_sample()
    view = Image.new("RGB", (320, 240), "grey")
    for mask, fault in (
        (Mask(height=9, width=9, counts=""), "9 x 9"),
        (Mask(height=240, width=320, counts="~~"), "run"),
    ):
        hedge = sample.cues[1].model_copy(update={"mask": mask})
        shown, notes = street_with_cues(view, "0", [hedge], 320, 240)
        assert "o1" in notes[0]
        assert fault in notes[0]
        assert shown.tobytes() == view.tobytes()


def test_cues_of_other_views_are_not_drawn(make_sample: MakeSample) -> None:
    view = Image.new("RGB", (320, 240), "grey")
    shown, notes = street_with_cues(view, "another", make_sample().cues, 320, 240)
    assert (shown.tobytes(), notes) == (view.tobytes(), [])


@given(
    st.floats(min_value=0, max_value=359.99),
    st.floats(min_value=1, max_value=180),
    st.floats(min_value=1, max_value=500),
)
def test_a_wedge_opens_around_its_heading(heading: float, hfov: float, radius: float) -> None:
    (x, y), *arc = wedge((10.0, 20.0), radius, heading, hfov)
    assert (x, y) == (10.0, 20.0)
    for px, py in arc:
        assert math.hypot(px - x, py - y) == pytest.approx(radius)
        bearing = math.degrees(math.atan2(px - x, y - py))
        assert abs((bearing - heading + 180) % 360 - 180) <= hfov / 2 + 1e-6
    ends = [math.degrees(math.atan2(px - x, y - py)) for px, py in (arc[0], arc[-1])]
    assert (ends[1] - ends[0]) % 360 == pytest.approx(hfov)


@pytest.mark.parametrize(("heading", "dx", "dy"), [(0, 0, -1), (90, 1, 0), (180, 0, 1), (270, -1, 0)])
def test_the_wedge_on_a_chip_points_where_the_camera_looks(
    make_sample: MakeSample, heading: int, dx: int, dy: int
) -> None:
    sample = make_sample()
    sample = sample.model_copy(
        update={"street_view": sample.street_view.model_copy(update={"heading_deg": float(heading)})}
    )
    plain = Image.new("RGB", (256, 256), "white")
    assert sample.aerial_chip is not None
    shown = np.asarray(chip_with_camera(plain, sample.aerial_chip, sample, [], 400)).astype(int)
    before, behind = shown[200 + 60 * dy, 200 + 60 * dx], shown[200 - 60 * dy, 200 - 60 * dx]
    assert behind.tolist() == [255, 255, 255]
    assert before[2] < 240
    assert np.abs(shown[200, 200] - CAMERA).max() < 8


@given(st.floats(min_value=0.01, max_value=10), st.floats(min_value=40, max_value=400))
def test_a_scale_bar_is_round_and_nearly_as_long_as_it_may_be(gsd: float, most_px: float) -> None:
    metres = scale_bar_m(gsd, most_px)
    assert 0.39 * most_px < metres / gsd <= most_px * 1.001
    assert f"{metres:.0e}"[0] in "125"


def test_labels_do_not_cover_each_other() -> None:
    empty = Image.new("RGB", (400, 300), "white")
    boxes = []
    for n in (1, 2, 3):
        page = empty.copy()
        draw_tags(page, [Tag(f"t{i} word", CAMERA, (100.0, 100.0, 140.0, 110.0)) for i in range(n)])
        boxes.append(int((np.asarray(page).sum(axis=2) < 300).sum()))
    assert boxes[1] > 1.8 * boxes[0]
    assert boxes[2] > 2.7 * boxes[0]


def test_labels_stay_within_a_small_picture_or_are_left_out() -> None:
    page = Image.new("RGB", (60, 20), "white")
    draw_tags(page, [Tag("far too wide for this", CAMERA, (5.0, 5.0, 10.0, 10.0))])
    assert page.tobytes() == Image.new("RGB", (60, 20), "white").tobytes()


def test_compass_points() -> None:
    assert [compass_point(b) for b in (0, 22, 23, 180, 337, 338, 359.9)] == [
        "north", "north", "north-east", "south", "north-west", "north", "north",
    ]  # fmt: skip
