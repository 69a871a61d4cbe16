"""Which scripts (ISO 15924) an OCR engine reads, as far as that is known from its documentation."""

from pipeline.config.perception import EasyOcr, EngineSection, RapidOcr

_RAPIDOCR = frozenset({"Latn", "Hans", "Hant", "Jpan"})
"""PP-OCRv6: https://github.com/PaddlePaddle/PaddleOCR lists simplified and traditional Chinese, Japanese and Latin."""
_EASYOCR = {
    "Arab": {"ar", "fa", "ug", "ur"},
    "Beng": {"as", "bn", "mni"},
    "Cyrl": {
        "abq", "ady", "ava", "be", "bg", "che", "dar", "inh", "kbd", "lbe", "lez", "mn", "rs_cyrillic", "ru", "tab",
        "tjk", "uk",
    },
    "Deva": {"ang", "bgc", "bh", "bho", "gom", "hi", "mah", "mai", "mr", "ne", "new", "sa", "sck"},
    "Hans": {"ch_sim"},
    "Hant": {"ch_tra"},
    "Jpan": {"ja"},
    "Knda": {"kn"},
    "Kore": {"ko"},
    "Taml": {"ta"},
    "Telu": {"te"},
    "Thai": {"th"},
}  # fmt: skip
"""Codes of EasyOCR's languages by script; all others are in Latin script: https://www.jaided.ai/easyocr/."""


def scripts_of(config: EngineSection) -> frozenset[str] | None:
    """The scripts that an engine reads; None if it is not known."""
    if isinstance(config, RapidOcr):
        return _RAPIDOCR
    if isinstance(config, EasyOcr):
        by_code = {code: script for script, codes in _EASYOCR.items() for code in codes}
        return frozenset(by_code.get(code, "Latn") for code in config.languages)
    return None
