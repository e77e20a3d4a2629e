"""The blocks of conditionally independent latents: that they are found, and that nothing depends on their use."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest
from scipy import special

from pp_mlekl.estimation.find_mle_map import find_mle
from pp_mlekl.estimation.marginal_likelihood.blocks import Blocks, blocks_of_terms, find_blocks
from pp_mlekl.estimation.marginal_likelihood.laplace import ConditionalModes, Integrand
from pp_mlekl.estimation.marginal_likelihood.marginal_problem import MarginalProblem
from pp_mlekl.pymc_model.model_functions import model_functions

GENERATOR = np.random.default_rng(5)
GROUP = np.repeat(np.arange(6), 5)
X = GENERATOR.normal(size=len(GROUP))
COUNTS = GENERATOR.poisson(np.exp(0.5 + GENERATOR.normal(0, 0.5, 6)[GROUP] + GENERATOR.normal(0.4, 0.3, 6)[GROUP] * X))


def slopes():
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 5, shape=2)
        scale = pm.HalfNormal("scale", 2)
        u, v = (pm.Normal(name, 0, scale, shape=6) for name in "uv")
        pm.Poisson("y", pm.math.exp(beta[0] + u[GROUP] + (beta[1] + v[GROUP]) * X), observed=COUNTS)
    return model


@pytest.fixture(scope="module")
def problem():
    functions = model_functions(slopes(), None, ("u", "v"))
    return MarginalProblem(functions=functions, kind="mle", latents=("u", "v"))


def test_intercept_and_slope_of_a_group_are_one_block(problem):
    assert problem.integrand.blocks.members.tolist() == [[g, g + 6] for g in range(6)]


def test_blocks_change_nothing_but_the_time(problem):
    whole = MarginalProblem(functions=problem.functions, kind="mle", latents=("u", "v"))
    integrand = Integrand(derivatives=problem.integrand.derivatives, latent=problem.latent, size=problem.functions.size)
    everything = Blocks(members=np.arange(12)[None], size=12)
    integrand.__dict__["_partition"] = (everything, np.zeros(problem.functions.n_observations, dtype=int))
    whole.__dict__["integrand"] = integrand
    theta = np.array([[0.4, 0.3, -0.7], [0.1, -0.5, 0.2]])
    for one, other in zip(problem.objective.hessian(theta), whole.objective.hessian(theta), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_what_the_order_of_the_latents_is_does_not_matter():
    generator = np.random.default_rng(1)
    blocks = generator.normal(size=(50, 3, 3))
    matrix = np.zeros((150, 150))
    for k, block in enumerate(blocks):
        matrix[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] = block @ block.T + np.eye(3)
    order = generator.permutation(150)
    shuffled = matrix[np.ix_(order, order)]
    found = find_blocks(lambda v: v @ shuffled, 150, generator)
    assert {frozenset(order[row] // 3) for row in found.members} == {frozenset([k]) for k in range(50)}
    products = found.seeds @ shuffled
    np.testing.assert_allclose(found.dense(found.matrices(products)), shuffled)
    vector = generator.normal(size=150)
    np.testing.assert_allclose(found.product(found.matrices(products), vector), shuffled @ vector)


def test_a_chain_is_one_block():
    chain = np.eye(200) + np.eye(200, k=1) + np.eye(200, k=-1)
    assert find_blocks(lambda v: v @ chain, 200, np.random.default_rng(0)).members.shape == (1, 200)


def test_a_term_of_several_blocks_is_noticed():
    pair = Blocks(members=np.array([[0], [1]]), size=2)
    assert blocks_of_terms(lambda u: u.sum(axis=1, keepdims=True), pair, np.random.default_rng(0)) is None


@pytest.mark.slow
def test_gamma_frailty_against_its_closed_form():
    """Exponential times with a gamma frailty per group: the marginal likelihood is a ratio of gamma functions."""
    generator = np.random.default_rng(2)
    group = np.repeat(np.arange(40), 4)
    y = generator.exponential(1 / (1.5 * generator.gamma(2, 0.5, 40)[group]))
    with pm.Model() as model:
        rate, shape = pm.Gamma("rate", 2, 1), pm.Gamma("shape", 2, 1)
        frailty = pm.Gamma("frailty", shape, shape, shape=40)
        pm.Exponential("y", rate * frailty[group], observed=y)
    estimate = find_mle(model, marginalize=["frailty"], random_seed=1)
    assert estimate.settings["blocks"] == 40
    r, k = float(estimate.values["rate"]), float(estimate.values["shape"])
    total = np.bincount(group, y)
    exact = 4 * np.log(r) + k * np.log(k) + special.gammaln(k + 4) - special.gammaln(k)
    exact = float(np.sum(exact - (k + 4) * np.log(k + r * total)))
    error = estimate.laplace_error
    assert exact - estimate.log_likelihood == pytest.approx(float(error), abs=4 * error.mcse)
    assert estimate.status == "converged"


def test_modes_begin_where_they_are_known_for_the_nearest_parameters():
    modes = ConditionalModes(integrand=SimpleNamespace(latent=np.array([1])), kept=np.array([0, 2]))
    z = np.array([[1.0, 9.0, -1.0], [4.0, 8.0, 2.0], [-3.0, 7.0, 2.0], [0.2, 6.0, 3.0]])
    assert modes.nearby(z).tolist() == z.tolist()
    modes._theta.extend(np.array([[1.1, -1.0], [5.0, 2.0], [0.0, 2.0]]))
    modes._modes.extend(np.array([[10.0], [20.0], [30.0]]))
    found = modes.nearby(z)
    assert found[:, 1].tolist() == [10.0, 20.0, 30.0, 30.0]
    assert found[:, [0, 2]].tolist() == z[:, [0, 2]].tolist()
    # What was given stays as it was.
    assert z[:, 1].tolist() == [9.0, 8.0, 7.0, 6.0]
