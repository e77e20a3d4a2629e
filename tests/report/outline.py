"""A page as lines of text: one for each element, with its attributes and words, numbers to four digits."""

import base64
import re
from html.parser import HTMLParser

_NUMBER = re.compile(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?")
# Differ from run to run or by the version of a library.
_VARIABLE = "id clip-path xlink:href href aria-labelledby for xmlns xmlns:xlink version points".split()
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_UNSEEN = ("style", "script", "metadata", "defs")


class _Lines(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.unseen: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in _UNSEEN:
            self.unseen.append(tag)
        if self.unseen:
            return
        found = dict(attrs)
        words = [tag]
        for name, value in found.items():
            if name == "href" and (value or "").startswith("data:") and ";base64," in value:
                text = base64.b64decode(value.partition(";base64,")[2]).decode()
                words.append(f"file: {' | '.join(text.splitlines())}")
            elif name == "d":
                words.append(_path(value))
            elif name not in _VARIABLE:
                words.append(f'{name}="{value}"' if value is not None else name)
        if tag != "g" or len(words) > 1:
            self.lines.append(" ".join(" ".join(words).split()))

    def handle_endtag(self, tag):
        if self.unseen and self.unseen[-1] == tag:
            self.unseen.pop()

    def handle_data(self, data):
        if data.strip() and not self.unseen:
            self.lines.append("  " + " ".join(data.split()))


def _path(d: str) -> str:
    """The commands of a path, how many there are, and the box of its points."""
    x = [float(n) for n in _NUMBER.findall(d)]
    kinds = "".join(dict.fromkeys(c for c in d if c.isalpha() and c not in "eE"))
    if not x:
        return f"path {kinds}"
    even, odd = x[::2], x[1::2] or [0.0]
    box = (min(even), max(even), min(odd), max(odd), sum(even) / len(even), sum(odd) / len(odd))
    return f"path {kinds} of {len(x)}: " + " ".join(f"{value:.1f}" for value in box)


def outline(html: str) -> list[str]:
    """Lines that say what a page holds."""
    parser = _Lines()
    parser.feed(html)
    return [_NUMBER.sub(lambda m: _short(m[0]), _VERSION.sub("VERSION", line)) for line in parser.lines]


def _short(number: str) -> str:
    return number if len(number) < 6 else f"{float(number):.4g}"


def agree(one: str, other: str) -> bool:
    """Whether two lines hold the same words, and numbers that differ by rounding alone."""
    if one == other:
        return True
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(map(float, _NUMBER.findall(one)), map(float, _NUMBER.findall(other)), strict=True)
    # A tenth of a pixel, or one of the last of four digits.
    return all(abs(a - b) <= max(0.11 * (abs(a) >= 10), 2e-3 * abs(b), 1e-12) for a, b in pairs)
