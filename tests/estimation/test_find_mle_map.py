"""Estimates and standard errors against exact values, and what must not depend on anything."""

import golden_models as golden
import numpy as np
import pytest
from tiers import LIKE_ANOTHER, slow_if

from pp_mlekl.estimation.find_mle_map import find_map, find_mle

REAL = golden.cases("real/mle.json")
CONJUGATE = golden.cases("conjugate.json")


def flat(dataset):
    return np.concatenate([np.ravel(v.values) for v in dataset.data_vars.values()])


@pytest.mark.parametrize("name", slow_if(golden.REAL, ["iris-naive-bayes", "randhie-negbin", "randhie-poisson"]))
def test_mle_and_standard_errors_on_real_data(name):
    case = REAL[name]
    estimate = find_mle(golden.REAL[name](), random_seed=1)
    assert estimate.status == "converged"
    assert estimate.warnings == ()
    found = dict(zip(estimate.covariance["parameter"].values, flat(estimate.values), strict=True))
    errors = dict(zip(estimate.covariance["parameter"].values, flat(estimate.standard_error), strict=True))
    for key, value in case["estimates"].items():
        label = next(k for k in (key, f"b[{key}]", key.replace(",", ", ")) if k in found)
        assert found[label] == pytest.approx(value, rel=1e-6, abs=1e-12)
        assert errors[label] == pytest.approx(case["standard_errors"][key], rel=1e-6)
    assert estimate.log_likelihood == pytest.approx(case["loglik"], rel=1e-12)


@pytest.mark.parametrize("name", slow_if(CONJUGATE, LIKE_ANOTHER))
def test_conjugate_mle(name):
    case = CONJUGATE[name]
    estimate = find_mle(golden.conjugate(case), random_seed=1)
    assert estimate.status == ("boundary" if case["mle_on_boundary"] else "converged")
    for key, value in case["mle"].items():
        np.testing.assert_allclose(estimate.values[key], value, rtol=1e-7, atol=1e-9)
        expected = np.array(case["mle_se"][key], dtype=float)
        np.testing.assert_allclose(estimate.standard_error[key], expected, rtol=1e-6)
    assert estimate.log_likelihood == pytest.approx(case["loglik_at_mle"], rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", slow_if(CONJUGATE, (*LIKE_ANOTHER, "beta-binomial-groups", "gamma-exponential-8")))
def test_conjugate_map_on_both_scales(name):
    case = CONJUGATE[name]
    model = golden.conjugate(case)
    natural = find_map(model, random_seed=1)
    unconstrained = find_map(model, space="unconstrained", random_seed=1)
    for key, value in case["map_natural"].items():
        if value is None:
            assert natural.status in ("unbounded", "not_identified")
        else:
            np.testing.assert_allclose(natural.values[key], value, rtol=1e-7, atol=1e-9)
    assert unconstrained.status == "converged"
    # A mode is tested by nothing.
    assert list(unconstrained.summary().columns) == ["estimate", "se", "2.5%", "97.5%"]
    for key in case["mle"]:
        np.testing.assert_allclose(unconstrained.values[key], case["map_unconstrained"][key], rtol=1e-7)
