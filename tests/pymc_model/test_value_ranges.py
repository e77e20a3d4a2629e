"""Ranges of quantities from their graphs, against many values of the quantities themselves."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from pp_mlekl.pymc_model.value_ranges import value_ranges

Z = pt.dvector("z", shape=(4,))
POSITIVE = pt.exp(Z)
P = pt.sigmoid(Z)
CASES = {
    "positive": (POSITIVE, (0, np.inf)),
    "minus a positive one": (-POSITIVE, (-np.inf, 0)),
    "odds": (P / (1 - P), (0, np.inf)),
    "survival of a Weibull": (pt.exp(-((2.0 / POSITIVE[0]) ** POSITIVE[1])), (0, 1)),
    "probability of either": (1 - (1 - P[0]) * (1 - P[1]), (0, 1)),
    "probit": (pm.math.invprobit(Z), (0, 1)),
    "complementary log-log": (1 - pt.exp(-POSITIVE), (0, 1)),
    "correlation": (pt.tanh(Z), (-1, 1)),
    "uniform between bounds": (3 + 2 * P, (3, 5)),
    "share of a variance": (POSITIVE[0] ** 2 / (POSITIVE[0] ** 2 + POSITIVE[1] ** 2), (0, 1)),
    "shares": (POSITIVE / pt.sum(POSITIVE), (0, 1)),
    "share beside a term that may be negative": (
        (2 + POSITIVE[0]) / ((2 + POSITIVE[0]) + (POSITIVE[1] - 1)),
        (0, np.inf),
    ),
    "softmax": (pt.special.softmax(Z), (0, 1)),
    "sum of probabilities": (pt.sum(P), (0, 4)),
    "square": (Z**2, (0, np.inf)),
    "root": (pt.sqrt(POSITIVE), (0, np.inf)),
    "negative power": (POSITIVE**-0.5, (0, np.inf)),
    "one of two": (pt.switch(Z > 0, P, 2 * P), (0, 2)),
    "at least 1": (pt.maximum(POSITIVE, 1.0), (1, np.inf)),
    "stacked": (pt.stack([P[0], 5 * P[1]]), (0, 5)),
    "whole part": (pt.cast(0.5 + 3 * P, "int64"), (0, 3)),
    "single precision": (pt.cast(0.5 + 3 * P, "float32"), (0.5, 3.5)),
    "softplus": (pt.softplus(Z), (0, np.inf)),
    "linear": (Z @ np.ones(4), (-np.inf, np.inf)),
    "difference": (POSITIVE[0] - POSITIVE[1], (-np.inf, np.inf)),
    "quotient of unbounded ones": (1 / Z, (-np.inf, np.inf)),
    "inverse of a negative one": (1 / -POSITIVE, (-np.inf, 0)),
    "logarithm of a probability": (pt.log(P), (-np.inf, 0)),
    "a power of a product with 0": (pt.constant(0.0) * POSITIVE, (0, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_ranges_of_graphs(name):
    graph, expected = CASES[name]
    (found,) = value_ranges([graph], {})
    assert found == expected


def test_data_have_the_range_of_their_values():
    x = pt.dvector("x")
    assert value_ranges([x * POSITIVE[0]], {x: np.array([0.5, 2.0])}) == [(0, np.inf)]
    assert value_ranges([x * P[0]], {x: np.array([-1.0, 2.0])}) == [(-1, 2)]
    assert value_ranges([x * P[0]], {x: np.array([np.nan, 2.0])}) == [(-np.inf, np.inf)]


def test_no_bound_is_narrower_than_the_values():
    # Random compositions of operations.
    generator = np.random.default_rng(1)
    unary = [pt.exp, pt.sigmoid, pt.tanh, pt.softplus, abs, lambda x: x**2, lambda x: -x, lambda x: 1 - x, pt.log1p]
    binary = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, pt.maximum, pt.minimum]
    graphs = [Z[0], Z[1], POSITIVE[2], P[3]]
    for _ in range(60):
        a, b = (graphs[k] for k in generator.integers(len(graphs), size=2))
        graphs.append(unary[generator.integers(len(unary))](binary[generator.integers(len(binary))](a, b)))
    function = pytensor.function([Z], graphs, mode="FAST_COMPILE")
    ranges = np.array(value_ranges(graphs, {}))
    with np.errstate(all="ignore"):
        for z in generator.normal(0, 2, (40, 4)):
            values = np.array(function(z), dtype=float)
            slack = 1e-12 * np.maximum(1, np.abs(values))
            assert np.all(~(values < ranges[:, 0] - slack) & ~(values > ranges[:, 1] + slack))
    assert np.isfinite(ranges).any(axis=1).sum() > 10
