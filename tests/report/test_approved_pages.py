"""Every kind of page against its approved outline: words, numbers, colours, places and sizes."""

from difflib import SequenceMatcher
from itertools import zip_longest

import approved_pages
import pytest
from outline import agree, outline


def differences(old, new):
    """Lines that are not the same up to rounding, as a reader of a diff sees them."""
    found = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            pairs = zip_longest(old[a:b], new[c:d], fillvalue="")
            found += [f"- {one}\n+ {other}" for one, other in pairs if not agree(one, other)]
    return found


@pytest.mark.parametrize("name", approved_pages.PAGES)
def test_a_page_holds_what_was_approved(tmp_path, name):
    """After a change that is meant: ``python tests/report/approved_pages.py``."""
    old = (approved_pages.FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    found = differences(old, outline(approved_pages.PAGES[name](tmp_path / f"{name}.html").read_text(encoding="utf-8")))
    assert not found, "\n".join(found[:20])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("rect x=100.1", "rect x=100.2", True),
        ("rect x=100.1", "rect x=100.4", False),
        ("  0.1234 nats", "  0.1235 nats", True),
        ("  0.1234 nats", "  0.1250 nats", False),
        ("  0.1234 nats", "  0.1234 bits", False),
        ("  p < .001", "  p = .001", False),
    ],
)
def test_lines_agree_up_to_rounding(one, other, same):
    assert agree(one, other) is same


def test_differences_are_seen():
    assert differences(["a", "b 1.0", "c"], ["a", "b 2.0", "c"]) == ["- b 1.0\n+ b 2.0"]
    assert differences(["a", "c"], ["a", "b", "c"]) == ["- \n+ b"]
