"""Which standard normals are latent variables in non-centred form."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

from pp_mlekl.pymc_model.noncentred import noncentred

N = 5
PLACES = np.arange(N, dtype=float)


def scaled(z):
    return pm.HalfNormal("tau") * z


def by_groups(z):
    return pm.Normal("mu", 0, 10) + (pm.HalfNormal("tau") * z)[np.array([0, 0, 3])]


def correlated(z):
    chol, _, _ = pm.LKJCholeskyCov("chol", n=N, eta=2.0, sd_dist=pm.Exponential.dist(1.0, shape=N))
    return chol @ z


def gaussian_process(z):
    length = pm.HalfNormal("length")
    kernel = pt.exp(-(((PLACES[:, None] - PLACES) / length) ** 2)) + 1e-6 * np.eye(N)
    return pt.linalg.cholesky(pm.HalfNormal("eta") * kernel) @ z


def random_walk(z):
    return pt.cumsum(z) * pm.HalfNormal("tau")


def by_precision(z):
    return z / pm.Gamma("precision", 2, 1)


def not_scaled(z):
    return pm.HalfNormal("tau") + z


def scaled_in_one_place_only(z):
    return pm.HalfNormal("tau") * z + z


def squared(z):
    return pm.HalfNormal("tau") * z * z


def scaled_by_data(z):
    return PLACES * z


def shifted_before(z):
    return pm.HalfNormal("tau") * (z - pm.Normal("b", 0, 2))


def of_its_own_kind(z):
    return z * pm.Normal("w")


@pytest.mark.parametrize(
    ("use", "factors"),
    [
        (scaled, ["tau"]),
        (by_groups, ["tau"]),
        (correlated, ["chol"]),
        (gaussian_process, ["length", "eta"]),
        (random_walk, ["tau"]),
        (by_precision, ["precision"]),
        *(
            (use, None)
            for use in (not_scaled, scaled_in_one_place_only, squared, scaled_by_data, shifted_before, of_its_own_kind)
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_uses(use, factors):
    with pm.Model() as model:
        predictor = pm.Deterministic("predictor", use(pm.Normal("z", shape=N)))
        pm.Normal("y", predictor, 1.0, observed=np.zeros(predictor.shape.eval()))
    assert noncentred(model) == ({} if factors is None else {"z": factors})


@pytest.mark.parametrize(("mu", "sigma"), [(1, 1), (0, 2)])
def test_a_normal_that_is_not_standard_is_a_parameter(mu, sigma):
    with pm.Model() as model:
        pm.Normal("y", pm.HalfNormal("tau") * pm.Normal("z", mu, sigma, shape=N), 1.0, observed=np.zeros(N))
    assert noncentred(model) == {}
