"""RapidOCR on real photos, and the rules that keep its noise out."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError

from pipeline.config.perception import RapidOcr
from pipeline.errors import MachineError
from pipeline.perception import noise, openvino_session
from pipeline.perception.base import View
from pipeline.perception.noise import required_confidence
from pipeline.perception.rapidocr import RapidOcrEngine


@pytest.fixture(scope="module")
def engine() -> RapidOcrEngine:
    return RapidOcrEngine(RapidOcr())


def photo(corpus: Path, name: str) -> View:
    with Image.open(corpus / "street" / name) as image:
        picture = image.convert("RGB")
    picture.thumbnail((1024, 1024))
    return View(name, np.asarray(picture), None)


def test_a_shop_front_is_read_where_the_letters_are(engine: RapidOcrEngine, corpus: Path) -> None:
    view = photo(corpus, "boulder_co/522600408902779.jpg")
    boxes = engine.read([view])[0]
    sign = max(boxes, key=lambda box: box.confidence * np.ptp(box.polygon[::2]))
    assert (sign.text, sign.script) == ("ISLAND FARM", "Latn")
    x, y = np.array(sign.polygon[::2]), np.array(sign.polygon[1::2])
    height, width = view.pixels.shape[:2]
    assert ((x >= 0) & (x <= width) & (y >= 0) & (y <= height)).all()
    assert x[0] < x[1]
    assert y[0] < y[3]
    crop = view.pixels[int(y.min()) : int(y.max()), int(x.min()) : int(x.max())]
    padded = np.pad(crop, ((60, 60), (60, 60), (0, 0)), mode="edge")
    assert [box.text for box in engine.read([View("crop", padded, None)])[0]] == ["ISLAND FARM"]


def test_phone_numbers_and_addresses_on_the_net_are_not_kept(engine: RapidOcrEngine, corpus: Path) -> None:
    texts = [box.text for box in engine.read([photo(corpus, "boulder_co/1843640695799940.jpg")])[0]]
    assert {"1137", "ATHLETA", "OFFICE SUITES", "FOR LEASE"} <= set(texts)
    assert not [text for text in texts if "303" in text or "athleta.com" in text]


def test_a_dash_camera_imprint_is_not_kept(engine: RapidOcrEngine, corpus: Path) -> None:
    assert engine.read([photo(corpus, "mountain_house/l2-3.jpg")]) == [[]]


@pytest.mark.parametrize("name", ["panoramax_rennes/e4.jpg", "lund/11.jpg", "seoul_jongno/c195957933.jpg"])
def test_pictograms_and_masonry_are_no_characters(engine: RapidOcrEngine, corpus: Path, name: str) -> None:
    assert engine.read([photo(corpus, name)]) == [[]]


@pytest.mark.parametrize(
    ("name", "rubbish"),
    [
        ("boulder_co/239581627924116.jpg", "司"),
        ("boulder_co/1112831649184919.jpg", "m"),
        ("boulder_co/1785686708269484.jpg", "i"),
    ],
    ids=["a Han character", "a letter", "a stroke"],
)
def test_single_characters_are_kept_only_when_sure(
    engine: RapidOcrEngine, corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str, rubbish: str
) -> None:
    view = photo(corpus, name)
    assert rubbish not in [box.text for box in engine.read([view])[0]]
    monkeypatch.setattr(noise, "required_confidence", lambda _: 0.0)
    assert rubbish in [box.text for box in engine.read([view])[0]]  # so it is the rule that keeps it out


def test_a_word_cut_by_the_edge_of_the_view_is_left_out(engine: RapidOcrEngine, corpus: Path) -> None:
    texts = [box.text for box in engine.read([photo(corpus, "boulder_co/1542334890481505.jpg")])[0]]
    assert "IRD" not in texts


def test_threads_and_their_number_change_nothing(engine: RapidOcrEngine, corpus: Path) -> None:
    views = [photo(corpus, f"boulder_co/{name}.jpg") for name in (522600408902779, 1128164612563199, 4399645880353246)]
    alone = engine.read(views)
    assert all(alone)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda view: engine.read([view])[0], views))
    assert together == alone
    two = RapidOcrEngine(RapidOcr(threads=2))
    assert two.read(views[:1]) == alone[:1]
    assert two.fingerprint() == engine.fingerprint()


def test_pixels_are_prepared_bit_for_bit_as_rapidocr_would(engine: RapidOcrEngine) -> None:
    detector = engine._reader._load_det_model()
    pixels = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    own = type(detector).get_preprocess(detector)(pixels)
    prepared = detector.get_preprocess()(pixels)
    assert prepared.dtype == own.dtype
    assert (prepared == own).all()


def test_settings_that_change_answers_change_the_fingerprint(engine: RapidOcrEngine) -> None:
    assert RapidOcrEngine(RapidOcr(min_confidence=0.7)).fingerprint() != engine.fingerprint()
    assert engine.name in engine.fingerprint()


@pytest.fixture(scope="module")
def by_openvino() -> RapidOcrEngine:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    return RapidOcrEngine(RapidOcr(runtime="openvino"))


def test_another_runtime_reads_the_same(engine: RapidOcrEngine, by_openvino: RapidOcrEngine, corpus: Path) -> None:
    views = [photo(corpus, f"boulder_co/{name}.jpg") for name in (522600408902779, 1843640695799940)]
    one, other = engine.read(views), by_openvino.read(views)
    assert all(one)
    assert [[box.text for box in boxes] for boxes in other] == [[box.text for box in boxes] for boxes in one]
    assert by_openvino.fingerprint() != engine.fingerprint()


def test_threads_share_what_openvino_has_compiled(by_openvino: RapidOcrEngine, corpus: Path) -> None:
    views = [photo(corpus, f"boulder_co/{name}.jpg") for name in (522600408902779, 1128164612563199, 4399645880353246)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda view: by_openvino.read([view])[0], views))
    assert together == by_openvino.read(views)


def test_bfloat16_is_refused_where_it_would_be_float32_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = pytest.importorskip("openvino", reason="the extra openvino is not installed")
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])
    with pytest.raises(MachineError, match="precision: f32"):
        RapidOcrEngine(RapidOcr(runtime="openvino", precision="bf16"))
    with pytest.raises(ValidationError, match="bf16 goes with runtime: openvino"):
        RapidOcr(precision="bf16")


def test_a_runtime_that_is_not_installed_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino_session, "_core", openvino_session._core.__wrapped__)
    with pytest.raises(MachineError, match=r"pip install 'geoscribe\[openvino\]'"):
        RapidOcrEngine(RapidOcr(runtime="openvino"))


ENGINES_THAT_WENT = """
import faulthandler, os, signal
from pipeline.config.perception import RapidOcr
from pipeline.perception.rapidocr import RapidOcrEngine

