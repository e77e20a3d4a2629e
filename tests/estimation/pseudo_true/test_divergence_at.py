"""The divergence at a fit, and its error where it is sampled."""

from types import SimpleNamespace

import numpy as np
import pymc as pm
import pytest

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.estimation.pseudo_true.divergence_at import minimum
from pp_mlekl.pymc_model.model_functions import model_functions


def test_sampled_divergences_of_rows_add_up_with_their_errors():
    with pm.Model() as model:
        pm.MvStudentT("y", nu=5, mu=pm.Normal("m", 0, 5, shape=2), scale=np.eye(2), observed=np.zeros((3, 2)))
    kind = family("MvStudentT")
    rows, fitted = (kind(nu=np.float64(5), mu=np.array(mu), scale=np.eye(2)) for mu in ([[1.0, 0.5]] * 3, [0.0, 0.0]))
    truth = SimpleNamespace(kind="parameters", sampled={}, distributions={"y": rows})
    found, error = minimum(model_functions(model), truth, np.zeros(2), None)
    expected = kl_divergence(rows, fitted)
    assert np.all(expected.mcse > 0)
    assert found == pytest.approx(np.sum(expected.value))
    assert error == pytest.approx(np.sqrt(np.sum(expected.mcse**2)))
