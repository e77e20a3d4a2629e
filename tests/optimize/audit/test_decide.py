"""The table of statuses, and the messages that follow: neither measures anything."""

import numpy as np
import pytest

from pp_mlekl.optimize.audit.verdict import STATUSES, TABLE, Finding, decide

ORDER = [
    ("nonsmooth", "steps", "failed"),
    ("unbounded", "divergence", "unbounded"),
    ("recession", "direction", "at_infinity"),
    ("boundary", "limit", "boundary"),
    ("nonsmooth", "support", "boundary"),
    ("nonsmooth", "kink", "converged"),
    ("noise", "undefined", "failed"),
    ("noise", "unfinished", "failed"),
    ("identifiability", "flat", "not_identified"),
    ("multimodality", "rivals", "multimodal"),
]
SILENT = [
    ("unbounded", "elsewhere"),
    ("identifiability", "weak"),
    ("identifiability", "singular"),
    ("multimodality", "higher"),
    ("nonsmooth", "higher"),
    ("noise", "hessian"),
]


def finding(test, kind):
    return Finding(test=test, kind=kind, directions=np.zeros((0, 1)), measured=0.0, threshold=0.0, unit="nats")


@pytest.mark.parametrize(("test", "kind", "status"), ORDER)
def test_one_finding_has_one_status(test, kind, status):
    assert decide([finding(test, kind)]) == status


@pytest.mark.parametrize(("test", "kind"), SILENT)
def test_findings_about_a_maximum_leave_it_one(test, kind):
    assert decide([finding(test, kind)]) == "converged"


def test_the_first_row_decides_whatever_the_order_of_findings():
    for first in range(len(ORDER)):
        found = [finding(test, kind) for test, kind, _ in ORDER[first:]]
        assert decide(found) == decide(found[::-1]) == ORDER[first][2]


def test_every_row_is_tested_and_has_a_known_status():
    assert [(*what, status) for what, status in TABLE] == ORDER
    assert {status for _, status in TABLE} <= set(STATUSES)
