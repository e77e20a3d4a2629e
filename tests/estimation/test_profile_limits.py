"""Profiles of locations and thresholds against SciPy's densities profiled by hand, and what ends a profile."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, stats
from tiers import slow_if

from pp_mlekl.estimation.problem import Problem
from pp_mlekl.estimation.profile_limits import profile_paths
from pp_mlekl.optimize.objective import Objective
from pp_mlekl.optimize.solvers.trust_region import maximize
from pp_mlekl.pymc_model.model_functions import model_functions

DROP = 0.5 * stats.chi2.ppf(0.95, 1)


def gev(y, x):
    location, scale, shape = (
        pm.Normal("mu", 0, 5, initval=x),
        pm.HalfNormal("s", 5),
        pm.Normal("xi", 0, 1, initval=0.05),
    )
    inside = 1 + shape * (y - location) / scale
    log = pt.log(pt.switch(inside > 0, inside, 1.0))
    return inside > 0, -pt.log(scale) - (1 + 1 / shape) * log - pt.exp(-log / shape)


def pareto(y, x):
    scale, shape = pm.HalfNormal("s", 5, initval=2.0), pm.Normal("xi", 0, 1, initval=0.05)
    inside = 1 + shape * y / scale
    return inside > 0, -pt.log(scale) - (1 + 1 / shape) * pt.log(pt.switch(inside > 0, inside, 1.0))


def beyond(y, x):
    gap = y - pm.Normal("m", 0, 5, initval=x)
    return gap > 0, pt.switch(gap > 0, gap, 1.0)


def gamma(y, x):
    inside, gap = beyond(y, x)
    shape, rate = pm.HalfNormal("a", 9, initval=3.0), pm.HalfNormal("b", 5)
    return inside, shape * pt.log(rate) - pt.gammaln(shape) + (shape - 1) * pt.log(gap) - rate * gap


def lognormal(y, x):
    inside, gap = beyond(y, x)
    z, scale = pt.log(gap) - pm.Normal("mu", 0, 5), pm.HalfNormal("s", 5)
    return inside, -pt.log(gap) - pt.log(scale) - 0.5 * np.log(2 * np.pi) - 0.5 * (z / scale) ** 2


def weibull(y, x):
    inside, gap = beyond(y, x)
    shape, scale = pm.HalfNormal("a", 9, initval=2.0), pm.HalfNormal("b", 5, initval=2.0)
    ratio = pt.log(gap) - pt.log(scale)
    return inside, pt.log(shape) - pt.log(gap) + shape * ratio - pt.exp(shape * ratio)


def given_shape(logpdf):
    """Over location and scale, the shape given."""

    def profiled(y, value, start):
        found = optimize.minimize(
            lambda p: _finite(logpdf(y, value, p[0], np.exp(p[1]))),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000},
        )
        return -found.fun, found.x

    return profiled


def given_location(best_shape):
    """Over one shape, the location given and the scale in closed form."""

    def profiled(y, value, start):
        gap = y - value
        found = optimize.minimize_scalar(
            lambda p: _finite(best_shape(gap, np.exp(p))), bracket=(start - 0.1, start), options={"xtol": 1e-12}
        )
        return -found.fun, found.x

    return profiled


def _finite(terms):
    total = np.sum(terms)
    return -total if np.isfinite(total) else 1e10


def gamma_of_gap(gap, a):
    return stats.gamma.logpdf(gap, a, scale=gap.mean() / a)


def weibull_of_gap(gap, a):
    return stats.weibull_min.logpdf(gap, a, scale=np.mean(gap**a) ** (1 / a))


def lognormal_given_location(y, value, start):
    logs = np.log(y - value)
    return stats.lognorm.logpdf(y - value, logs.std(), scale=np.exp(logs.mean())).sum(), start


def pareto_given_shape(y, value, start):
    found = optimize.minimize_scalar(
        lambda p: _finite(stats.genpareto.logpdf(y, value, scale=np.exp(p))), bracket=(start, start + 0.1)
    )
    return -found.fun, found.x


QUANTILES = (np.arange(30) + 0.5) / 30
CASES = {
    "generalised extreme values": (
        gev,
        stats.genextreme(0.1, loc=3).ppf(QUANTILES),
        3.0,
        2,
        given_shape(lambda y, c, m, s: stats.genextreme.logpdf(y, -c, m, s)),
    ),
    "generalised Pareto": (pareto, stats.genpareto(0.15, scale=2).ppf(QUANTILES), 0.0, 1, pareto_given_shape),
    "gamma with location": (gamma, 2 + stats.gamma(9).ppf(QUANTILES), 2.0, 0, given_location(gamma_of_gap)),
    "shifted lognormal": (lognormal, 1 + stats.lognorm(0.6).ppf(QUANTILES), 0.9, 0, lognormal_given_location),
    "three-parameter Weibull": (
        weibull,
        1 + 2 * stats.weibull_min(2.2).ppf(QUANTILES),
        1.0,
        0,
        given_location(weibull_of_gap),
    ),
}


@pytest.mark.parametrize("name", slow_if(CASES, ["generalised extreme values", "gamma with location"]))
def test_limits_of_locations_and_shapes_as_by_hand(name):
    build, y, x, coordinate, profiled = CASES[name]
    with pm.Model() as model:
        inside, terms = build(y, x)
        pm.Potential("y", pt.switch(inside, terms, -np.inf))
    problem = Problem(functions=model_functions(model, "likelihood"), kind="mle")
    ends = maximize(problem.objective, problem.base[None])
    assert ends.state[0] == "stationary"
    z, covariance = ends.z[0], np.linalg.inv(-ends.hessian[0])
    paths = profile_paths(problem.objective, z, range(len(z)), covariance=covariance, drop=DROP)
    assert all(path.reasons == ("", "") for path in paths)
    error = np.sqrt(covariance[coordinate, coordinate])
    others = np.delete(z, coordinate)
    start = {"three-parameter Weibull": others[0], "gamma with location": others[0]}.get(name, others)
    start = float(start[0]) if name == "generalised Pareto" else start
    for side, limit in zip((-1, 1), paths[coordinate].limits[:, coordinate], strict=True):
        if np.isinf(limit):
            # The limit of infinite shape is a normal distribution.
            assert (side, name) == (-1, "gamma with location")
            assert ends.value[0] - stats.norm.logpdf(y, y.mean(), y.std()).sum() < DROP
            continue
        # A dense walk, each point from its neighbour, until the profile has fallen; then the root.
        inner, point = z[coordinate], start
        for k in range(1, 400):
            value = z[coordinate] + side * 0.25 * k * error
            if name in ("gamma with location", "shifted lognormal", "three-parameter Weibull"):
                value = min(value, y.min() - 1e-9)
            found, following = profiled(y, value, point)
            if found < ends.value[0] - DROP:
                break
            inner, point = value, following
        expected = optimize.brentq(
            lambda v, point=point: profiled(y, v, point)[0] - ends.value[0] + DROP, *sorted((inner, value)), xtol=1e-12
        )
        assert limit == pytest.approx(expected, rel=1e-6)


def smooth(value, gradient, hessian, size=2):
    """An objective of formulas that are undefined (NaN) out of the support."""

    def evaluate(order, z, rows):
        return (value(*z.T), np.stack(gradient(*z.T), -1), np.stack(hessian(*z.T), -1).reshape(-1, size, size))[
            : order + 1
        ]

    return Objective(size=size, evaluate=evaluate)


def with_an_edge(inside):
    """-x^2 / 2 - (y - x)^2 / 2 where the data have a density."""
    return smooth(
        lambda x, y: np.where(inside(x, y), -(x**2) / 2 - (y - x) ** 2 / 2, np.nan),
        lambda x, y: (-x + y - x, x - y),
        lambda x, y: (-2 + 0 * x, 1 + 0 * x, 1 + 0 * x, -1 + 0 * x),
    )


COVARIANCE = np.array([[1.0, 1.0], [1.0, 2.0]])


@pytest.mark.parametrize("sign", [1, -1])
def test_a_profile_that_ends_has_nan_on_its_own_side_and_a_reason(sign):
    objective = with_an_edge(lambda x, y: sign * x < 1.0)
    (path,) = profile_paths(objective, np.zeros(2), [0], covariance=COVARIANCE, drop=DROP)
    closed, ended = (0, 1) if sign > 0 else (1, 0)
    assert np.isnan(path.limits[ended, 0])
    assert path.limits[closed, 0] == pytest.approx(-sign * np.sqrt(2 * DROP), rel=1e-8)
    assert path.reasons[ended]
    assert not path.reasons[closed]
    # The profile is followed to the edge.
    assert path.points[-ended, 0] == pytest.approx(sign, abs=1e-6)
    assert path.falls[ended] == pytest.approx(0.5, abs=1e-6)


def test_an_edge_that_the_others_can_follow_ends_nothing():
    # Beyond x = 1 the best y is the edge's, 2 - x: the profile is -x^2 / 2 - 2 (1 - x)^2.
    objective = with_an_edge(lambda x, y: x + y < 2)
    (path,) = profile_paths(objective, np.zeros(2), [0], covariance=COVARIANCE, drop=DROP)
    expected = (4 + np.sqrt(16 - 10 * (2 - DROP))) / 5
    np.testing.assert_allclose(path.limits[:, 0], [-np.sqrt(2 * DROP), expected], rtol=1e-6)


def test_a_region_of_larger_values_ends_a_profile():
    # A double well in x, the right one higher: the profile falls by 0.9 and rises again.
    objective = smooth(
        lambda x, y: -((x**2 - 1) ** 2) + 0.1 * (x + 1) - (y - x) ** 2,
        lambda x, y: (-4 * x * (x**2 - 1) + 0.1 + 2 * (y - x), -2 * (y - x)),
        lambda x, y: (-12 * x**2 + 4 - 2, 2 + 0 * x, 2 + 0 * x, -2 + 0 * x),
    )
    start = np.full((1, 2), -1.0)
    ends = maximize(objective, start)
    covariance = np.linalg.inv(-ends.hessian[0])
    (path,) = profile_paths(objective, ends.z[0], [0], covariance=covariance, drop=DROP)
    assert np.isfinite(path.limits[0, 0])
    assert np.isnan(path.limits[1, 0])
    assert "larger" in path.reasons[1]


def test_a_region_without_a_maximum_over_the_others_is_not_entered():
    # Over y the objective has its maximum at -sqrt(1 - x) and grows without end from sqrt(1 - x) on; no maximum for x > 1.
    objective = smooth(
        lambda x, y: -(x**2) / 8 + y**3 / 3 - (1 - x) * y - 2 / 3,
        lambda x, y: (-x / 4 + y, y**2 - (1 - x)),
        lambda x, y: (-0.25 + 0 * x, 1 + 0 * x, 1 + 0 * x, 2 * y),
    )
    x = optimize.brentq(lambda x: -x / 4 - np.sqrt(1 - x), -60, -1)
    z = np.array([x, -np.sqrt(1 - x)])
    covariance = np.linalg.inv(-objective.hessian(z[None])[2][0])
    (path,) = profile_paths(objective, z, [0], covariance=covariance, drop=40.0)
    top = float(objective.value(z[None])[0])
    # The profile: 2/3 (1 - x)^(3/2) - x^2 / 8 - 2/3.
    low = optimize.brentq(lambda v: 2 / 3 * (1 - v) ** 1.5 - v**2 / 8 - 2 / 3 - top + 40.0, -60, x)
    assert path.limits[0, 0] == pytest.approx(low, rel=1e-7)
    assert np.isnan(path.limits[1, 0])
    assert path.points[:, 0].max() <= 1.0 + 1e-6


@pytest.mark.parametrize("unit", [1e-25, 1e-12, 1.0, 1e12])
def test_units_scale_the_limits(unit):
    # About unit, with a standard error of unit: limits have all their digits in any unit.
    objective = smooth(
        lambda x, y: -((x / unit - 1) ** 2) / 2 - (y - x / unit) ** 2 / 2,
        lambda x, y: ((-(x / unit - 1) + y - x / unit) / unit, x / unit - y),
        lambda x, y: (-2 / unit**2 + 0 * x, 1 / unit + 0 * x, 1 / unit + 0 * x, -1 + 0 * x),
    )
    covariance = np.array([[unit**2, unit], [unit, 2.0]])
    (path,) = profile_paths(objective, np.array([unit, 1.0]), [0], covariance=covariance, drop=DROP)
    np.testing.assert_allclose(path.limits[:, 0], unit * (1 + np.sqrt(2 * DROP) * np.array([-1, 1])), rtol=1e-8)


def test_a_profile_that_levels_off_has_an_infinite_limit():
    levelling = smooth(
        lambda x, y: -1.5 * np.tanh(x) ** 2 - y**2,
        lambda x, y: (-3 * np.tanh(x) / np.cosh(x) ** 2, -2 * y),
        lambda x, y: (-3 * (1 - 3 * np.tanh(x) ** 2) / np.cosh(x) ** 2, 0 * x, 0 * x, -2 + 0 * x),
    )
    (path,) = profile_paths(levelling, np.zeros(2), [0], covariance=np.diag([1 / 3, 0.5]), drop=DROP)
    assert path.limits[:, 0].tolist() == [-np.inf, np.inf]
