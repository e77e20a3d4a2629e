"""When the information at a null is the expected one, from nodes made by hand, and what it is for a tiny model."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.estimation import information as module
from pp_mlekl.estimation.information import information_nodes, null_information, observed_information
from pp_mlekl.estimation.problem import Problem
from pp_mlekl.pymc_model.model_functions import model_functions

HESSIAN = -np.array([[4.0, 1.0, 9.0], [1.0, 2.0, 9.0], [9.0, 9.0, 9.0]])
OBSERVED = np.arange(9.0).reshape(3, 3)


def found(monkeypatch, score, hessian=HESSIAN, weight=25.0, nodes=True):
    made = SimpleNamespace(
        hessian=lambda functions, z: (0.0, np.append(np.asarray(score, dtype=float), 1e9), hessian),
        weights=np.full((2, 1), weight / 2),
    )
    monkeypatch.setattr(module, "information_nodes", lambda *_: made if nodes else None)
    monkeypatch.setattr(module, "observed_information", lambda *_: OBSERVED)
    problem = SimpleNamespace(kept=np.array([0, 1]), functions=None)
    return null_information(problem, np.zeros(3), None)


@pytest.mark.parametrize(("share", "kind"), [(0.99, "expected"), (1.01, "observed")])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("weight", [25.0, 400.0])
def test_the_square_of_the_expected_score_is_small(monkeypatch, share, kind, place, sign, weight):
    """Beside the information of one observation times their number: a hundred-millionth of it."""
    score = np.zeros(2)
    score[place] = sign * np.sqrt(share * 1e-8 * weight * (4.0, 2.0)[place])
    result = found(monkeypatch, score, weight=weight)
    assert result.kind == kind
    np.testing.assert_array_equal(result.matrix, {"expected": -HESSIAN, "observed": OBSERVED}[kind][:2, :2])


def test_what_is_not_known_is_observed(monkeypatch):
    assert found(monkeypatch, np.zeros(2), nodes=False).kind == "observed"
    broken = HESSIAN.copy()
    broken[0, 1] = np.nan
    assert found(monkeypatch, np.zeros(2), broken).kind == "observed"
    # What is not estimated does not matter.
    broken = HESSIAN.copy()
    broken[2, 2] = np.nan
    assert found(monkeypatch, np.zeros(2), broken).kind == "expected"


@pytest.fixture(scope="module")
def normal():
    """y ~ N(0, sigma) with sigma = exp(z): per observation the expected information about z is 2, the observed 2 y² / sigma²."""
    with pm.Model() as model:
        pm.Normal("y", 0.0, pm.HalfNormal("sigma", 5.0), observed=[1.0, -2.0, 3.0])
    return model_functions(model)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0]])
def test_information_about_a_scale(normal, weights):
    problem = Problem(functions=normal, kind="mle", weights=weights)
    z = np.array([np.log(2.0)])
    squares, w = np.array([1.0, 4.0, 9.0]), np.ones(3) if weights is None else np.array(weights)
    expected = null_information(problem, z, np.random.default_rng(1))
    assert expected.kind == "expected"
    np.testing.assert_allclose(expected.matrix, [[2 * w.sum()]], rtol=1e-8)
    # By sigma: 3 y² / sigma⁴ - 1 / sigma², and sigma' = sigma.
    np.testing.assert_allclose(observed_information(problem, z), [[np.sum(w * (3 * squares / 4 - 1))]], rtol=1e-8)
    nodes = information_nodes(problem, z, np.random.default_rng(1))
    assert nodes.exact
    assert nodes.weights.sum() == pytest.approx(w.sum())