faulthandler.enable()
for _ in range(2):
    RapidOcrEngine(RapidOcr(runtime="openvino"))
signal.signal(signal.SIGCHLD, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGCHLD)
"""


def test_a_signal_is_handled_after_engines_that_went() -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    done = subprocess.run([sys.executable, "-c", ENGINES_THAT_WENT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_odd_shapes_and_empty_pictures_are_read_as_nothing(
    engine: RapidOcrEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    shapes = [(1, 1), (8, 1024), (1024, 8), (200, 200), (768, 1024)]
    views = [View("", np.full((*shape, 3), value, np.uint8), None) for shape in shapes for value in (0, 90)]
    assert engine.read(views) == [[]] * 10
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("ISLAND FARM", 0.0), ("20", 0.0), ("M", 0.9), ("8", 0.9), ("I", 1.1), ("三", 1.1), ("- /", 1.1), ("唐", 0.97),
        ("上三", 0.9), ("HDH行K和", 0.9), ("寬動荘旅館", 0.0),
    ],
)  # fmt: skip
def test_the_less_a_text_says_the_surer_the_engine_must_be(text: str, needed: float) -> None:
    assert required_confidence(text) == needed


@pytest.mark.slow
@pytest.mark.seldom
def test_a_picture_with_400_words_and_one_upside_down(engine: RapidOcrEngine, corpus: Path) -> None:
    page = Image.new("RGB", (1024, 1024), (70, 60, 50))
    draw = ImageDraw.Draw(page)
    for line in range(40):
        draw.text((20, 8 + 25 * line), " ".join(["garden"] * 10), fill="white", font=ImageFont.load_default(17))
    (boxes,) = engine.read([View("page", np.asarray(page), None)])
    assert sum(box.text.count("garden") for box in boxes) > 100  # of each text at most 80 characters are kept
    turned = photo(corpus, "boulder_co/522600408902779.jpg").pixels[::-1, ::-1].copy()
    assert "ISLAND FARM" not in [box.text for box in engine.read([View("turned", turned, None)])[0]]
