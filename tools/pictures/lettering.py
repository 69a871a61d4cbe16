"""Text in pictures: which font has which letter, how wide it is, where lines break, what may be shown at all.

Pillow's built-in font has ASCII and little more, so fonts of the system are preferred where they are found. A letter that
no font has is drawn as an empty box; `undrawable` says so beforehand, so that the picture can say it too.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK: Colour = (29, 35, 41)
MUTED: Colour = (84, 96, 107)
LINE: Colour = (214, 220, 226)
SHADE: Colour = (244, 246, 248)
PAPER: Colour = (255, 255, 255)

_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "C:/Windows/Fonts",
)
_REGULAR = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")
_BOLD = ("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf")
_OTHER_SCRIPTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKkr-Regular.otf",
    "NotoSansKR-Regular.ttf",
    "AppleSDGothicNeo.ttc",
    "malgun.ttf",
    "msyh.ttc",
)
_NO_GLYPH = "\U0010fffd"
"""A code point that no font has: drawing it gives the font's empty box."""
_JOINERS = "\u200c\u200d"
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Style:
    """How a piece of text looks; size in pixels."""

    size: int = 17
    bold: bool = False
    colour: Colour = INK


def printable(text: str) -> str:
    """Text safe to print: control, bidirectional and invisible characters stand as escapes, white space is a blank."""
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    if category in ("Cc", "Cs") or (category == "Cf" and char not in _JOINERS):
        return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
    return char


def undrawable(texts: Iterable[str]) -> bool:
    """Whether any letter of the texts is in no font at hand."""
    return any(_owner(char, bold=False) is None for text in texts for char in set(printable(text)))


def width_of(text: str, style: Style) -> float:
    """Pixels that a line of text takes."""
    return sum(font.getlength(run) for font, run in _runs(text, style))


def draw_line(canvas: ImageDraw.ImageDraw, left: float, baseline: float, text: str, style: Style) -> float:
    """Draw one line of text and return its width in pixels. `left` and `baseline` are where it starts."""
    x = left
    for font, run in _runs(text, style):
        canvas.text((x, baseline), run, font=font, fill=style.colour, anchor="ls")
        x += font.getlength(run)
    return x - left


def elide(text: str, style: Style, width: float) -> str:
    """The text, cut with three dots where it is wider than `width` pixels."""
    if width_of(text, style) <= width:
        return text
    while text and width_of(text + "...", style) > width:
        text = text[:-1]
    return text.rstrip() + "..."


def flow(pieces: Sequence[tuple[str, Style]] | str, width: int, style: Style | None = None) -> Image.Image:
    """A paragraph of differently styled pieces, broken into lines of `width` pixels; pieces are separated by a blank."""
    if isinstance(pieces, str):
        pieces = [(pieces, style or Style())]
    lines = _broken(pieces, width)
    size = max((piece.size for _, piece in pieces), default=Style().size)
    leading = round(size * 1.4)
    picture = Image.new("RGBA", (width, leading * len(lines)), (255, 255, 255, 0))
    canvas = ImageDraw.Draw(picture)
    for i, line in enumerate(lines):
        x = 0.0
        for word, look in line:
            x += draw_line(canvas, x, i * leading + round(size * 1.05), word, look)
    return picture


def _broken(pieces: Sequence[tuple[str, Style]], width: int) -> list[list[tuple[str, Style]]]:
    """Lines of (text, style); a blank stands before every word but a line's first."""
    lines: list[list[tuple[str, Style]]] = [[]]
    used = 0.0
    for text, style in pieces:
        blank = width_of(" ", style)
        for word in _WORD.findall(printable(text)):
            for part in _parts(word, style, width):
                wide = width_of(part, style)
                if lines[-1] and used + blank + wide <= width:
                    lines[-1].append((" " + part, style))
                    used += blank + wide
                else:
                    if lines[-1]:
                        lines.append([])
                    lines[-1].append((part, style))
                    used = wide
    return lines


def _parts(word: str, style: Style, width: int) -> list[str]:
    """A word, cut where it is wider than a whole line, as links and scripts without blanks are."""
    if width_of(word, style) <= width:
        return [word]
    parts = [""]
    for char in word:
        if parts[-1] and width_of(parts[-1] + char, style) > width:
            parts.append("")
        parts[-1] += char
    return parts


def _runs(text: str, style: Style) -> list[tuple[ImageFont.FreeTypeFont, str]]:
    """The text in stretches that one font can draw."""
    owners = [_owner(char, bold=style.bold) for char in text]
    runs = []
    for owner, group in groupby(zip(owners, text, strict=True), key=lambda pair: pair[0]):
        chars = [char for _, char in group]
        drawn = "".join(chars) if owner is not None else _NO_GLYPH * len(chars)
        runs.append((_fonts(replace(style, colour=INK))[owner or 0], drawn))
    return runs


@lru_cache(maxsize=65_536)
def _owner(char: str, *, bold: bool) -> int | None:
    """Index of the first font that has the letter."""
    for i, font in enumerate(_fonts(Style(size=20, bold=bold))):
        if char.isspace() or char in _JOINERS or bytes(font.getmask(char)) != bytes(font.getmask(_NO_GLYPH)):
            return i
    return None


@lru_cache(maxsize=64)
def _fonts(style: Style) -> tuple[ImageFont.FreeTypeFont, ...]:
    """Fonts in order of preference; the built-in one is last before the other scripts', so there is always one."""
    latin = _found(_BOLD if style.bold else _REGULAR)[:1] + (_found(_REGULAR)[:1] if style.bold else [])
    builtin = ImageFont.load_default(style.size)
    assert isinstance(builtin, ImageFont.FreeTypeFont), "Pillow is built without FreeType"
    system = [ImageFont.truetype(path, style.size) for path in latin]
    others = [ImageFont.truetype(path, style.size) for path in _found(_OTHER_SCRIPTS)[:1]]
    return (*system, builtin, *others)


def _found(names: Sequence[str]) -> list[Path]:
    files = _system_fonts()
    return [files[name] for name in names if name in files]


@lru_cache(maxsize=1)
def _system_fonts() -> dict[str, Path]:
    """Font files by name. The sorted first one counts where a name is there twice."""
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        for where, folders, names in os.walk(Path(folder).expanduser()):
            folders.sort()
            for name in sorted(names):
                found.setdefault(name, Path(where) / name)
    return found
