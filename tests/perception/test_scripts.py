"""The script that a text is written in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.perception.scripts import COMMON, main_script


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("ISLAND FARM", "Latn"),
        ("NORRØNA", "Latn"),
        ("\uff23\uff21\uff26\uff25", "Latn"),
        ("957 MAIN", "Latn"),
        ("옛마을", "Hang"),
        ("旅館", "Hani"),
        ("ラーメン", "Kana"),
        ("美味しい茶", "Jpan"),
        ("Аптека", "Cyrl"),
        ("φαρμακείο", "Grek"),
        ("صيدلية", "Arab"),
        ("בית", "Hebr"),
        ("ร้านอาหาร", "Thai"),
        ("कपड़ा", "Deva"),
        ("ᚠᚢ", "Zzzz"),
        ("1137", COMMON),
        ("", COMMON),
        ("旅館 Insadong Hotel", "Latn"),
        ("옛마을 OK", "Hang"),
    ],
)
def test_the_main_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert main_script(text) == script


@given(st.text())
def test_every_text_has_a_four_letter_code(text: str) -> None:
    assert len(main_script(text)) == 4


@given(st.text(alphabet="aé旅옛あ", min_size=1), st.text(alphabet=" 0123.-!"))
def test_digits_and_punctuation_do_not_count(letters: str, others: str) -> None:
    assert main_script(letters + others) == main_script(letters)
