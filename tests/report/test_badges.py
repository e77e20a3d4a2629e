"""Badges from findings made by hand: level, word, number and place."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.diagnostics.findings import finding, not_judged
from pp_mlekl.report.badges import _short, badges


def made(findings, statuses=None, gained=(2.5, 0.123), warned=(), marginal=None):
    audit = xr.Dataset(
        {"agree": ("estimator", [7, 4]), "starts": ("estimator", [10, 11])}, coords={"estimator": ["mle", "map"]}
    )
    joint = {} if gained is None else dict(zip(("kl_posterior_prior", "kl_posterior_prior_mcse"), gained, strict=True))
    tree = xr.DataTree.from_dict({"audit": audit, "information_gain/joint": xr.Dataset(joint)})
    summary = pd.DataFrame({"r_hat": [1.001, 1.0042], "ess_bulk": [900.7, 800.6], "ess_tail": [700.5, 950.0]})
    found = badges(
        SimpleNamespace(
            verdict=lambda: SimpleNamespace(findings=tuple(findings)),
            tree=tree,
            statuses=statuses or {"mle": "converged", "map": "converged"},
            diagnostics=SimpleNamespace(summary=summary),
            warnings=lambda: {"information_gain": list(warned)},
            marginal=marginal,
        )
    )
    return {badge.topic: badge for badge in found}


GOOD = [finding("ok", "convergence", "x"), finding("ok", "efficiency", "x")]


def test_numbers_of_a_sound_comparison():
    found = made([*GOOD, finding("ok", "prior", "Robust."), finding("ok", "calibration", "Uniform.")])
    assert {b.level for b in found.values()} == {"ok"}
    assert "1.004" in found["Sampling"].sentence
    assert "700" in found["Sampling"].sentence
    assert "7 of 10" in found["MLE"].sentence
    assert "4 of 11" in found["MAP"].sentence
    assert found["Information"].word == "2.50 ± 0.12 nats"
    assert found["Prior"].sentence == "Robust."
    assert found["Fit"].sentence == "Uniform."
    assert {t: b.href for t, b in found.items()} == {
        "Sampling": "sampling", "MLE": "optimization", "MAP": "optimization", "Information": "learned", "Prior": "checks", "Fit": "checks",
    }  # fmt: skip


@pytest.mark.parametrize("topic", ["convergence", "efficiency", "divergences", "energy", "precision"])
@pytest.mark.parametrize("level", ["caution", "problem"])
def test_the_worst_finding_about_the_sampling_is_quoted(topic, level):
    worst = finding(level, topic, "What is wrong.")
    badge = made([finding("caution", "energy", "Another."), worst] if level == "problem" else [*GOOD, worst])[
        "Sampling"
    ]
    assert (badge.level, badge.sentence) == (level, "What is wrong.")
    assert badge.word != made(GOOD)["Sampling"].word


def test_words_of_sampling_and_prior_differ_by_level_and_judgement():
    for topic, badge in (("convergence", "Sampling"), ("prior", "Prior")):
        findings = finding("ok", topic, "x"), finding("caution", topic, "x"), not_judged(topic, "x")
        assert len({made([f])[badge].word for f in findings}) == 3


def test_divergent_transitions_are_denied_only_where_they_were_counted():
    counted = made([*GOOD, finding("ok", "divergences", "x")])["Sampling"].sentence
    assert counted != made(GOOD)["Sampling"].sentence
    assert "divergent" in counted


@pytest.mark.parametrize(
    ("status", "level"), [("converged", "caution"), ("at_infinity", "problem"), ("boundary", "caution")]
)
def test_an_estimate_with_a_finding_says_why(status, level):
    about = finding(level, "MLE", "Status line. The reason.")
    found = made([*GOOD, about], statuses={"mle": status, "map": "converged"})
    assert found["MLE"].level == level
    assert found["MLE"].word == status.replace("_", " ").capitalize()
    assert found["MLE"].sentence == "The reason."
    assert found["MAP"].level == "ok"


def test_the_marginal_estimate_has_a_badge_where_there_is_one():
    assert "Marginal MLE" not in made(GOOD)
    marginal = SimpleNamespace(latents=("u", "v"), status="boundary")
    badge = made([*GOOD, finding("caution", "Marginal MLE", "A. B.")], marginal=marginal)["Marginal MLE"]
    assert (badge.level, badge.word, badge.sentence) == ("caution", "Boundary", "B.")
    assert "u, v" in made(GOOD, marginal=marginal)["Marginal MLE"].sentence


@pytest.mark.parametrize("gained", [None, (np.nan, np.nan)])
@pytest.mark.parametrize("warned", [(), ("No evidence.",)])
def test_an_unavailable_divergence_has_its_reason(gained, warned):
    badge = made(GOOD, gained=gained, warned=warned)["Information"]
    assert badge.level == "caution"
    assert not any(c.isdigit() for c in badge.word + badge.sentence)
    assert (badge.sentence == "No evidence.") == bool(warned)


@pytest.mark.parametrize(
    ("warning", "level"),
    [("kl_posterior_prior: Doubt.", "caution"), ("log_evidence: Doubt.", "caution"), ("jsd: Doubt.", "ok")],
)
def test_a_warning_about_the_joint_divergence_is_a_caution(warning, level):
    badge = made(GOOD, warned=("jsd: first", warning))["Information"]
    assert badge.level == level
    assert badge.word == "2.50 ± 0.12 nats"
    assert (badge.sentence == "Doubt.") == (level == "caution")


def test_the_gravest_topic_of_the_fit_is_named():
    calibration, checks, loo = (finding("caution", t, t) for t in ("calibration", "predictive checks", "leave-one-out"))
    fine = finding("ok", "calibration", "fine")
    words = [
        made([*GOOD, *about])["Fit"].word for about in ((loo, checks, calibration), (loo, checks), (loo,), (fine,))
    ]
    assert len(set(words)) == 4
    assert made([*GOOD, fine, loo])["Fit"].sentence == "leave-one-out"
    assert "Fit" not in made(GOOD)


def test_badges_are_sorted_by_level():
    found = made([*GOOD, finding("problem", "calibration", "x"), finding("caution", "prior", "y")])
    assert list(found)[:2] == ["Fit", "Prior"]


def test_long_sentences_are_cut():
    long = made([*GOOD, finding("caution", "prior", "word " * 100)])["Prior"].sentence
    assert 100 < len(long) <= 151


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One. Two.", "One. Two."),
        (f"One. {'Two ' * 40}end.", "One."),
        (f"tau = 0.1 here. {'Two ' * 30}end. Alone: f(x).", f"tau = 0.1 here. {'Two ' * 30}end."),
        ("word, " * 40, f"{'word, ' * 24}word …"),
    ],
)
def test_a_badge_has_whole_sentences(text, shown):
    assert _short(text) == shown
