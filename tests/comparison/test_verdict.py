"""The verdict from findings made by hand: levels, sentences and what is not to be used."""

import pandas as pd
import pytest

from pp_mlekl.comparison.verdict import Verdict, read_verdict
from pp_mlekl.diagnostics.diagnose import Diagnostics
from pp_mlekl.diagnostics.findings import finding, not_judged
from pp_mlekl.diagnostics.predictive_checks import TOPIC

GOOD = (finding("ok", "convergence", "agree"), finding("ok", "efficiency", "enough"))


def verdict(findings=GOOD, statuses=None, warnings=None, **arguments):
    empty = pd.DataFrame()
    diagnostics = Diagnostics(summary=empty, loo=empty, sensitivity=empty, findings=tuple(findings))
    return read_verdict(statuses or {"mle": "converged"}, warnings or {}, diagnostics, True, **arguments)


@pytest.mark.parametrize(
    ("levels", "worst"),
    [
        ((), "ok"),
        (("ok", "ok"), "ok"),
        (("ok", "caution"), "caution"),
        (("caution", "problem", "ok"), "problem"),
        (("problem", "caution"), "problem"),
    ],
)
def test_the_level_is_that_of_the_worst_finding(levels, worst):
    assert Verdict(conclusion="", findings=tuple(finding(level, "t", "text") for level in levels)).level == worst


@pytest.mark.parametrize(
    ("status", "level", "usable"),
    [
        ("converged", "ok", True),
        ("boundary", "caution", True),
        ("multimodal", "caution", True),
        ("at_infinity", "problem", False),
        ("unbounded", "problem", False),
        ("not_identified", "problem", False),
        ("failed", "problem", False),
    ],
)
def test_a_status_decides_its_level_and_whether_the_estimate_may_be_used(status, level, usable):
    read = verdict(statuses={"mle": status, "map": "converged"})
    (mle,) = [f for f in read.findings if f.topic == "MLE"]
    assert (mle.level, read.level) == (level, level)
    named = read.conclusion.partition("Do not use:")[2]
    assert ("MLE" in named) != usable
    assert "MAP" not in named


def test_a_warned_estimate_is_a_caution_and_quotes_its_warning():
    (mle,) = [f for f in verdict(warnings={"mle": ["Beware of x."]}).findings if f.topic == "MLE"]
    assert mle.level == "caution"
    assert mle.text.endswith("Beware of x.")
    (problem,) = [
        f for f in verdict(statuses={"mle": "failed"}, warnings={"mle": ["Beware of x."]}).findings if f.topic == "MLE"
    ]
    assert problem.level == "problem"


@pytest.mark.parametrize("topic", ["convergence", "efficiency", "divergences", "energy"])
def test_the_first_sentence_is_about_the_sampling(topic):
    sentences = {
        verdict([f]).conclusion.partition(".")[0]
        for f in (
            finding("ok", topic, "x"),
            finding("caution", topic, "x"),
            finding("problem", topic, "x"),
            not_judged(topic, "x"),
        )
    }
    assert len(sentences) == 4


def test_one_finding_among_others_decides_the_sentence():
    good = finding("ok", "efficiency", "x")
    for other in (finding("caution", "energy", "x"), finding("problem", "energy", "x"), not_judged("convergence", "x")):
        assert verdict([good, other]).conclusion == verdict([other]).conclusion


def test_a_misfit_is_in_the_conclusion_only_where_it_is_a_problem():
    fits, misfits = (verdict([*GOOD, finding(level, "calibration", "x")]) for level in ("ok", "problem"))
    assert fits.conclusion == verdict().conclusion
    assert misfits.conclusion.startswith(fits.conclusion)
    assert len(misfits.conclusion) > len(fits.conclusion)
    assert verdict([*GOOD, finding("caution", "calibration", "x")]).conclusion == fits.conclusion


def test_features_that_are_missed_are_in_the_conclusion():
    plain = verdict().conclusion
    assert verdict([*GOOD, finding("ok", TOPIC, "x")]).conclusion == plain
    missed = {verdict([*GOOD, finding(level, TOPIC, "x")]).conclusion for level in ("caution", "problem")}
    (conclusion,) = missed
    assert conclusion.startswith(plain)
    assert conclusion != plain
    # A misfit of the whole distribution is graver.
    both = verdict([*GOOD, finding("caution", TOPIC, "x"), finding("problem", "calibration", "x")]).conclusion
    assert both == verdict([*GOOD, finding("problem", "calibration", "x")]).conclusion


def test_warnings_of_computed_parts_become_cautions_with_their_topic():
    read = verdict(warnings={"information_gain": ["a"], "fitted": ["b"], "prior_predictive": ["c"]})
    found = {f.text: (f.topic, f.level) for f in read.findings}
    assert found["a"] == ("prior to posterior", "caution")
    assert found["b"] == ("fitted distributions", "caution")
    assert found["c"] == ("prior predictive", "caution")


def test_scope_is_named_where_the_truth_is_unknown():
    assert verdict().scope
    assert verdict().sentence.endswith(verdict().scope)
