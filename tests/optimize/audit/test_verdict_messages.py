"""What is said of a verdict: numbers that a reader can tell apart, and none that are but rounding."""

import numpy as np
import pymc as pm
import pytest
from plain_objectives import analytic, line
from scipy import optimize

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.optimize.parameter_space import Space
from pp_mlekl.optimize.search import search


def steps(estimate):
    """Where the steps of a climb are said to be, in words."""
    assert estimate.status == "unbounded"
    return [step.split(" ", 1)[1] for step in estimate.warnings[0].split(": ")[1].rstrip(".").split(", ")]


@pytest.mark.parametrize("end", [1.0, 3.0])
def test_steps_towards_a_finite_limit_are_told_apart(end):
    with pm.Model() as model:
        top = pm.Uniform("top", 0, end)
        pm.Normal("y", 0, end - top, observed=[0.0, 0.0])
    estimate = find_mle(model, random_seed=1)
    assert f"top -> {end:.4g}" in estimate.warnings[0]
    places = steps(estimate)
    assert len(set(places)) == len(places)
    assert all("distance of" in place or "units of" in place for place in places)
    numbers = [float(word) for place in places for word in place.split() if word[0].isdigit()]
    assert len(numbers) == len(places)
    assert np.all(np.diff(numbers) < 0) or np.all(np.diff(numbers) > 0)


def test_steps_towards_zero_show_the_parameter_itself():
    with pm.Model() as model:
        pm.Normal("y", 0, pm.HalfNormal("sigma", 1), observed=[0.0, 0.0])
    numbers = [float(place.removeprefix("at ")) for place in steps(find_mle(model, random_seed=1))]
    assert np.all(np.diff(numbers) < 0)


def test_equal_maxima_lie_at_0():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 5) ** 2, 1.0, observed=[3.1, 5.3, 4.7])
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "multimodal"
    assert "2 maxima, of equal height" in estimate.warnings[0]


def test_maxima_of_different_height_keep_their_distance():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5)
        pm.Normal("y", mu**2, 1.0, observed=4.0)
        pm.Normal("z", mu, 10.0, observed=1.0)
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "multimodal"
    left, right = (
        optimize.minimize_scalar(lambda m: (m**2 - 4) ** 2 / 2 + (m - 1) ** 2 / 200, bracket=(side, 2 * side)).fun
        for side in (-1.0, 1.0)
    )
    assert f"the other {left - right:.3g} nats lower" in estimate.warnings[0]


def said(value, size, logarithms=()):
    verdict = search(analytic(value, size), np.zeros((1, size)), line(size, logarithms))
    return verdict.status, verdict.warnings


def test_what_leads_to_infinity_together_with_a_bound_is_one_sentence():
    status, warnings = said(lambda z: -np.exp(-z[:, 0]) - np.exp(z[:, 1]), 2, logarithms=(1,))
    assert status == "at_infinity"
    assert len(warnings) == 1
    assert "x0 -> +inf, x1 -> 0" in warnings[0]


def test_several_bounds_are_one_sentence():
    status, warnings = said(lambda z: -np.exp(z[:, 0]) - np.exp(z[:, 1]), 2, logarithms=(0, 1))
    assert status == "boundary"
    assert len(warnings) == 1
    assert "x0 = 0, x1 = 0" in warnings[0]


@pytest.mark.parametrize(("power", "without"), [(2, []), (4, ["x1"])])
def test_what_has_no_standard_error_beside_a_bound_is_named(power, without):
    status, warnings = said(lambda z: -np.exp(z[:, 0]) - (z[:, 1] - 1) ** power, 2, logarithms=(0,))
    assert status == "boundary"
    assert [name for name in ("x0", "x1") if any(name in text for text in warnings[1:])] == without


def test_all_parameters_that_an_edge_of_the_support_holds_are_named():
    with pm.Model() as model:
        low, width = pm.Normal("low", 0, 10), pm.HalfNormal("width", 10)
        pm.Uniform("y", low, low + width, observed=[-1.0, 0.5, 2.0])
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "boundary"
    assert "low, width" in estimate.warnings[0]


def test_what_moves_but_parameters_at_their_bounds_is_no_news():
    space = Space(
        natural=lambda z: np.exp(z[:, :1] + np.tanh(z[:, 1:])),
        names=["x"],
        coordinates=["log(x)", "other"],
        transformed=np.array([True, False]),
    )
    verdict = search(analytic(lambda z: -np.exp(z[:, 0] + np.tanh(z[:, 1])), 2), np.zeros((1, 2)), space)
    assert verdict.status == "boundary"
    assert len(verdict.null) == 1
    assert len(verdict.warnings) == 1
