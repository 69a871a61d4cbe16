"""Text from outside, made fit to stand in a cue: cleaned, and refused where it is personal data or an instruction.

What is written on a sign, or entered as a name in a map, is data that anybody may have put there.
"""

import re
import unicodedata

from pipeline.perception.instructions import is_instruction

MAX_CHARACTERS = 80
"""More than any sign's line holds; longer text is cut here."""

# Letters and marks that show nothing and that no category gives away: fillers, joiners, variation selectors.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0xFFFC, 0xFFFD}
_INVISIBLE |= {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}

_PERSONAL = [
    re.compile(pattern)
    for pattern in (
        r"\S@\S",  # e-mail
        r"(?<!\w)@\w{3,}",  # account name
        r"(?i)https?:|\bwww\b",
        r"(?i)\w\.(com|net|org|info|biz|shop|app|co\.\w\w)\b",
        r"\w{3,}\.[a-z]{2}\b(?!\.)",  # country domain; lower case, or "St.MARY" would be one
        r"\b[A-Z]{2}\d{2}[ ]?([A-Z0-9]{4}[ ]?){3,}",  # IBAN
        # What a dash camera prints into the picture: clock time with seconds, date, coordinates.
        r"\d{1,2}:\d{2}:\d{2}",
        r"\b(19|20)\d\d([-/.])[01]\d\2[0-3]\d",
        r"\d{1,3}\.\d{4,}",
    )
]
_PHONE = re.compile(r"\+?\(?\d(?:[ ()./\-\u00b7]{0,3}\d){6,14}")
_DIALLED = re.compile(r"(?<!\d)0\d{2,4} ?[/-] ?\d{3,}(?!\d)")
"""Short numbers with an area code, as German signs have them: `030/12345`."""
_YEARS = re.compile(r"(?:1[5-9]|20)\d\d ?[-/] ?(?:1[5-9]|20)\d\d")

_PLATE_CHARACTERS = re.compile(r"[A-Z0-9 .:\u00b7\-]+")
_TIME = re.compile(r"\d{1,2}([:.]\d\d)? ?[AP]M")
_ROADS = re.compile(r"^[A-Z]\d{1,3}(?:[ /]+[A-Z]\d{1,3})+$")
"""Numbers of roads, side by side on a signpost: `M25 A40`."""
_STREET_WORDS = re.compile(r"\b(AVE|RUE|VIA|WAY|STR|OAK|ELM|KMH|MPH|UHR)\b")
_FOUNDED = re.compile(r"^(?:EST|ESTD)\b\.? ?(?:1[5-9]|20)\d\d$")
_UMLAUT_PLATE = re.compile(r"[A-ZÄÖÜ]{1,3}[ .:\u00b7\u2022\-]{1,3}[A-Z]{1,2} ?\d{1,4} ?[EH]?")
"""German plates, whose districts may have umlauts: `MÜ-XY 12E`."""
_EAST_ASIAN_PLATE = re.compile(
    r"\d{2,3} ?[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3] ?\d{4}|[\u4e00-\u9fff][A-Z] ?·? ?[A-Z0-9]{5}"
)


def publishable(text: str) -> str | None:
    """The cleaned text, or None where nothing is left or what is left must not be kept."""
    cleaned = clean(text)
    return None if not cleaned or is_personal(cleaned) or is_instruction(cleaned) else cleaned


def clean(text: str) -> str:
    """NFC; control, bidirectional, zero-width and other invisible characters gone, white space collapsed, cut."""
    kept = (
        " " if character.isspace() else character
        for character in text
        if character.isspace() or not (unicodedata.category(character).startswith("C") or ord(character) in _INVISIBLE)
    )
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))[:MAX_CHARACTERS].strip()


def is_personal(text: str) -> bool:
    """Whether it looks like a phone number, an address on the net, a licence plate or a camera's own imprint."""
    if any(pattern.search(text) for pattern in _PERSONAL):
        return True
    phone = _PHONE.search(text)
    if phone is not None and not _YEARS.fullmatch(phone.group()):
        return True
    return _DIALLED.search(text) is not None or looks_like_plate(text)


def looks_like_plate(text: str) -> bool:
    """Whether it has the shape of a vehicle's licence plate.

    Plates the world over are short runs of capital letters (at most three) and digits (at most five) in turn. A house
    number (`957 MAIN`, `1137`, `10A-C`, `110TH`) has a longer word, no letters, or one suffix.
    """
    if _EAST_ASIAN_PLATE.search(text) or (_UMLAUT_PLATE.fullmatch(text) and not text.isascii()):
        return True
    if not _PLATE_CHARACTERS.fullmatch(text) or any(
        other.search(text) for other in (_TIME, _STREET_WORDS, _ROADS, _FOUNDED)
    ):
        return False
    runs = re.findall(r"[A-Z]+|\d+", text)
    letters = [len(run) for run in runs if run[0] > "9"]
    digits = [len(run) for run in runs if run[0] <= "9"]
    if not letters or not 5 <= sum(letters) + sum(digits) <= 10 or max(letters) > 3 or sum(digits) < 2:
        return False
    if max(digits) > 5:
        return False
    if len(runs) > 2:
        return True
    number_last = runs[0][0] > "9"
    return (letters[0] == 3 and digits[0] >= 3) or (letters[0] == 2 and digits[0] >= 4 and number_last)
