"""Graphs with fewer functions have the values of those they take the place of, and fewer functions."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import OR, Switch
from scipy import special, stats

from pp_mlekl.pymc_model.interpreter.ufuncs import sigmoid
from pp_mlekl.pymc_model.model_functions import model_functions
from pp_mlekl.pymc_model.rewrites.fewer_functions import AXES_OUTSIDE, ONE_CHOICE, ONE_FUNCTION
from pp_mlekl.pymc_model.rewrites.rebuild import is_elementwise

CHOSEN = np.array([True, False, True, False, False])
X, Y = np.array([-800.0, -1.5, 0.0, 2.0, 800.0]), np.array([1.0, -0.5, 3.0, np.inf, -np.inf])
c, x, y = pt.vector("c", dtype=bool, shape=(5,)), pt.dvector("x", shape=(5,)), pt.dvector("y", shape=(5,))


def count(graph, kind):
    return sum(is_elementwise(node, kind) for node in toposort([graph]))


def values(graph):
    function = pytensor.function([c, x, y], graph, mode=Mode(linker="py", optimizer=None), on_unused_input="ignore")
    return function(CHOSEN, X, Y)


@pytest.mark.parametrize(
    ("graph", "kind", "left"),
    [
        (pt.switch(c, pt.softplus(x), pt.softplus(y)), pt.softplus, 1),
        (pt.switch(c, -2.0 * pt.exp(x), -2.0 * pt.exp(y)), pt.exp, 1),
        (pt.switch(c, pt.exp(-x), pt.exp(x)), pt.exp, 1),
        (pt.switch(c, 3.0 * x, x), pt.mul, 1),
        (pt.switch(c, pt.exp(x), pt.log(y)), pt.exp, 1),
        # The function is needed elsewhere as well, or is one of fewer elements than are chosen among.
        (pt.switch(c, pt.exp(x), pt.exp(y)) + pt.exp(x) * pt.exp(y), pt.exp, 2),
        (pt.switch(c, pt.exp(x[:1]), pt.exp(y[:1])), pt.exp, 2),
    ],
)
def test_a_choice_of_functions_is_a_function_of_a_choice(graph, kind, left):
    canonical = rewrite_graph(graph, include=("canonicalize",), clone=True)
    new = rewrite_graph(canonical, include=(), custom_rewrite=ONE_FUNCTION, clone=True)
    np.testing.assert_array_equal(values(new), values(graph))
    assert new.type.dtype == graph.type.dtype
    assert count(new, type(kind.scalar_op)) == left


inside = pt.switch(x < 0, 0.0, y)


@pytest.mark.parametrize(
    ("graph", "left"),
    [
        (pt.switch(c, 0.0, inside), 1),
        (pt.switch(c, inside, 0.0), 1),
        (pt.switch(c, 0.0, pt.switch(x > 1, inside, 0.0)), 1),
        (pt.switch(c[:1], -np.inf, pt.switch(c, -np.inf, x)), 1),
        # Other constants, and choices between two numbers.
        (pt.switch(c, 1.0, inside), 2),
        (pt.switch(c, np.zeros(5), inside), 2),
        (pt.switch(c, y, inside), 2),
        (pt.switch(c, np.nan, pt.switch(x < 0, np.nan, y)), 2),
    ],
)
def test_choices_of_one_constant_are_one_choice(graph, left):
    new = rewrite_graph(graph, include=("canonicalize",), custom_rewrite=ONE_CHOICE, clone=True)
    np.testing.assert_array_equal(values(new), values(graph))
    assert new.type.dtype == graph.type.dtype
    assert count(new, Switch) == left


def test_terms_share_the_condition_of_their_checks():
    terms = [pt.switch(c, 0.0, pt.switch(x > 1, pt.switch(x < 0, 0.0, f(y)), 0.0)) for f in (pt.exp, pt.sin, pt.cos)]
    new = rewrite_graph(terms, include=("canonicalize",), custom_rewrite=ONE_CHOICE, clone=True)
    nodes = list(toposort(rewrite_graph(new, include=("merge",), clone=True)))
    assert [sum(is_elementwise(node, kind) for node in nodes) for kind in (Switch, OR)] == [3, 2]


def test_axes_come_after_functions():
    graph = pt.sigmoid(x[:, None]) * pt.sigmoid(x[None, :])
    assert count(graph, type(pt.sigmoid.scalar_op)) == 2
    expected = values(graph)
    new = rewrite_graph(graph, include=(), custom_rewrite=AXES_OUTSIDE, clone=True)
    new = rewrite_graph(new, include=("merge",), clone=True)
    np.testing.assert_array_equal(values(new), expected)
    assert count(new, type(pt.sigmoid.scalar_op)) == 1


def test_a_bernoulli_likelihood_takes_one_softplus_and_no_sigmoid():
    observed = np.array([1, 0, 1, 1, 0])
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1, shape=2)
        pm.Bernoulli("y", logit_p=pt.dot(np.column_stack([np.ones(5), X]), b), observed=observed)
    functions = model_functions(model)
    (graph,) = functions.graphs.pointwise.values()
    assert count(graph, type(pt.softplus.scalar_op)) == 1
    assert count(graph, type(pt.sigmoid.scalar_op)) == 0
    logits = 0.3 + 0.5 * X
    expected = np.where(observed, special.log_expit(logits), special.log_expit(-logits))
    np.testing.assert_allclose(functions.pointwise(np.array([0.3, 0.5])), expected, rtol=1e-14)


def test_invalid_probabilities_have_density_zero():
    with pm.Model() as model:
        p = pm.Flat("p", shape=2, initval=[0.5, 0.5])
        pm.Bernoulli("y", p=p, observed=[1, 0])
    functions = model_functions(model)
    assert functions.log_likelihood(np.array([0.5, 1.5])) == -np.inf
    assert functions.log_likelihood(np.array([-0.1, 0.5])) == -np.inf
    with pm.Model() as model:
        mu = pm.Flat("mu", initval=1.0)
        pm.Poisson("y", mu=pt.exp(mu) - 1.0, observed=[2])
    assert model_functions(model).log_likelihood(np.array([-0.5])) == -np.inf
    assert model_functions(model).log_likelihood(np.array([1.0])) == pytest.approx(stats.poisson.logpmf(2, np.e - 1))


def test_a_sigmoid_has_the_digits_of_scipys():
    logits = np.concatenate([np.linspace(-744, 744, 2001), [-np.inf, np.inf, -0.0]])
    with np.errstate(all="ignore"):
        # SciPy's is 0 where there are still numbers with fewer digits.
        exact = np.where(logits < -40.0, np.exp(logits), special.expit(logits))
        np.testing.assert_allclose(sigmoid(logits), exact, rtol=1e-15)
    assert np.isnan(sigmoid(np.array([np.nan]))).all()
