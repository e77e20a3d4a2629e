"""Angles: von Mises likelihoods with a free concentration against closed forms, on either side of the seam at pi."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from pymc.distributions.dist_math import i0e, i1e
from scipy import optimize, special, stats

from pp_mlekl.estimation.bootstrap import bootstrap
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.estimation.nested_tests.likelihood_ratio_wald_score import nested_tests
from pp_mlekl.estimation.profile_likelihood import profile
from pp_mlekl.estimation.sandwich import sandwich, sandwich_interval
from pp_mlekl.estimation.wald_interval import wald_interval
from pp_mlekl.posterior.evidence import log_evidence
from pp_mlekl.posterior.laplace import laplace
from pp_mlekl.pymc_model.draws.match_posterior import unconstrained_draws
from pp_mlekl.pymc_model.interpreter.lazy_function import compiled, interpreted
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.rewrites import bessel
from pp_mlekl.simulation.study import study

CENTRES = [0.4, 3.1, np.pi, -3.14]
NOISE = stats.vonmises.rvs(3.0, size=80, random_state=3)


def angles(centre):
    return np.angle(np.exp(1j * (NOISE + centre)))


@pytest.fixture(scope="module")
def model():
    with pm.Model() as model:
        y = pm.Data("angles", angles(0.4))
        mu, kappa = pm.VonMises("mu", 0, 0.1), pm.HalfNormal("kappa", 20)
        pm.VonMises("y", mu, kappa, observed=y)
    return model


@pytest.fixture
def at(model):
    def centred(centre):
        with model:
            pm.set_data({"angles": angles(centre)})
        return model, find_mle(model, random_seed=1)

    return centred


def closed_form(y):
    """Fisher 1993, section 4.5: mean direction, A^-1 of the mean resultant length, and their standard errors."""
    mean = np.mean(np.exp(1j * y))
    length = abs(mean)
    kappa = optimize.brentq(lambda k: special.i1e(k) / special.i0e(k) - length, 1e-9, 1e4, xtol=1e-14, rtol=1e-15)
    slope = 1 - length / kappa - length**2
    return np.angle(mean), kappa, 1 / np.sqrt(len(y) * kappa * length), 1 / np.sqrt(len(y) * slope)


@pytest.mark.parametrize("centre", CENTRES)
def test_estimates_and_standard_errors_have_closed_forms(at, centre):
    _, estimate = at(centre)
    assert estimate.status == "converged"
    assert estimate.warnings == ()
    mu, kappa, error_mu, error_kappa = closed_form(angles(centre))
    assert -np.pi < float(estimate.values["mu"]) <= np.pi
    assert float(estimate.values["mu"]) == pytest.approx(mu, abs=1e-9)
    assert float(estimate.values["kappa"]) == pytest.approx(kappa, rel=1e-9)
    assert float(estimate.standard_error["mu"]) == pytest.approx(error_mu, rel=1e-8)
    assert float(estimate.standard_error["kappa"]) == pytest.approx(error_kappa, rel=1e-8)
    # All starts wind up at one maximum, though some have gone round.
    assert len(estimate.audit.modes) == 1
    fitted = stats.vonmises.fit(angles(centre), fscale=1)
    assert kappa == pytest.approx(fitted[0], rel=1e-6)


def test_nothing_depends_on_where_the_circle_is_cut(at):
    found = []
    for centre in (0.4, 3.1):
        model, estimate = at(centre)
        mu = float(estimate.values["mu"])
        intervals = [
            wald_interval(model, estimate)["mu"].values,
            sandwich_interval(model, estimate)["mu"].values,
            profile(model, var_names=["mu"], points=3, estimate=estimate).interval.values[0],
        ]
        draws = bootstrap(model, replicates=200, estimate=estimate, random_seed=2)
        found.append(
            [
                *(np.array(intervals) - mu).ravel(),
                float(sandwich(model, estimate)["mu"]),
                float(draws.standard_error["mu"]),
                *(draws.interval()["mu"].values - mu),
                *(
                    t.statistic
                    for t in nested_tests(model, null={"mu": np.angle(np.exp(1j * (centre + 0.1)))}, estimate=estimate)
                ),
                float(find_map(model, random_seed=1).standard_error["kappa"]),
            ]
        )
    np.testing.assert_allclose(found[0][:-1], found[1][:-1], rtol=1e-5, atol=1e-9)
    assert found[0][0] < 0 < found[0][1]


@pytest.mark.parametrize("centre", CENTRES)
def test_the_score_test_of_a_direction_has_a_closed_form(at, centre):
    """Direction and concentration are orthogonal: I = n kappa A(kappa), with kappa estimated under the null."""
    model, estimate = at(centre)
    y, null = angles(centre), np.angle(np.exp(1j * (centre + 0.1)))
    mean = np.mean(np.cos(y - null))
    kappa = optimize.brentq(lambda k: special.i1e(k) / special.i0e(k) - mean, 1e-9, 1e4, xtol=1e-14)
    score = nested_tests(model, null={"mu": null}, estimate=estimate)[2]
    assert score.information == "expected"
    assert score.statistic == pytest.approx(kappa * np.sum(np.sin(y - null)) ** 2 / (len(y) * mean), rel=1e-7)


def test_balanced_angles_have_no_direction(model):
    with model:
        pm.set_data({"angles": np.arange(8) * np.pi / 4 - np.pi + 0.1})
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "boundary"
    assert float(estimate.values["kappa"]) == 0.0
    assert estimate.warnings[-1].endswith("does not change along: mu.")


def test_two_opposite_directions_are_two_modes():
    y = angles(0.3)[:30].copy()
    y[::2] = np.angle(np.exp(1j * (y[::2] - np.pi)))
    with pm.Model() as model:
        axis = pm.VonMises("axis", 0, 0.1)
        pm.Mixture("y", [0.5, 0.5], [pm.VonMises.dist(axis, 3.0), pm.VonMises.dist(axis - np.pi, 3.0)], observed=y)
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "multimodal"
    one, other = (float(m.z[0]) for m in estimate.audit.modes)
    assert np.cos(one - other) == pytest.approx(-1.0)


@pytest.mark.slow
def test_circular_regression_against_its_score_equations():
    generator = np.random.default_rng(6)
    x = generator.normal(size=60)
    y = np.angle(np.exp(1j * (2.9 + 2 * np.arctan(0.8 * x) + generator.vonmises(0, 4, 60))))
    with pm.Model() as model:
        mu, kappa = pm.VonMises("mu", 0, 0.1), pm.HalfNormal("kappa", 10)
        mean = mu + 2 * pm.math.arctan(pm.Normal("b", 0, 1) * x)
        pm.VonMises("y", pm.math.arctan2(pm.math.sin(mean), pm.math.cos(mean)), kappa, observed=y)
    estimate = find_mle(model, random_seed=1)
    mu, b, kappa = (float(estimate.values[k]) for k in ("mu", "b", "kappa"))
    residual = y - mu - 2 * np.arctan(b * x)
    slope = 2 * x / (1 + (b * x) ** 2)
    assert np.sum(np.sin(residual)) == pytest.approx(0.0, abs=1e-7)
    assert np.sum(slope * np.sin(residual)) == pytest.approx(0.0, abs=1e-7)
    assert np.mean(np.cos(residual)) == pytest.approx(special.i1e(kappa) / special.i0e(kappa), rel=1e-9)
    # Observed information of (mu, b, kappa); its rows for kappa vanish at the maximum but for its own.
    bend = -2 * x * 2 * b * x**2 / (1 + (b * x) ** 2) ** 2
    cos, sin = np.cos(residual), np.sin(residual)
    cross = kappa * np.sum(slope * cos)
    information = np.array([[kappa * cos.sum(), cross], [cross, kappa * np.sum(slope**2 * cos - bend * sin)]])
    errors = [float(estimate.standard_error[k]) for k in ("mu", "b")]
    np.testing.assert_allclose(errors, np.sqrt(np.diagonal(np.linalg.inv(information))), rtol=1e-7)


@pytest.mark.slow
def test_rice_has_a_hessian_too():
    y = stats.rice.rvs(1.5, scale=2.0, size=100, random_state=4)
    with pm.Model() as model:
        pm.Rice("y", nu=pm.HalfNormal("nu", 5), sigma=pm.HalfNormal("sigma", 5), observed=y)
    estimate = find_mle(model, random_seed=1)
    nu, sigma = (float(estimate.values[k]) for k in ("nu", "sigma"))
    assert estimate.log_likelihood == pytest.approx(stats.rice.logpdf(y, nu / sigma, scale=sigma).sum(), rel=1e-10)
    ratio = special.i1e(y * nu / sigma**2) / special.i0e(y * nu / sigma**2)
    # The likelihood equations: Talukdar & Lawing 1991.
    assert nu == pytest.approx(np.mean(y * ratio), rel=1e-7)
    assert sigma**2 == pytest.approx(0.5 * (np.mean(y**2) - nu**2), rel=1e-7)


@pytest.mark.parametrize("make", [interpreted, compiled])
def test_derivatives_up_to_the_fourth_against_mpmath(make):
    import mpmath

    points = np.array([1e-3, 0.009, 0.011, 0.7, 5.0, 250.0, 350.0, 1e5])
    x = pt.dvector("x")
    (graph,) = bessel.with_derivatives([pt.log(i0e(x)) + x + 0.0 * i1e(x)])
    graphs = [graph]
    for _ in range(3):
        graphs.append(pytensor.gradient.grad(graphs[-1].sum(), x))
    values = make([x], graphs)(points)
    with mpmath.workdps(60):
        exact = [
            [float(mpmath.diff(lambda t: mpmath.log(mpmath.besseli(0, t)), mpmath.mpf(float(p)), k)) for p in points]
            for k in range(4)
        ]
    for order, (found, expected) in enumerate(zip(values, exact, strict=True)):
        np.testing.assert_allclose(found, expected, rtol=1e-9 if order < 3 else 1e-6, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "centre"),
    [(3, 3.1), (80, 0.3), *(pytest.param(*other, marks=pytest.mark.slow) for other in ((3, 0.3), (80, 3.1)))],
)
def test_evidence_of_one_turn_whether_the_posterior_is_cut_or_spread_over_the_circle(centre, size):
    y = angles(centre)[:size]
    with pm.Model() as model:
        pm.VonMises("y", pm.VonMises("mu", 0, 1e-9), 0.7, observed=y)
    resultant = np.sum(np.exp(1j * y))
    kappa = 0.7 * abs(resultant)
    # The posterior of a mean direction under a uniform prior is von Mises (Mardia & Jupp 2000, section 13.2).
    draws = stats.vonmises.rvs(kappa, loc=np.angle(resultant), size=(4, 1000), random_state=7)
    wrapped = xr.DataArray(np.angle(np.exp(1j * draws)), dims=("chain", "draw"))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": wrapped})})
    evidence = log_evidence(model, tree, random_seed=1)
    exact = np.log(special.i0e(kappa)) + kappa - size * np.log(2 * np.pi * special.i0(0.7))
    assert float(evidence) == pytest.approx(exact, abs=4 * evidence.mcse)
    assert evidence.mcse < 0.02
    mode = find_map(model, space="unconstrained", random_seed=1)
    z = unconstrained_draws(model_functions(model), tree)
    assert np.ptp(z) <= 2 * np.pi
    if size == 80:
        distance = laplace(model, estimate=mode).kl_from_posterior(tree, evidence)
        assert abs(float(distance)) < 0.02


def test_coverage_of_the_intervals_across_the_seam(model):
    tree = study(model, {"mu": 3.1, "kappa": 4.0}, sizes=[100], replicates=1000, random_seed=5)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0)
    for kind in ("sandwich", "estimated", "naive"):
        assert np.all(np.abs(summary[f"coverage_{kind}"] - 0.95) < 0.025)


def test_posterior_means_and_credible_intervals_across_the_seam(model):
    truth = {"mu": 3.1, "kappa": 4.0}
    tree = study(model, truth, sizes=[100], replicates=200, estimators=["laplace"], draws=100, random_seed=5)
    summary = tree["summary"].to_dataset().isel(size=0, estimator=0).sel(parameter="mu")
    assert abs(summary["bias"]) < 4 * summary["bias_mcse"]
    # The standard deviation of a mean direction is about 1 / sqrt(n kappa A(kappa)) = 0.054.
    assert summary["rmse"] < 0.07
    assert abs(summary["coverage_credible"] - 0.95) < 0.05
