"""Text in pictures: widths, line breaks, and escaping.

Letters that the font lacks are drawn as empty boxes. `undrawable` finds them, so that the picture can say so.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from pipeline.imaging.font import covered, ink, line_width

Colour = tuple[int, int, int]

INK: Colour = (29, 35, 41)
MUTED: Colour = (84, 96, 107)
LINE: Colour = (214, 220, 226)
SHADE: Colour = (244, 246, 248)
PAPER: Colour = (255, 255, 255)

_BOX = "\u25a1"
_JOINERS = "\u200c\u200d"
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Style:
    """Style of a piece of text; size in pixels."""

    size: int = 17
    bold: bool = False
    colour: Colour = INK


def printable(text: str) -> str:
    """Text that is safe to print: control, bidirectional and invisible characters are escaped."""
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    if category in ("Cc", "Cs") or (category == "Cf" and char not in _JOINERS):
        return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
    return char


def undrawable(texts: Iterable[str]) -> bool:
    """Whether the font lacks any letter of the texts."""
    return any(not _covered(char) for text in texts for char in set(printable(text)))


def width_of(text: str, style: Style) -> int:
    """Width of a line of text, in pixels."""
    return line_width(_drawable(text), style.size, _weight(style))


def draw_line(picture: Image.Image, left: float, baseline: float, text: str, style: Style) -> None:
    """Draw one line of text, starting at `left` on `baseline`."""
    rise, margin = round(1.4 * style.size), style.size
    shape = 2 * style.size, width_of(text, style) + 2 * margin
    mask = ink(_drawable(text), shape, (margin, rise), style.size, _weight(style))
    picture.paste(style.colour, (round(left) - margin, round(baseline) - rise), Image.fromarray(mask))


def elide(text: str, style: Style, width: float) -> str:
    """The text, truncated with an ellipsis if it is wider than `width` pixels."""
    if width_of(text, style) <= width:
        return text
    text = text[: max(0, int(width))]  # hardly a letter is narrower than a pixel
    while text and width_of(text + "...", style) > width:
        text = text[:-1]
    return text.rstrip() + "..." if text else ""


def flow(
    pieces: Sequence[tuple[str, Style]] | str, width: int, style: Style | None = None, ground: Colour = PAPER
) -> Image.Image:
    """A paragraph of pieces in different styles, separated by blanks and wrapped at `width` pixels."""
    if isinstance(pieces, str):
        pieces = [(pieces, style or Style())]
    lines = _broken(pieces, width)
    size = max((look.size for _, look in pieces), default=Style().size)
    leading = round(size * 1.4)
    picture = Image.new("RGB", (width, leading * len(lines)), ground)
    for i, line in enumerate(lines):
        x = 0
        for word, look in line:
            draw_line(picture, x, i * leading + round(size * 1.05), word, look)
            x += width_of(word, look)
    return picture


def _broken(pieces: Sequence[tuple[str, Style]], width: int) -> list[list[tuple[str, Style]]]:
    """Lines of (text, style), with a blank before every word except the first of a line."""
    lines: list[list[tuple[str, Style]]] = [[]]
    used = 0
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
    """A word, cut if it is wider than a line (links, scripts without blanks)."""
    if width_of(word, style) <= width:
        return [word]
    parts = [""]
    for char in word:
        if parts[-1] and width_of(parts[-1] + char, style) > width:
            parts.append("")
        parts[-1] += char
    return parts


def _drawable(text: str) -> str:
    return "".join(char if _covered(char) else _BOX for char in printable(text))


def _covered(char: str) -> bool:
    return char in _JOINERS or covered(char)


def _weight(style: Style) -> int:
    return 650 if style.bold else 400
