"""Leave-one-out of whole models against ArviZ's of one array, and weights."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from pp_mlekl.diagnostics.loo_weights import leave_one_out, loo_weights


def draws_tree(terms):
    dims = ("chain", "draw")
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"mu": (dims, next(iter(terms.values())).reshape(4, 100, -1)[..., 0])}),
            "log_likelihood": xr.Dataset(
                {n: ((*dims, *(f"{n}{i}" for i in range(v.ndim - 2))), v) for n, v in terms.items()}
            ),
        }
    )


@pytest.fixture(scope="module")
def log_likelihood():
    generator = np.random.default_rng(3)
    data = generator.normal(size=20)
    mean = generator.normal(scale=0.2, size=(4, 100, 1))
    return {sd: stats.norm.logpdf(data, mean, sd) for sd in (1.0, 2.0)}


def test_all_terms_of_all_variables_are_left_out_one_at_a_time(log_likelihood):
    terms = log_likelihood[1.0]
    expected = az.loo(draws_tree({"y": terms}), pointwise=True)
    split = {"a": terms[..., :6].reshape(4, 100, 3, 2), "b": terms[..., 6:19], "c": terms[..., 19]}
    found = leave_one_out(draws_tree(split))
    assert float(found.elpd) == pytest.approx(float(expected.elpd), rel=1e-12)
    np.testing.assert_allclose(found.elpd_i, expected.elpd_i)
    with az.rc_context({"stats.ic_pointwise": False}):
        assert leave_one_out(draws_tree(split)).pareto_k.shape == (20,)


@pytest.mark.parametrize(("number", "has"), [(1, False), (2, True)])
def test_one_observation_cannot_be_left_out(log_likelihood, number, has):
    assert (leave_one_out(draws_tree({"y": log_likelihood[1.0][..., :number]})) is not None) == has


def test_weights_have_the_order_of_the_models_and_all_their_digits(log_likelihood):
    loos = {name: leave_one_out(draws_tree({"y": log_likelihood[sd]})) for name, sd in (("wide", 2.0), ("right", 1.0))}
    weights = loo_weights(loos)
    table = az.compare(loos, round_to="none")
    assert weights.tolist() == [table.loc["wide", "weight"], table.loc["right", "weight"]]
    assert weights[0] < weights[1]
    assert weights.sum() == pytest.approx(1.0)
    assert np.isnan(loo_weights(loos | {"none": None})).all()
    assert loo_weights(loos | {"none": None}).shape == (3,)
