from dataclasses import replace

from pipeline.perception.base import TextBox
from pipeline.perception.lines import joined_lines
from schemas.records import Look


def box(text: str, left: float, top: float, width: float, height: float, script: str = "Latn") -> TextBox:
    right, bottom = left + width, top + height
    return TextBox(text, 0.9, (left, top, right, top, right, bottom, left, bottom), script)


def texts(*boxes: TextBox) -> list[str]:
    return [found.text for found in joined_lines(boxes)]


def test_lines_under_one_another_are_one_sign() -> None:
    (sign,) = joined_lines([box("INDIA", 105, 45, 90, 40), box("LITTLE", 100, 0, 100, 40)])
    assert sign.text == "LITTLE INDIA"
    assert sign.polygon == (100, 0, 200, 0, 200, 85, 100, 85)


def test_words_beside_one_another_are_one_sign() -> None:
    assert texts(box("MAIN", 80, 2, 100, 40), box("957", 0, 0, 60, 40)) == ["957 MAIN"]


def test_what_stands_apart_stays_apart() -> None:
    assert len(texts(box("BANK", 0, 0, 100, 40), box("CAFE", 200, 0, 100, 40))) == 2
    assert len(texts(box("BANK", 0, 0, 100, 40), box("CAFE", 0, 90, 100, 40))) == 2
    assert len(texts(box("BANK", 0, 0, 100, 40), box("small print", 0, 42, 100, 12))) == 2
    assert len(texts(box("BANK", 0, 0, 100, 40), box("은행", 0, 42, 100, 40, "Hang"))) == 2


def test_a_notice_of_many_lines_does_not_become_one_text() -> None:
    found = texts(*(box(f"line {n}", 0, 22 * n, 100, 20) for n in range(9)))
    assert found == ["line 0 line 1 line 2", "line 3 line 4 line 5", "line 6 line 7 line 8"]
    assert len(texts(box("a long line of words on a board", 0, 0, 300, 20), box("and another", 0, 22, 300, 20))) == 2


def test_the_order_in_which_they_were_read_does_not_matter() -> None:
    boxes = [box("SHOE", 0, 0, 90, 30), box("FLY", 0, 32, 80, 30), box("OPEN", 300, 0, 90, 30)]
    assert joined_lines(boxes) == joined_lines(boxes[::-1])


def test_no_line_in_between_is_left_out() -> None:
    slanted = box("LITTLE", 65, 38, 64, 32)
    assert texts(box("CAFE", 65, 20, 25, 16), slanted, box("INDIA", 65, 60, 61, 28)) == ["CAFE", "LITTLE INDIA"]
    assert texts(box("A", 0, 0, 60, 20), box("B", 0, 12, 60, 40), box("C", 0, 29, 60, 20)) == ["A", "B", "C"]


def test_a_sign_has_the_looks_that_no_two_of_its_lines_disagree_on() -> None:
    white, black = (Look(kind="lettering", value=value, confidence=0.9) for value in ("white", "black"))
    red = Look(kind="background", value="red", confidence=0.8)
    upper, lower = box("LITTLE", 100, 0, 100, 40), box("INDIA", 105, 45, 90, 40)
    (alike,) = joined_lines([replace(upper, looks=(white, red)), replace(lower, looks=(white,))])
    assert alike.looks == (white, red)
    (unlike,) = joined_lines([replace(upper, looks=(white, red)), replace(lower, looks=(black,))])
    assert unlike.looks == (red,)
