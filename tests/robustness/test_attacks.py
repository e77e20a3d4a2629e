"""The attacks: those that take long are in the slow tier, all together are made by ``attacks.py``."""

import re

import attacks
import pytest
from attack import ATTACKS, make_all
from given import Given

QUICK = {"names of pages", "names of builders", "texts of distributions", "code that nobody named"}
KINDS = list(dict.fromkeys(one.kind for one in ATTACKS))


@pytest.fixture(scope="module")
def given():
    return Given()


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in KINDS]
)
def test_no_attack_does_harm(kind, given, tmp_path):
    if kind == "full disks" and not attacks.can_mount(tmp_path / "disk"):
        pytest.skip("This user may not mount a small disk.")
    found = make_all([one for one in ATTACKS if one.kind == kind], tmp_path, given)
    harm = found[found["outcome"] != "held"]
    assert harm.empty, harm.to_string()


def test_there_are_as_many_as_promised():
    assert len(ATTACKS) >= 400


def test_the_table_of_the_page_is_up_to_date(root):
    page = (root / "docs" / "reliability.md").read_text(encoding="utf-8")
    told = {
        kind: int(count)
        for kind, count in re.findall(r"^\| ([a-z][^|]*?) \| (\d+) \| 0 \| 0 \| 0 \|$", page, re.MULTILINE)
    }
    assert told
    assert told.items() <= {kind: sum(one.kind == kind for one in ATTACKS) for kind in KINDS}.items()
