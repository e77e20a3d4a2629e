"""Data sets made of a truth's nodes, and simulated ones, for tiny models."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from pp_mlekl.divergences.families import family
from pp_mlekl.estimation.pseudo_true.divergence_at import divergence, minimum, unknown
from pp_mlekl.estimation.quadrature_data import exchangeable, node_data
from pp_mlekl.estimation.replicates.simulator import Replicates, Simulator, rows_drawn
from pp_mlekl.inputs.truth import Truth, as_truth
from pp_mlekl.pymc_model.model_functions import model_functions

X = np.array([0.0, 1.0, 3.0])


@pytest.fixture(scope="module")
def alike():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 10), 2.0, observed=np.zeros(5))
    return model_functions(model)


@pytest.fixture(scope="module")
def covariates():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("b", 0, 10) * X, 2.0, observed=X)
    return model_functions(model)


@pytest.fixture(scope="module")
def counts():
    with pm.Model() as model:
        pm.Bernoulli("y", pm.Beta("p", 1, 1), observed=[0, 1, 1])
    return model_functions(model)


def cross_entropy(distance):
    """E[-log q] of a normal with the same spread at a distance."""
    return stats.norm(0, 2.0).entropy() + distance**2 / 8


def test_rows_that_are_alike_share_their_nodes(alike):
    generator = np.random.default_rng(1)
    truth = as_truth(alike, {"mu": 0.5})
    assert exchangeable(alike, truth, generator)
    nodes = node_data(alike, truth, generator)
    assert nodes.exact
    assert not nodes.row_of.any()
    assert nodes.weights.sum() == pytest.approx(5.0)
    assert nodes.data["y"].shape == nodes.weights.shape
    z = np.array([[0.5], [3.0]])
    np.testing.assert_allclose(nodes.expected_log_likelihood(alike, z), -5 * cross_entropy(z[:, 0] - 0.5), rtol=1e-9)
    value, gradient = nodes.gradient(alike, z)
    np.testing.assert_allclose(gradient, -5 * (z - 0.5) / 4, atol=1e-9)
    np.testing.assert_allclose(value, nodes.expected_log_likelihood(alike, z))
    _, again, hessian = nodes.hessian(alike, z)
    np.testing.assert_allclose(again, gradient)
    np.testing.assert_allclose(hessian, np.full((2, 1, 1), -5 / 4), rtol=1e-9)
    coarse = node_data(alike, truth, generator, points=6)
    assert coarse.weights.size < nodes.weights.size


def test_scores_are_those_of_the_chosen_data_sets(alike):
    nodes = node_data(alike, as_truth(alike, {"mu": 0.5}), np.random.default_rng(1))
    found = dict(nodes.scores(alike, np.array([1.0]), np.array([0, 2])))
    assert list(found) == [0, 2]
    for k, scores in found.items():
        np.testing.assert_allclose(scores[:, 0], (nodes.data["y"][k] - 1.0) / 4)


def test_rows_that_differ_have_a_data_set_a_node(covariates):
    generator = np.random.default_rng(1)
    truth = as_truth(covariates, {"b": 0.5})
    assert not exchangeable(covariates, truth, generator)
    nodes = node_data(covariates, truth, generator)
    np.testing.assert_allclose(nodes.weights.sum(axis=0), 1.0)
    np.testing.assert_array_equal(nodes.row_of, np.broadcast_to(np.arange(3), nodes.weights.shape))
    expected = -cross_entropy((1.5 - 0.5) * X).sum()
    np.testing.assert_allclose(nodes.expected_log_likelihood(covariates, np.array([[1.5]])), [expected], rtol=1e-9)


def test_a_truth_that_differs_between_rows_is_not_exchangeable(alike):
    rows = family("Normal")(mu=np.arange(5.0), sigma=2.0)
    truth = Truth(kind="distribution", distributions={"y": rows})
    assert not exchangeable(alike, truth, np.random.default_rng(1))
    assert exchangeable(
        alike, Truth(kind="distribution", distributions={"y": rows.select(0).expand((5,))}), np.random.default_rng(1)
    )


def test_held_out_draws_serve_as_they_are(alike):
    draws = np.arange(20.0).reshape(4, 5)
    nodes = node_data(alike, Truth(kind="draws", draws={"y": draws}), np.random.default_rng(1))
    assert not nodes.exact
    np.testing.assert_array_equal(nodes.weights, np.full((4, 5), 0.25))
    np.testing.assert_array_equal(nodes.data["y"], draws)
    np.testing.assert_array_equal(nodes.row_of, np.broadcast_to(np.arange(5), (4, 5)))
    with pytest.raises(ValueError, match="Held-out draws cannot be simulated from"):
        Simulator(alike, Truth(kind="draws", draws={"y": draws}), np.random.default_rng(1))


def test_divergences_are_means_over_rows_and_the_minimum_a_sum(covariates):
    truth = as_truth(covariates, {"b": 0.5})
    np.testing.assert_allclose(
        divergence(covariates, truth)(np.array([[0.5], [2.5]])), [0.0, np.mean((2 * X) ** 2 / 8)], atol=1e-12
    )
    assert minimum(covariates, truth, np.array([2.5]), None) == pytest.approx((np.sum((2 * X) ** 2 / 8), 0.0))
    assert not unknown(covariates, truth)
    drawn = Truth(kind="draws", draws={"y": np.zeros((2, 3))})
    assert unknown(covariates, drawn)
    assert np.isnan(minimum(covariates, drawn, np.array([2.5]), None)).all()


def test_rows_are_drawn_with_replacement():
    weights = rows_drawn(3, 10, 500, np.random.default_rng(1))
    assert weights.shape[0] == 500
    assert weights.shape[2] == 3
    np.testing.assert_array_equal(weights.sum(axis=(1, 2)), 10.0)
    # The first copies of a row are those that count.
    assert (np.diff(weights, axis=1) <= 0).all()
    assert weights[:, -1].any()
    np.testing.assert_allclose(weights.sum(axis=1).mean(axis=0), 10 / 3, rtol=0.05)
    assert weights.sum(axis=1)[:, 0].var() == pytest.approx(10 * (1 / 3) * (2 / 3), rel=0.2)


@pytest.mark.parametrize(("size", "copies"), [(5, 1), (10, 2), (12, 3), (3, 1)])
def test_more_observations_than_rows_go_through_the_rows_again(alike, size, copies):
    generator = np.random.default_rng(1)
    simulator = Simulator(alike, as_truth(alike, {"mu": 0.5}), generator)
    drawn = simulator.draw(size, 7, generator)
    assert (drawn.size, drawn.count) == (size, 7)
    assert drawn.data["y"].shape == (7, copies, 5)
    assert drawn.weights.shape == (1, copies, 5)
    assert drawn.weights.sum() == size
    # Of rows that are alike the first of the last copy are used.
    np.testing.assert_array_equal(drawn.weights.ravel(), np.arange(5 * copies) < size)
    z = np.array([[0.5], [1.5]])
    for k, mu in enumerate(z[:, 0]):
        used = drawn.data["y"].reshape(7, -1)[:, :size]
        expected = stats.norm(mu, 2.0).logpdf(used).mean(axis=1)
        np.testing.assert_allclose(drawn.mean_log_likelihood(alike, z)[k], expected)


def test_of_rows_that_differ_some_are_used_at_random(covariates):
    generator = np.random.default_rng(1)
    truth = as_truth(covariates, {"b": 0.5})
    drawn = Simulator(covariates, truth, generator).draw(4, 200, generator)
    assert drawn.weights.shape == (200, 2, 3)
    np.testing.assert_array_equal(drawn.weights[:, 0], 1.0)
    np.testing.assert_array_equal(drawn.weights[:, 1].sum(axis=1), 1.0)
    np.testing.assert_allclose(drawn.weights[:, 1].mean(axis=0), 1 / 3, atol=0.12)
    again = Simulator(covariates, truth, generator, resample_rows=True).draw(3, 50, generator)
    assert (again.weights.sum(axis=1) > 1).any()
    np.testing.assert_array_equal(again.weights.sum(axis=(1, 2)), 3.0)


def test_data_of_counts_are_counted(counts):
    generator = np.random.default_rng(1)
    truth = as_truth(counts, {"p": 0.3})
    drawn = Simulator(counts, truth, generator).draw(1000, 300, generator)
    values = np.broadcast_to(drawn.data["y"], drawn.weights.shape)
    successes = np.sum(drawn.weights * values, axis=(1, 2))
    np.testing.assert_array_equal(drawn.weights.sum(axis=(1, 2)), 1000.0)
    assert successes.mean() == pytest.approx(300, abs=4 * np.sqrt(210 / 300))
    assert successes.var() == pytest.approx(210, rel=0.35)
    one_by_one = Simulator(counts, truth, generator, one_by_one=True).draw(6, 4, generator)
    assert one_by_one.data["y"].shape == (4, 2, 3)


def test_some_data_sets_with_their_weights():
    data, weights = {"y": np.arange(6.0).reshape(3, 1, 2)}, np.arange(6.0).reshape(3, 1, 2) + 10
    each = Replicates(size=2, count=3, data=data, weights=weights)
    part = each.part(np.array([2, 0]))
    assert (part.count, part.size) == (2, 2)
    np.testing.assert_array_equal(part.data["y"][:, 0], [[4, 5], [0, 1]])
    np.testing.assert_array_equal(part.weights[:, 0], [[14, 15], [10, 11]])
    shared = Replicates(size=2, count=3, data={"y": data["y"][:1]}, weights=weights[:1])
    found, common = shared.of(np.array([2, 0]))
    assert found["y"].shape == common.shape == (1, 1, 2)


def test_objectives_of_data_sets_with_the_priors_part_once():
    functions = SimpleNamespace(
        n_observations=2,
        value=lambda z, *, weights, data=None, a=0.0: (weights * z[..., :1]).sum(axis=-1) + a * 100,
        value_gradient=lambda z, *, weights, data=None, a=0.0: (
            (weights * z[..., :1]).sum(axis=-1) + a * 100, (weights.sum(axis=-1)[..., None] + a) * np.ones_like(z),
        ),
    )  # fmt: skip
    made = Replicates(size=4, count=2, data={}, weights=np.arange(8.0).reshape(2, 2, 2))
    z, rows = np.array([[1.0], [2.0]]), np.array([1, 0])
    (value,) = made.evaluate(functions, 0, z, rows)
    np.testing.assert_allclose(value, [22.0, 12.0])
    value, gradient = made.evaluate(functions, 1, z, rows, a=2.0)
    np.testing.assert_allclose(value, [222.0, 212.0])
    np.testing.assert_allclose(gradient, [[24.0], [8.0]])
