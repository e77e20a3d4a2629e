"""Which rows have the same distributions."""

import numpy as np
import pytest

from pp_mlekl.divergences.distinct import distinct_rows
from pp_mlekl.divergences.families import family

ROWS = np.array([0, 1, 0, 2, 1, 0])
MU = np.array([1.0, 2.0, 3.0])[ROWS]
NORMAL = family("Normal")

DISTRIBUTIONS = {
    "one parameter": NORMAL(mu=MU, sigma=1.0),
    "draws and rows": NORMAL(mu=MU + np.arange(4.0)[:, None], sigma=np.ones((4, 1))),
    "events": family("MvNormal")(mu=np.stack([MU, -MU], axis=-1), cov=np.eye(2)),
    "a distribution inside": family("Censored")(dist=NORMAL(mu=MU, sigma=1.0), lower=-np.inf, upper=1.0),
    "parts": family("Mixture")(w=np.array([0.3, 0.7]), parts=(NORMAL(mu=MU, sigma=1.0), NORMAL(mu=0.0, sigma=2.0))),
    "magnitudes far apart": NORMAL(mu=MU * np.finfo(float).eps, sigma=1e20),
    "supports far apart": family("Uniform")(lower=1e3 * MU, upper=1e3 * MU + 1),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_equal_rows_are_found_and_no_others(name):
    first, group = distinct_rows(DISTRIBUTIONS[name])
    assert len(first) == 3
    np.testing.assert_array_equal(group[:, None] == group, ROWS[:, None] == ROWS)
    np.testing.assert_array_equal(ROWS[first][group], ROWS)


def test_rows_are_equal_only_if_they_are_equal_in_both():
    other = NORMAL(mu=0.0, sigma=np.array([1.0, 1.0, 1.0, 1.0, 1.0, 2.0]))
    assert len(distinct_rows(NORMAL(mu=MU, sigma=1.0), other)[0]) == 4
    assert len(distinct_rows(NORMAL(mu=[0.0], sigma=1.0), NORMAL(mu=MU, sigma=1.0))[0]) == 3


def test_parameters_that_were_not_given_are_passed_over():
    bernoulli = family("Bernoulli")
    first, inverse = distinct_rows(bernoulli(logit_p=[40.0, 41.0, 40.0]), bernoulli(p=[0.5, 0.5, 0.5]))
    assert len(first) == 2
    assert inverse[0] == inverse[2] != inverse[1]
