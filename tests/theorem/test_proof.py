"""The proof on its shipped cases, on covariates, on vectors; and that a wrong claim would fail."""

import json
import re
from dataclasses import replace

import golden_models as golden
import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.divergences.families import family
from pp_mlekl.pymc_model.examples import CASES
from pp_mlekl.theorem.asymmetry import directions
from pp_mlekl.theorem.exact_tails import _SUMS, sum_tail
from pp_mlekl.theorem.proof import proof
from pp_mlekl.theorem.proof_result import Check

THEOREM = json.loads((golden.GOLDEN / "theorem.json").read_text())
QUICK = {"sizes": [30, 100, 1000], "replicates": 200, "random_seed": 3}


@pytest.fixture(scope="module")
def shipped():
    return {name: proof(*case(), name=name, **QUICK) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_every_step_of_the_shipped_cases_holds(shipped, name):
    result = shipped[name]
    assert result.passed, result.summary()[~result.summary()["passed"]].to_string()
    assert [(step.number, step.status) for step in result.steps] == [(k, "pass") for k in range(1, 8)]
    assert result.summary()["error"].ge(result.summary()["gap"]).all()


@pytest.mark.parametrize("case", THEOREM["argmin_kl_is_mle"], ids=lambda c: c["id"])
def test_theorem_of_the_reference(case, shipped):
    """The golden rows: -log L, its mean, KL and cross-entropy at given parameters."""
    from pp_mlekl.estimation.pseudo_true.find_pseudo_true import pseudo_true_of
    from pp_mlekl.estimation.replicates.simulator import Simulator
    from pp_mlekl.inputs.truth import as_truth
    from pp_mlekl.pymc_model.model_functions import model_functions
    from pp_mlekl.theorem.setting import Setting

    model, truth = CASES[case["id"]]()
    functions = model_functions(model)
    generator = np.random.default_rng(1)
    resolved = as_truth(functions, truth)
    fit, _ = pseudo_true_of(functions, resolved, generator)
    simulator = Simulator(functions, resolved, generator)
    setting = Setting(functions=functions, truth=resolved, pseudo_true=fit, simulator=simulator, generator=generator)
    names = [v.name for v in functions.free]
    assert setting.entropy == pytest.approx(case["entropy_truth"], rel=1e-12)
    for row in case["rows"]:
        z = functions.unconstrain(dict(zip(names, row["theta"], strict=True)))[None]
        assert -functions.log_likelihood(z)[0] == pytest.approx(row["neg_loglik"], rel=1e-12)
        assert -functions.log_likelihood(z)[0] / functions.n_observations == pytest.approx(row["sample_cross_entropy"])
        assert setting.kl(z)[0][0] == pytest.approx(row["kl_truth_model"], rel=1e-9, abs=1e-14)
        assert setting.cross_entropy(z)[0] == pytest.approx(row["true_cross_entropy"], rel=1e-10)


@pytest.mark.parametrize("case", THEOREM["chebyshev"], ids=lambda c: f"{c['dist']} {c['n']}")
def test_exact_tails_of_means(case):
    p = family(case["dist"])(**case["params"])
    mean = {"Normal": 0.0, "Bernoulli": 0.3, "Exponential": 0.5}[case["dist"]]
    exact = sum_tail(_SUMS[case["dist"]](p, case["n"]), case["n"], mean, case["eps"], p.discrete)
    assert exact == pytest.approx(case["exact"], rel=1e-9)


def test_a_false_claim_fails(shipped):
    """The checks have power: the same numbers with a wrong right side are outside their errors."""
    result = shipped["student_t_by_normal"]
    checks = {c.what: c for step in result.steps for c in step.checks}
    identity = next(c for what, c in checks.items() if what.startswith("KL against cross-entropy"))
    assert not replace(identity, right=identity.right + 1e-6).passed
    # In a wrong model d / 2 is not what n times the excess tends to: the trace is.
    excess = next(c for what, c in checks.items() if what.startswith("n times the mean excess"))
    assert excess.right == pytest.approx(2.5)
    assert result.pseudo_true.n_parameters / 2 == 1.0


def test_checks_tell_equalities_from_bounds():
    equal = Check(what="", left=1.0, right=1.1, error=0.05, source="")
    assert not equal.passed
    assert replace(equal, bound=True).passed
    assert Check(what="", left=np.inf, right=np.inf, error=0.0, source="").passed
    assert not Check(what="", left=np.nan, right=1.0, error=1.0, source="").passed


def test_directions_against_the_reference():
    checks = directions().checks
    assert all(check.passed for check in checks)
    js = next(c for c in checks if c.what.startswith("Jensen-Shannon of the same two"))
    disjoint = next(c for c in THEOREM["asymmetry_and_jsd"] if c["id"] == "disjoint")
    assert js.left == pytest.approx(disjoint["jsd_pq"])


def test_both_directions_of_a_mixture():
    step = directions()
    errors = {check.what.partition(":")[0]: check.error for check in step.checks}
    assert max(abs(error) for error in errors.values()) < 2e-3
    assert errors["Wasserstein distance of the same two"] == pytest.approx(5e-8)
    symmetric = next(check for check in step.checks if check.what == "Jensen-Shannon in both directions")
    assert symmetric.error == pytest.approx(2e-8 * symmetric.left)
    differ = next(check for check in step.checks if check.what.startswith("smaller against larger"))
    assert 0 < differ.left < differ.right
    assert differ.error == pytest.approx(-1e-8 * differ.right)
    limits = [check for check in step.checks if "ln 2" in check.what]
    assert [check.right for check in limits] == [np.log(2)] * 2
    x, shift = step.data["x"].values, step.data["shift"].values
    parts = stats.norm([-3.0, 2.5], [0.7, 1.0])
    np.testing.assert_allclose(step.data["truth"], parts.pdf(x[:, None]) @ [0.4, 0.6], rtol=1e-10)
    mean = 0.4 * -3.0 + 0.6 * 2.5
    sd = np.sqrt(0.4 * (0.49 + 9) + 0.6 * (1 + 6.25) - mean**2)
    np.testing.assert_allclose(step.data["covering"], stats.norm(mean, sd).pdf(x), atol=1e-4)
    np.testing.assert_allclose(step.data["seeking"], stats.norm(2.5, 1.0).pdf(x), atol=0.01)
    assert (x[0], x[-1], shift[0], shift[-1]) == (-8, 8, 0, 3)
    np.testing.assert_array_equal(step.data["kl"], np.where(shift > 0, np.inf, 0.0))
    np.testing.assert_allclose(step.data["jsd"], np.log(2) * np.minimum(shift, 1.0), atol=1e-8)
    np.testing.assert_allclose(step.data["wasserstein"], shift, atol=1e-8)


def test_logistic_regression_uses_whole_copies_of_its_rows():
    x = np.linspace(-2, 2, 24)
    y = np.random.default_rng(1).binomial(1, 1 / (1 + np.exp(-x)))
    with pm.Model() as model:
        b = pm.Normal("b", 0, 2, shape=2)
        pm.Bernoulli("y", logit_p=b[0] + b[1] * x, observed=y)
    result = proof(model, {"b": [0.3, 1.0]}, **QUICK)
    assert result.settings["sizes"] == (48, 120, 1008)
    assert result.passed


@pytest.mark.slow
def test_several_observed_variables():
    generator = np.random.default_rng(2)
    group = generator.integers(0, 2, 30)
    with pm.Model() as model:
        p = pm.Dirichlet("p", np.ones(2))
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.Categorical("group", p, observed=group)
        pm.Normal("y", mu[group], 1.0, observed=generator.normal(size=30))
    result = proof(model, {"p": [0.4, 0.6], "mu": [0.0, 1.0]}, **QUICK)
    assert result.passed, result.summary()[~result.summary()["passed"]].to_string()


@pytest.mark.slow
def test_a_potential_of_the_prior_is_no_part_of_the_likelihood():
    with pm.Model() as model:
        p = pm.Beta("p", 1, 1)
        pm.Potential("weight", 5 * p)
        pm.Bernoulli("y", p, observed=[0, 1, 1, 0, 1])
    result = proof(model, {"p": 0.4}, potentials="prior", **QUICK)
    assert result.passed
    assert result.steps[5].checks


def test_vector_observations_with_a_sampled_truth():
    y = np.random.default_rng(5).multivariate_normal([0, 0], np.eye(2), size=15)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=2)
        pm.MvNormal("y", mu, cov=np.eye(2), observed=y)
    result = proof(model, {"mu": [0.5, -0.5]}, **QUICK)
    assert result.steps[0].status == "pass"
    assert result.steps[4].status == "pass"


