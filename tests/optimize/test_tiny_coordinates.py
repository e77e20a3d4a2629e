"""Coordinates of tiny size: searches and verdicts that do not depend on the unit."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from plain_objectives import analytic, line

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.optimize.search import search
from pp_mlekl.optimize.units import objective_in, units_of

X = np.linspace(0, 2, 12)
Y = 2 * np.exp(0.7 * X) + 0.3 * np.sin(40 * X)
STARTS = np.array([[0.5, 0.2, 0.0], [1.5, -0.4, 0.3], [0.2, 0.9, -0.2], [3.0, 0.1, 0.5]])


def growth(z):
    """A growth curve with its rate second and the logarithm of its scatter last."""
    residuals = Y - z[:, :1] * np.exp(z[:, 1:2] * X)
    return -np.sum(residuals**2, axis=1) / (2 * np.exp(2 * z[:, 2])) - len(Y) * z[:, 2]


def product(z):
    """Of the first two coordinates only the product is known."""
    return -((z[:, 0] * z[:, 1] - 0.5) ** 2) - (z[:, 2] - 1) ** 2


def endless(z):
    """The second coordinate runs off."""
    return -np.exp(-3 * z[:, 1]) - (z[:, 0] - 1) ** 2 - z[:, 2] ** 2


def divergent(z):
    """The third coordinate grows without limit if the second is 0.2, a divergence that takes the second along."""
    return z[:, 2] - np.exp(2 * z[:, 2]) * (z[:, 1] - 0.2) ** 2 - (z[:, 0] - 1) ** 2


def verdicts(value, unit):
    units = np.array([1.0, unit, 1.0])
    space = line(3, logarithms=(2,))
    plain = search(analytic(value, 3), STARTS, space)
    natural = lambda z: space.natural(z / units)  # noqa: E731
    tiny = search(analytic(lambda z: value(z / units), 3), STARTS * units, replace(space, natural=natural))
    assert tiny.status == plain.status
    return plain, tiny, units


@pytest.mark.parametrize("unit", [1e-6, 1e-12])
def test_a_maximum_does_not_depend_on_the_unit(unit):
    plain, tiny, units = verdicts(growth, unit)
    assert plain.status == "converged"
    np.testing.assert_allclose(tiny.z, plain.z * units, rtol=1e-9)
    np.testing.assert_allclose(tiny.covariance / np.outer(units, units), plain.covariance, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(tiny.hessian * np.outer(units, units), plain.hessian, rtol=1e-6, atol=1e-4)
    assert tiny.value == pytest.approx(plain.value, rel=1e-12)
    assert tiny.audit.starts == plain.audit.starts
    assert tiny.audit.rank == 3
    assert tiny.audit.largest_eigenvalue == pytest.approx(np.linalg.eigvalsh(-tiny.hessian)[-1], rel=1e-6)
    np.testing.assert_allclose(tiny.audit.modes[0].z, tiny.z, rtol=1e-9)


def test_flat_directions_are_those_of_the_coordinates():
    plain, tiny, units = verdicts(product, 1e-9)
    assert plain.status == "not_identified"
    z = tiny.z / units
    # Along the family the product stays: its direction is (z0, -z1) before units, in logarithms (1, -1).
    tangent = np.array([z[0], -z[1], 0.0]) * units
    np.testing.assert_allclose(np.abs(tiny.null[0]), np.abs(tangent) / np.linalg.norm(tangent), atol=1e-12, rtol=1e-4)
    own = 2.0 ** np.round(np.log2(np.median(np.abs(STARTS[1:, 1] - STARTS[0, 1])) * 1e-9))
    assert f"(x1 / {own:.3g})" in tiny.warnings[0]
    assert [f.parameters for f in tiny.findings] == [f.parameters for f in plain.findings] == [("x0", "x1")]


def test_a_way_to_infinity_is_one_of_the_coordinates():
    plain, tiny, _ = verdicts(endless, 1e-9)
    assert plain.status == "at_infinity"
    np.testing.assert_allclose(tiny.run_off, [[0.0, 1.0, 0.0]], atol=1e-12)
    assert "x1 -> +inf" in tiny.warnings[0]


def test_a_divergence_has_its_path_in_the_coordinates():
    plain, tiny, units = verdicts(divergent, 1e-9)
    assert plain.status == "unbounded"
    climbs = [next(f.climb for f in verdict.findings if f.climb is not None) for verdict in (plain, tiny)]
    assert climbs[1].rate == pytest.approx(climbs[0].rate, rel=1e-6)
    np.testing.assert_allclose(climbs[1].points[:, 1], 0.2 * units[1], rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(climbs[1].direction), 1.0)


def test_derivatives_follow_the_units():
    units = np.array([1.0, 2.0**-30, 0.5])
    objective = analytic(growth, 3)
    inside = objective_in(objective, units)
    there = np.array([[1.2, 0.3, -0.1]])
    value, gradient, hessian = objective.hessian(there)
    again = inside.hessian(there / units)
    np.testing.assert_array_equal(again[0], value)
    np.testing.assert_allclose(again[1], gradient * units)
    np.testing.assert_allclose(again[2], hessian * np.outer(units, units))


@pytest.mark.parametrize(("apart", "own"), [(8e-4, True), (2e-3, False)])
def test_what_is_of_moderate_size_keeps_its_unit(apart, own):
    starts = np.array([[0.0], [apart], [-apart]])
    assert (units_of(starts, line())[0] != 1.0) == own
    assert units_of(starts, line(logarithms=(0,)))[0] == 1.0
    assert units_of(starts[:1], line())[0] == 1.0


def test_a_rate_for_each_tenth_of_a_nanosecond():
    generator = np.random.default_rng(0)
    x = np.linspace(0, 2, 40)
    y = 2 * np.exp(0.7 * x) + generator.normal(0, 0.3, 40)
    found = []
    for unit in (1.0, 1e-10):
        with pm.Model() as model:
            a, b = pm.Normal("a", 0, 5), pm.Normal("b", 0, unit)
            pm.Normal("y", a * pt.exp(b * x / unit), pm.HalfNormal("s", 1), observed=y)
        found.append(find_mle(model, random_seed=1))
    assert [estimate.status for estimate in found] == ["converged", "converged"]
    plain, tiny = found
    assert float(tiny.values["b"]) == pytest.approx(1e-10 * float(plain.values["b"]), rel=1e-8)
    assert float(tiny.standard_error["b"]) == pytest.approx(1e-10 * float(plain.standard_error["b"]), rel=1e-6)
    assert float(tiny.standard_error["a"]) == pytest.approx(float(plain.standard_error["a"]), rel=1e-6)


def test_what_is_known_of_a_sum_alone_has_no_standard_error_in_any_unit():
    y = np.random.default_rng(0).normal(2, 1, 30)
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("a") + pm.Normal("b", 0, 1e-10) / 1e-10, pm.HalfNormal("s"), observed=y)
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "not_identified"
    assert {name: bool(np.isnan(v)) for name, v in estimate.standard_error.items()} == {
        "a": True,
        "b": True,
        "s": False,
    }
