"""Changes of right draws beyond those of ``test_mutated_draws``: each is found out, or the evidence is as good as before."""

import warnings

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

import pp_mlekl as mk

GENERATOR = np.random.default_rng(3)
N = 40
X = np.column_stack([np.ones(N), GENERATOR.normal(size=(N, 2))])
Y = X @ [1.0, 0.5, -0.5] + GENERATOR.normal(size=N)
COVARIANCE = np.linalg.inv(X.T @ X + np.eye(3) / 4)
MEAN = COVARIANCE @ X.T @ Y
SD = np.sqrt(np.diag(COVARIANCE))
EXACT = float(stats.multivariate_normal(np.zeros(N), np.eye(N) + 4 * X @ X.T).logpdf(Y))
# An error of this size, in nats, or of this number of standard errors does not matter.
HARMLESS, ERRORS = 0.02, 4


def build():
    with pm.Model(coords={"term": ["i", "u", "v"], "obs": np.arange(N)}) as model:
        b = pm.Normal("b", 0, 2.0, dims="term")
        pm.Normal("y", X @ b, 1.0, observed=Y, dims="obs")
    return model


MODEL = build()


def draws(g, shape=(4, 1000), mean=MEAN, covariance=COVARIANCE):
    return mean + g.normal(size=(*shape, 3)) @ np.linalg.cholesky(covariance).T


def with_shape(noise):
    """Draws with the right mean and covariance from independent noise of variance 1."""
    return MEAN + noise @ np.linalg.cholesky(COVARIANCE).T


def changed(g, place, change):
    b = draws(g)
    b[place] = change(b[place])
    return b


def fitted(g, rows, power=1.0):
    """Draws of the posterior given some rows, whose likelihood counts as a power."""
    x, y = X[rows], Y[rows]
    covariance = np.linalg.inv(power * x.T @ x + np.eye(3) / 4)
    return draws(g, mean=power * covariance @ x.T @ y, covariance=covariance)


def reversed_correlations(g):
    correlation = COVARIANCE / np.outer(SD, SD)
    return draws(g, covariance=(2 * np.eye(3) - correlation) * np.outer(SD, SD))


def with_warmup(g):
    return draws(g) + 3 * np.exp(-np.arange(1000)[:, None] / 30)


def with_drift(g):
    return draws(g) + np.linspace(-0.5, 0.5, 1000)[:, None] * SD


def resampled(g):
    return draws(g).reshape(-1, 3)[g.integers(4000, size=4000)].reshape(4, 1000, 3)


FIRST = np.s_[..., 1]
DETECTED = {
    "a shift by half a standard deviation": lambda g: changed(g, FIRST, lambda v: v + 0.5 * SD[1]),
    "a sign": lambda g: changed(g, FIRST, lambda v: -v),
    "without correlations": lambda g: MEAN + SD * g.normal(size=(4, 1000, 3)),
    "mean field": lambda g: MEAN + g.normal(size=(4, 1000, 3)) / np.sqrt(np.diag(np.linalg.inv(COVARIANCE))),
    "reversed correlations": reversed_correlations,
    "half the spread": lambda g: draws(g, covariance=COVARIANCE / 4),
    "twice the spread": lambda g: draws(g, covariance=4 * COVARIANCE),
    "Student t of the same moments": lambda g: with_shape(g.standard_t(5, size=(4, 1000, 3)) / np.sqrt(5 / 3)),
    "uniform of the same moments": lambda g: with_shape(g.uniform(-1, 1, size=(4, 1000, 3)) * np.sqrt(3)),
    "exponential of the same moments": lambda g: with_shape(g.exponential(size=(4, 1000, 3)) - 1),
    "half of the posterior": lambda g: changed(g, FIRST, lambda v: MEAN[1] + np.abs(v - MEAN[1])),
    "the prior": lambda g: g.normal(0, 2, size=(4, 1000, 3)),
    "half of the data": lambda g: fitted(g, np.s_[::2]),
    "all data but one": lambda g: fitted(g, np.s_[1:]),
    "a power of the likelihood": lambda g: fitted(g, np.s_[:], power=0.8),
    "standardised predictors": lambda g: draws(g) * [1.0, *X[:, 1:].std(axis=0)],
    "sorted": lambda g: np.sort(draws(g), axis=1),
    "a constant parameter": lambda g: changed(g, FIRST, lambda v: np.full_like(v, MEAN[1])),
    "a stuck chain": lambda g: changed(g, np.s_[2], lambda v: np.broadcast_to(v[0], v.shape)),
    "a copied chain": lambda g: draws(g)[[0, 0, 2, 3]],
    "copies of one chain": lambda g: draws(g)[[0, 0, 0, 0]],
    "an infinite draw": lambda g: changed(g, np.s_[0, 5, 1], lambda v: np.inf),
}
UNHARMED = {
    "resampled": resampled,
    "each draw twice": lambda g: np.repeat(draws(g, (4, 500)), 2, axis=1),
    "rounded to a tenth": lambda g: np.round(draws(g), 1),
    "half precision": lambda g: draws(g).astype(np.float16),
    "reversed": lambda g: draws(g)[:, ::-1],
    "a half": lambda g: draws(g)[:, 500:],
    "a thousand chains": lambda g: draws(g, (1000, 4)),
    "chains warming up": with_warmup,
    "a drift": with_drift,
    "a draw far away": lambda g: changed(g, np.s_[0, 5, 1], lambda v: 1e3),
    "none": draws,
}


