"""Estimates and standard errors of many kinds of models and parameter spaces, each against another's code or a formula."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, special, stats

from pp_mlekl.estimation.delta_method import delta_method
from pp_mlekl.estimation.find_mle_map import find_mle

RNG = np.random.default_rng(17)
N = 80
X = RNG.normal(size=(N, 2))
DESIGN = np.c_[np.ones(N), X]
ETA = DESIGN @ [0.3, 0.8, -0.5]
# Statsmodels stops earlier than Newton's last step.
CLOSE = {"rtol": 1e-6, "atol": 1e-8}


def fitted(build, **kwargs):
    with pm.Model() as model:
        build()
    estimate = find_mle(model, random_seed=1, **kwargs)
    assert estimate.status == "converged"
    assert estimate.warnings == ()
    return estimate


def coefficients(size=3):
    return pm.Normal("b", 0, 5, shape=size)


def test_frequencies_and_offset():
    import statsmodels.api as sm

    exposure, w = RNG.uniform(0.5, 3.0, N), RNG.integers(0, 4, N)
    y = RNG.poisson(exposure * np.exp(ETA))
    found = fitted(lambda: pm.Poisson("y", exposure * pt.exp(DESIGN @ coefficients()), observed=y), weights=w)
    fit = sm.GLM(y, DESIGN, sm.families.Poisson(), offset=np.log(exposure), freq_weights=w).fit(tol=1e-14)
    np.testing.assert_allclose(found.values["b"], fit.params, **CLOSE)
    np.testing.assert_allclose(found.standard_error["b"], fit.bse, **CLOSE)
    assert found.log_likelihood == pytest.approx(fit.llf, rel=1e-10)


def test_censored_exponential_has_a_closed_form():
    t = RNG.exponential(2.0, 50)
    y, seen = np.minimum(t, 2.5), np.sum(t < 2.5)
    found = fitted(
        lambda: pm.Censored("y", pm.Exponential.dist(pm.Gamma("rate", 2, 1)), lower=None, upper=2.5, observed=y)
    )
    rate = seen / y.sum()
    assert float(found.values["rate"]) == pytest.approx(rate, rel=1e-9)
    assert float(found.standard_error["rate"]) == pytest.approx(rate / np.sqrt(seen), rel=1e-8)


@pytest.mark.slow
def test_censored_normal_against_scipy():
    y = np.clip(RNG.normal(1.0, 2.0, 120), -0.5, 3.0)

    def build():
        base = pm.Normal.dist(pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5))
        pm.Censored("y", base, lower=-0.5, upper=3.0, observed=y)

    found = fitted(build)
    inside = y[(y > -0.5) & (y < 3.0)]
    data = stats.CensoredData(uncensored=inside, left=y[y == -0.5], right=y[y == 3.0])
    mu, sigma = stats.norm.fit(data)
    assert [float(found.values[k]) for k in ("mu", "sigma")] == pytest.approx([mu, sigma], rel=1e-4)
    # The observed information of Tobin's model, by the derivatives of log Phi.
    z = (inside - found.values["mu"].item()) / found.values["sigma"].item()
    m, s = (float(found.values[k]) for k in ("mu", "sigma"))
    ends = [(-1.0, (-0.5 - m) / s, np.sum(y == -0.5)), (1.0, (3.0 - m) / s, np.sum(y == 3.0))]
    information = np.array([[len(z), 2 * z.sum()], [2 * z.sum(), np.sum(3 * z**2 - 1)]]) / s**2
    for side, c, count in ends:
        hazard = np.exp(stats.norm.logpdf(c) - stats.norm.logsf(side * c)) * side
        bend = hazard * (hazard - c)
        extra = [[bend, hazard + c * bend], [hazard + c * bend, 2 * c * hazard + c**2 * bend]]
        information += count * np.array(extra) / s**2
    errors = [float(found.standard_error[k]) for k in ("mu", "sigma")]
    np.testing.assert_allclose(errors, np.sqrt(np.diagonal(np.linalg.inv(information))), rtol=1e-7)


def test_truncated_counts_equal_statsmodels():
    from statsmodels.discrete.truncated_model import TruncatedLFPoisson

    counts = RNG.poisson(np.exp(ETA))
    y, x = counts[counts > 0], DESIGN[counts > 0]
    found = fitted(lambda: pm.Truncated("y", pm.Poisson.dist(pt.exp(x @ coefficients())), lower=1, observed=y))
    fit = TruncatedLFPoisson(y, x).fit(disp=0, method="newton", tol=1e-12)
    np.testing.assert_allclose(found.values["b"], fit.params, **CLOSE)
    # Statsmodels differentiates numerically here.
    np.testing.assert_allclose(found.standard_error["b"], fit.bse, rtol=1e-4)


@pytest.mark.slow
def test_mixture_is_a_fixed_point_of_em():
    y = np.r_[RNG.normal(-2, 1, 50), RNG.normal(2, 1, 90)]

    def build():
        w = pm.Dirichlet("w", np.ones(2))
        order = pm.distributions.transforms.ordered
        mu = pm.Normal("mu", 0, 5, shape=2, transform=order, initval=[-1.0, 1.0])
        pm.NormalMixture("y", w=w, mu=mu, sigma=pm.HalfNormal("sigma", 3), observed=y)

    found = fitted(build)
    w, mu, sigma = (found.values[k].values for k in ("w", "mu", "sigma"))
    densities = w * stats.norm.pdf(y[:, None], mu, sigma)
    share = densities / densities.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(w, share.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(mu, share.T @ y / share.sum(axis=0), rtol=1e-7)
    assert sigma**2 == pytest.approx(np.mean(np.sum(share * (y[:, None] - mu) ** 2, axis=1)), rel=1e-7)
    # Louis 1982: observed information is that of the complete data less what the labels' uncertainty takes away.
    z = (y[:, None] - mu) / sigma
    part = np.stack([np.broadcast_to([1 / w[0], -1 / w[1]], z.shape), *_means(z, sigma), (z**2 - 1) / sigma], axis=-1)
    mean = np.einsum("nk,nki->ni", share, part)
    lost = np.einsum("nk,nki,nkj->ij", share, part, part) - mean.T @ mean
    total = share.sum(axis=0)
    complete = np.diag([np.sum(total / w**2), *(total / sigma**2), 2 * len(y) / sigma**2])
    errors = np.sqrt(np.diagonal(np.linalg.inv(complete - lost)))
    se = found.standard_error
    np.testing.assert_allclose([se["w"][0], *se["mu"], se["sigma"]], errors, rtol=1e-6)
    assert float(se["w"][0]) == pytest.approx(float(se["w"][1]))


def _means(z, sigma):
    return [np.where(np.arange(2) == k, z / sigma, 0.0) for k in range(2)]


@pytest.mark.slow
def test_ordinal_regression_equals_statsmodels():
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    y = np.digitize(X @ [1.0, -0.5] + np.random.default_rng(6).logistic(size=N), [-1.0, 0.5, 1.5])

    def build():
        order = pm.distributions.transforms.ordered
        cut = pm.Normal("cut", 0, 5, shape=3, transform=order, initval=[-1.0, 0.0, 1.0])
        pm.OrderedLogistic("y", eta=X @ coefficients(2), cutpoints=cut, observed=y)

    found = fitted(build)
    model = OrderedModel(y, X, distr="logit")
    fit = model.fit(disp=0, method="newton", tol=1e-9)
    np.testing.assert_allclose(found.values["b"], fit.params[:2], rtol=1e-5)
    np.testing.assert_allclose(found.values["cut"], model.transform_threshold_params(fit.params)[1:-1], rtol=1e-5)
    np.testing.assert_allclose(found.standard_error["b"], fit.bse[:2], rtol=1e-4)


def test_ordered_cutpoints_have_the_errors_of_cumulative_logits():
    counts = np.array([13, 22, 8, 17])

    def build():
        order = pm.distributions.transforms.ordered
        cut = pm.Normal("cut", 0, 5, shape=3, transform=order, initval=[-1.0, 0.0, 1.0])
        pm.OrderedLogistic("y", eta=0.0, cutpoints=cut, observed=np.repeat(np.arange(4), counts))

    found = fitted(build)
    below = np.cumsum(counts)[:3] / 60
    np.testing.assert_allclose(found.values["cut"], special.logit(below), rtol=1e-8)
    np.testing.assert_allclose(found.standard_error["cut"], 1 / np.sqrt(60 * below * (1 - below)), rtol=1e-7)


def test_multinomial_regression_equals_statsmodels():
    import statsmodels.api as sm

    utility = np.c_[np.zeros(N), X @ [1.0, 0.0], X @ [-0.5, 0.7]]
    y = np.argmax(utility + RNG.gumbel(size=(N, 3)), axis=1)

    def build():
        b = pm.Normal("b", 0, 5, shape=(3, 2))
        eta = pt.concatenate([np.zeros((N, 1)), DESIGN @ b], axis=1)
        pm.Categorical("y", p=pm.math.softmax(eta, axis=1), observed=y)

    found = fitted(build)
    fit = sm.MNLogit(y, DESIGN).fit(disp=0, method="newton", tol=1e-12)
    np.testing.assert_allclose(found.values["b"], fit.params, **CLOSE)
    np.testing.assert_allclose(found.standard_error["b"], fit.bse, **CLOSE)


def test_multinomial_simplex_has_a_closed_form():
    counts = np.array([[3, 5, 2, 10], [4, 1, 6, 9]])
    found = fitted(lambda: pm.Multinomial("y", 20, pm.Dirichlet("p", np.ones(4)), observed=counts))
    p = counts.sum(axis=0) / 40
    np.testing.assert_allclose(found.values["p"], p, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, (np.diag(p) - np.outer(p, p)) / 40, atol=1e-9)


@pytest.mark.slow
def test_mv_normal_with_lkj_has_closed_forms():
    y = RNG.multivariate_normal([0.0, 1.0], [[1.0, 0.6], [0.6, 2.0]], 60)

    def build():
        chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(3, size=2))
        pm.MvNormal("y", pm.Normal("mu", 0, 5, shape=2), chol=chol, observed=y)

    found = fitted(build)
    s, n = np.cov(y.T, ddof=0), len(y)
    root = np.linalg.cholesky(s)
    np.testing.assert_allclose(found.values["mu"], y.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(found.standard_error["mu"], np.sqrt(np.diagonal(s) / n), rtol=1e-7)
    np.testing.assert_allclose(found.values["chol"], root[np.tril_indices(2)], rtol=1e-7)
    # By the regression of the second on the first: scale, slope and residual scale are independent.
    below = np.sqrt(root[1, 1] ** 2 / n + root[1, 0] ** 2 / (2 * n))
    exact = [root[0, 0] / np.sqrt(2 * n), below, root[1, 1] / np.sqrt(2 * n)]
    np.testing.assert_allclose(found.standard_error["chol"], exact, rtol=1e-7)


# The derivatives of the correlation transform take PyTensor ten seconds to simplify.
@pytest.mark.slow
def test_correlation_of_standardised_variables():
    y = RNG.multivariate_normal([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]], 70)
    with pm.Model() as model:
        chol = pm.LKJCorr("chol", n=2, eta=1.0)
        pm.Deterministic("corr", chol @ chol.T)
        pm.MvNormal("y", np.zeros(2), chol=chol, observed=y)
    found = find_mle(model, random_seed=1)
    assert found.status == "converged"
    derived = delta_method(model, found)
    (a, b), c = np.mean(y**2, axis=0), np.mean(y[:, 0] * y[:, 1])
    # The likelihood equation of a correlation with known variances is a cubic (Kendall & Stuart, section 18.9).
    r = optimize.brentq(lambda r: r * (1 - r**2) + c * (1 + r**2) - r * (a + b), 0.0, 0.99, xtol=1e-14)
    np.testing.assert_allclose(derived.values["corr"], [[1.0, r], [r, 1.0]], rtol=1e-8)
    information = -70 * ((1 - 3 * r**2) + 2 * r * c - (a + b)) / (1 - r**2) ** 2
    expected = 1 / np.sqrt(information)
    np.testing.assert_allclose(derived.standard_error["corr"], [[0, expected], [expected, 0]], rtol=1e-7, atol=1e-9)
    # The free variable is the Cholesky factor ((1, 0), (r, sqrt(1 - r^2))).
    assert float(found.standard_error["chol"][1, 0]) == pytest.approx(expected, rel=1e-7)
    assert float(found.standard_error["chol"][1, 1]) == pytest.approx(expected * r / np.sqrt(1 - r**2), rel=1e-7)


def test_zero_sum_effects_of_a_balanced_layout():
    y = RNG.normal([0.0, 1.0, -0.5, 2.0], 1.0, (10, 4))
    found = fitted(lambda: pm.Normal("y", pm.Normal("mu", 0, 5) + pm.ZeroSumNormal("a", 3.0, shape=4), 1.0, observed=y))
    np.testing.assert_allclose(found.values["a"], y.mean(axis=0) - y.mean(), atol=1e-8)
    np.testing.assert_allclose(found.standard_error["a"], np.sqrt(0.75 / 10), rtol=1e-8)


@pytest.mark.slow
def test_marginal_gaussian_process_has_a_closed_form():
    x = np.linspace(0, 3, 12)[:, None]
    shape = np.exp(-0.5 * (x - x.T) ** 2) + 0.25 * np.eye(12)
    y = np.linalg.cholesky(shape) @ RNG.normal(size=12)

    def build():
        scale = pm.HalfNormal("scale", 3)
        gp = pm.gp.Marginal(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, ls=1.0))
        gp.marginal_likelihood("y", X=x, y=y, sigma=0.5 * scale, jitter=0.0)

    found = fitted(build)
    scale = np.sqrt(y @ np.linalg.solve(shape, y) / 12)
    assert float(found.values["scale"]) == pytest.approx(scale, rel=1e-6)
    assert float(found.standard_error["scale"]) == pytest.approx(scale / np.sqrt(24), rel=1e-5)


def test_autoregression_is_the_regression_on_lags():
    y = np.zeros(90)
    for t in range(2, 90):
        y[t] = 0.4 + 0.5 * y[t - 1] - 0.2 * y[t - 2] + RNG.normal()

    def build():
        rho, sigma = pm.Normal("rho", 0, 1, shape=3), pm.HalfNormal("sigma", 3)
        pm.AR("y", rho, sigma, constant=True, init_dist=pm.Normal.dist(0, 10, shape=2), observed=y)

    from statsmodels.tsa.ar_model import AutoReg

    found, fit = fitted(build), AutoReg(y, lags=2).fit()
    scale = np.sqrt(np.mean(fit.resid**2))
    np.testing.assert_allclose(found.values["rho"], fit.params, rtol=1e-7)
    assert float(found.values["sigma"]) == pytest.approx(scale, rel=1e-7)
    lags = np.c_[np.ones(88), y[1:-1], y[:-2]]
    errors = scale * np.sqrt(np.diagonal(np.linalg.inv(lags.T @ lags)))
    np.testing.assert_allclose(found.standard_error["rho"], errors, rtol=1e-7)
    assert float(found.standard_error["sigma"]) == pytest.approx(scale / np.sqrt(2 * 88), rel=1e-7)


@pytest.mark.slow
# On a slow machine it comes to a compilation, which Numba refuses: the interpreted function goes on.
@pytest.mark.filterwarnings("ignore:A function is too much for Numba:RuntimeWarning")
def test_garch_is_the_maximum_of_its_recursion():
    from statsmodels.tools.numdiff import approx_fprime_cs, approx_hess_cs

    generator, y, variance = np.random.default_rng(9), np.zeros(200), 1.0
    for t in range(200):
        y[t] = generator.normal(0, np.sqrt(variance))
        variance = 0.2 + 0.5 * y[t] ** 2 + 0.3 * variance

    def build():
        omega, alpha, beta = pm.HalfNormal("omega", 1), pm.Beta("alpha", 1, 1), pm.Beta("beta", 1, 1)
        pm.GARCH11("y", omega=omega, alpha_1=alpha, beta_1=beta, initial_vol=1.0, observed=y)

    found = fitted(build)
    at = np.array([float(found.values[k]) for k in ("omega", "alpha", "beta")])

    def terms(p):
        total, variance = 0.0, 1.0
        for value in y:
            total = total - 0.5 * (np.log(2 * np.pi * variance) + value**2 / variance)
            variance = p[0] + p[1] * value**2 + p[2] * variance
        return total

    assert found.log_likelihood == pytest.approx(terms(at), rel=1e-12)
    np.testing.assert_allclose(approx_fprime_cs(at, terms), 0.0, atol=1e-6)
    errors = np.sqrt(np.diagonal(np.linalg.inv(-approx_hess_cs(at, terms))))
    np.testing.assert_allclose([float(found.standard_error[k]) for k in ("omega", "alpha", "beta")], errors, rtol=1e-4)


@pytest.mark.slow
def test_counts_beyond_a_hurdle():
    """The positive counts are a zero-truncated negative binomial, the share of them a proportion."""
    from statsmodels.discrete.truncated_model import TruncatedLFNegativeBinomialP

    y = np.array([0, 0, 3, 1, 2, 0, 5, 1, 0, 2, 8, 1, 0, 4, 2])
    positive = y[y > 0]

    def hurdle():
        psi, mu, alpha = pm.Beta("psi", 1, 1), pm.HalfNormal("mu", 5), pm.HalfNormal("alpha", 5)
        pm.HurdleNegativeBinomial("y", psi=psi, mu=mu, alpha=alpha, observed=y)

    found = fitted(hurdle)
    truncated = TruncatedLFNegativeBinomialP(positive, np.ones(len(positive)), truncation=0)
    fit = truncated.fit(method="newton", start_params=[1.0, 0.5], maxiter=200, tol=1e-12, disp=False)
    log_mu, dispersion = fit.params
    share = len(positive) / len(y)
    for name, value, error in (
        ("psi", share, np.sqrt(share * (1 - share) / len(y))),
        ("mu", np.exp(log_mu), np.exp(log_mu) * fit.bse[0]),
        ("alpha", 1 / dispersion, fit.bse[1] / dispersion**2),
    ):
        np.testing.assert_allclose(found.values[name], value, **CLOSE)
        np.testing.assert_allclose(found.standard_error[name], error, rtol=1e-5)
    both = len(y) * (share * np.log(share) + (1 - share) * np.log1p(-share))
    assert found.log_likelihood == pytest.approx(fit.llf + both, abs=1e-8)
