"""Fonts for the names in pictures: names of classes and files come in any alphabet, and no font has them all."""

from functools import cache
from typing import Any

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SIZE = 13  # pixels
# its glyphs are boxes that say which alphabet is missing
_NO_LETTERS = "lastresort"


def plain_font() -> Font:
    """Pillow's own, of Latin letters."""
    return ImageFont.load_default(size=SIZE)


@cache
def font_for(text: str) -> Font | None:
    """A font that has all characters of a text: Pillow's own, else matplotlib's DejaVu Sans, else an installed one.

    Returns:
        The font, or None where no font at hand has them.
    """
    wanted = frozenset(text)
    if all(" " <= character <= "~" for character in wanted):
        return plain_font()
    # only such texts need it, and it takes a while
    from matplotlib import font_manager

    ours = font_manager.findfont("DejaVu Sans")
    others = sorted({font.fname for font in font_manager.fontManager.ttflist if _is_plain(font)})
    for path in (ours, *others):
        if wanted <= _characters(path):
            return ImageFont.truetype(path, SIZE)
    return None


def written(text: str, otherwise: str) -> str:
    """A text if there is a font for it, else another one that says the same in Latin letters, such as a number."""
    return text if font_for(text) is not None else otherwise


def in_ascii(text: str) -> str:
    """A text with escapes in place of all that is not ASCII."""
    return text.encode("ascii", "backslashreplace").decode()


def _is_plain(font: Any) -> bool:
    upright = font.style == "normal" and font.weight in (400, "normal", "regular", "book")
    return upright and _NO_LETTERS not in font.fname.lower()


@cache
def _characters(path: str) -> frozenset[str]:
    """The characters that a font has; none for one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()