def tree_of(b, **groups):
    dataset = xr.Dataset({"b": (("chain", "draw", "term"), b)}, coords={"term": ["i", "u", "v"]})
    return xr.DataTree.from_dict({"posterior": dataset, **groups})


def evidence(idata, seed=1):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mk.log_evidence(MODEL, idata, random_seed=seed)


def is_harmless(found):
    error = abs(float(found) - EXACT)
    return error < max(HARMLESS, ERRORS * found.mcse)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", DETECTED)
def test_wrong_draws_are_detected(name, seed):
    found = evidence(tree_of(DETECTED[name](np.random.default_rng(seed))), seed)
    assert found.warnings
    assert np.isnan(float(found)) or is_harmless(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", UNHARMED)
def test_other_changes_are_harmless(name, seed):
    found = evidence(tree_of(UNHARMED[name](np.random.default_rng(seed))), seed)
    assert is_harmless(found) or (np.isnan(float(found)) and found.warnings)


def test_a_draw_that_is_not_a_number_is_refused():
    b = changed(np.random.default_rng(1), np.s_[0, 5, 1], lambda v: np.nan)
    with pytest.raises(ValueError, match="NaN"):
        evidence(tree_of(b))


def log_likelihood(b):
    return stats.norm.logpdf(Y - np.einsum("cdk,nk->cdn", b, X))


def likelihood_group(values):
    return xr.Dataset({"y": (("chain", "draw", "obs"), values)}, coords={"obs": np.arange(N)})


def statistics(b, factor=1.0, shift=0.0):
    lp = log_likelihood(b).sum(axis=-1) + stats.norm(0, 2).logpdf(b).sum(axis=-1)
    return xr.Dataset({"lp": (("chain", "draw"), factor * lp + shift)}, attrs={"inference_library": "pymc"})


def other_densities(b):
    """Groups that do not belong to the draws, and whether that is detected."""
    other, shifted = log_likelihood(draws(np.random.default_rng(9))), log_likelihood(b)
    shifted[..., 3] += 0.01
    return [
        ({"log_likelihood": likelihood_group(other)}, True),
        ({"log_likelihood": likelihood_group(shifted)}, True),
        ({"sample_stats": statistics(b, factor=0.9)}, True),
        ({"sample_stats": statistics(b, shift=3.0)}, False),
        ({"log_likelihood": likelihood_group(log_likelihood(b)).isel(obs=slice(None, None, -1))}, False),
        ({"log_likelihood": likelihood_group(np.full((4, 1000, N), np.nan))}, False),
        ({"sample_stats": statistics(b, factor=np.nan)}, False),
        ({}, False),
    ]


def test_densities_of_other_draws_are_detected():
    b = draws(np.random.default_rng(1))
    for groups, wrong in other_densities(b):
        found = evidence(tree_of(b, **groups))
        assert np.isnan(float(found)) == wrong
        assert wrong or is_harmless(found)