@pytest.mark.slow
def test_page_is_one_file_without_outside_resources(shipped, tmp_path):
    page = shipped["gamma_by_lognormal"].to_html(tmp_path / "sub" / "proof.html")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert len(text) < 1_000_000
    assert text.count('class="formula"') == 7
    # One figure for the densities, and one for each panel of the steps.
    assert text.count("<svg") == text.count('role="img" aria-label=') == 12
    assert len(set(re.findall(r'id="([^"]+)"', text))) == len(re.findall(r'id="([^"]+)"', text))
    for outside in ("src=", 'href="http', "@import", "url(http"):
        assert outside not in text
    assert not list(tmp_path.rglob("*.part"))
    assert re.findall(r"^  (\d)\. ", repr(shipped["gamma_by_lognormal"]), re.MULTILINE) == list("1234567")


def test_figures_are_the_steps_own(shipped):
    figure = shipped["normal"].plot(5)
    assert len(figure.axes) == 2
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no step 9"):
        shipped["normal"].plot(9)


def test_same_seed_same_proof(shipped):
    again = proof(*CASES["exponential"](), name="exponential", **QUICK)
    assert again.summary().equals(shipped["exponential"].summary())


@pytest.mark.parametrize(
    ("truth", "change", "message"),
    [
        ({"p": 0.6}, {"sizes": [10, 10]}, "increasing positive integers"),
        ({"p": 0.6}, {"replicates": 5}, "at least 30"),
        (np.ones((2, 10)), {}, "eld-out draws"),
        ({"p": 1.0}, {}, "no regular minimum"),
    ],
)
def test_refusals_give_the_reason(truth, change, message):
    model, _ = CASES["bernoulli"]()
    with pytest.raises(ValueError, match=message):
        proof(model, truth, **(QUICK | change))


def test_families_known_by_simulation_alone_are_refused():
    y = np.cumsum(np.random.default_rng(6).normal(size=12))
    with pm.Model() as walk:
        sigma = pm.HalfNormal("sigma", 1)
        pm.GaussianRandomWalk("y", sigma=sigma, init_dist=pm.Normal.dist(0, 1), observed=y)
    with pytest.raises(ValueError, match="'y'"):
        proof(walk, {"sigma": 1.0}, **QUICK)
