"""Finds the script of a text, as an ISO 15924 code."""

import unicodedata
from collections import Counter

COMMON = "Zyyy"
"""ISO 15924 for text without letters: digits, punctuation."""

# The first word of a letter's Unicode name is its script; only the scripts of living public signage are told apart.
_CODES = {
    "LATIN": "Latn",
    "CJK": "Hani",
    "HIRAGANA": "Hira",
    "KATAKANA": "Kana",
    "KATAKANA-HIRAGANA": "Kana",
    "HANGUL": "Hang",
    "BOPOMOFO": "Bopo",
    "CYRILLIC": "Cyrl",
    "GREEK": "Grek",
    "ARABIC": "Arab",
    "HEBREW": "Hebr",
    "THAI": "Thai",
    "LAO": "Laoo",
    "KHMER": "Khmr",
    "MYANMAR": "Mymr",
    "DEVANAGARI": "Deva",
    "BENGALI": "Beng",
    "TAMIL": "Taml",
    "TELUGU": "Telu",
    "KANNADA": "Knda",
    "MALAYALAM": "Mlym",
    "GUJARATI": "Gujr",
    "GURMUKHI": "Guru",
    "SINHALA": "Sinh",
    "GEORGIAN": "Geor",
    "ARMENIAN": "Armn",
    "ETHIOPIC": "Ethi",
    "TIBETAN": "Tibt",
    "MONGOLIAN": "Mong",
}


def main_script(text: str) -> str:
    """ISO 15924 code of the script that most of the text's letters are in.

    Kana among Han characters makes the text Japanese (`Jpan`). Ties go to the script that comes first in the text.
    `Zyyy` where there is no letter, `Zzzz` where the letters are of a script not told apart here.
    """
    counts: Counter[str] = Counter()
    for character in unicodedata.normalize("NFKC", text):  # full-width Latin is Latin, half-width kana is kana
        if unicodedata.category(character).startswith("L"):
            counts[_CODES.get(unicodedata.name(character, "").split(" ")[0], "Zzzz")] += 1
    if not counts:
        return COMMON
    if counts["Hani"] and (counts["Hira"] or counts["Kana"]):
        counts["Jpan"] = counts.pop("Hani") + counts.pop("Hira", 0) + counts.pop("Kana", 0)
    return max(counts, key=counts.__getitem__)
