"""Edges of the data's support that several parameters share."""

import numpy as np
import pytest
from plain_objectives import line, point, without_slope

from pp_mlekl.optimize.audit.shared_edge import climb_along_edge
from pp_mlekl.optimize.audit.unbounded import unbounded

SPACE = line(3, [1])
RIDGE = np.array([0.049, np.log(0.3), 6.0])


def extremes(y):
    """Generalised extreme values; z is mu, log sigma, xi."""

    def value(z):
        mu, log_sigma, xi = z.T
        with np.errstate(all="ignore"):
            t = 1 + xi * (y[:, None] - mu) * np.exp(-log_sigma)
            terms = -log_sigma - (1 + 1 / xi) * np.log(t) - t ** (-1 / xi)
            return np.where((t > 0).all(axis=0), np.where(t > 0, terms, 0).sum(axis=0), -np.inf)

    return without_slope(value, 3)


@pytest.mark.parametrize(("smallest", "diverges"), [([0.0, 0.0, 0.0], True), ([0.0, 0.05, 0.1], False)])
def test_equal_observations_at_an_end_of_the_support(smallest, diverges):
    objective = extremes(np.concatenate([smallest, np.linspace(0.2, 3.0, 17)]))
    value = float(objective.value(RIDGE[None])[0])
    assert np.isfinite(value)
    climb = climb_along_edge(objective, RIDGE, value, SPACE)
    assert (climb is not None) == diverges
    if diverges:
        # Each e-folding of the distance gains 3 nats by the ties, less what the growing shape costs.
        assert 1.5 < climb.rate < 3.0
        np.testing.assert_allclose(climb.edge[0] - np.exp(climb.edge[1]) / climb.edge[2], 0.0, atol=1e-12)
        assert np.all(np.isfinite(objective.value(climb.points)))
        assert np.all(np.diff(climb.points[:, 2]) > 0)


def test_a_search_that_ended_on_such_a_ridge():
    objective = extremes(np.concatenate([[0.0, 0.0, 0.0], np.linspace(0.2, 3.0, 17)]))
    (found,) = unbounded(point(objective, RIDGE, space=SPACE, state="stuck"))
    assert found.kind == "divergence"


def test_an_edge_of_one_parameter_is_not_shared():
    def value(z):
        with np.errstate(all="ignore"):
            return np.where(z[:, 0] < 1, -0.1 * np.log(1 - z[:, 0]), -np.inf) - z[:, 1] ** 2

    objective = without_slope(value, 2)
    assert climb_along_edge(objective, np.array([0.99, 0.0]), 0.5, line(2)) is None
