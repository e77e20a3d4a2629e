"""The expansion of the expected divergence at the pseudo-true parameter, and how many draws of a predictive are used."""

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.fitted_models.setting import thinned
from pp_mlekl.fitted_models.theory import Theory, theory
from pp_mlekl.inputs.truth import as_truth
from pp_mlekl.pymc_model.model_functions import model_functions


def normal():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0, 5), pm.HalfNormal("sigma", 5), observed=np.zeros(30))
    return model


def redundant():
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("a", 0, 5) + pm.Normal("b", 0, 5), 1, observed=np.zeros(30))
    return model


@pytest.mark.parametrize(
    ("build", "truth", "rank"), [(normal, {"mu": 0.0, "sigma": 1.0}, 2), (redundant, {"a": 0.0, "b": 1.0}, 1)]
)
def test_in_a_right_model_half_of_the_directions_that_the_data_inform(build, truth, rank):
    functions, generator = model_functions(build()), np.random.default_rng(1)
    found = theory(functions, as_truth(functions, truth), generator)
    assert (found.minimum, found.trace, found.rank) == (0.0, rank, rank)
    assert found.of("mle") == found.of("posterior_predictive") == rank / 2


def test_in_a_wrong_model_a_plug_in_has_the_trace_and_a_predictive_the_rank():
    """A normal for a Student t of 5 degrees: half the variance of squared residuals, (9 - 1) / 2, and 1 for the mean."""
    functions, generator = model_functions(normal()), np.random.default_rng(1)
    truth = as_truth(functions, family("StudentT")(nu=5.0, mu=0.0, sigma=1.0))
    found = theory(functions, truth, generator)
    assert found.trace == pytest.approx(1 + (9 - 1) / 2, rel=1e-3)
    assert found.rank == 2
    assert found.minimum > 0
    assert found.of("map") == pytest.approx(found.minimum + found.trace / 2)
    assert found.of("laplace") == pytest.approx(found.minimum + 1.0)
    assert np.isnan(Theory().of("mle"))


@pytest.mark.parametrize(
    ("rows", "most", "kept"),
    [(0, None, 1500), (400, None, 250), (10_000, None, 50), (400, 40, 10), (400, 41, 11), (400, 10**6, 1500)],
)
def test_draws_are_thinned_evenly_to_the_number_that_rows_allow(rows, most, kept):
    """400,000 rows times draws but 200 draws at least, of four chains; the first and the last draw are kept."""
    draws = np.arange(1500.0)[None, :, None] + 10_000 * np.arange(4)[:, None, None]
    found = thinned(draws, rows, most)
    assert found.shape == (4, kept, 1)
    np.testing.assert_array_equal(found[:, [0, -1]], draws[:, [0, -1]])
    assert np.ptp(np.diff(found[0, :, 0])) <= 1
