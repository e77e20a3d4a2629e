"""Monte Carlo divergences: error bars, tails, budgets."""

import numpy as np
import pytest
from accuracy import assert_within

from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.kullback_leibler import kl_divergence
from pp_mlekl.divergences.monte_carlo import tail_shape

mixture, mv_normal = family("Mixture"), family("MvNormal")


def pair():
    """A mixture of two normals in the plane that differ along one axis alone, and one normal."""
    parts = tuple(mv_normal(mu=[m, 0.0], cov=np.eye(2)) for m in (-2.0, 2.0))
    return mixture(w=[0.3, 0.7], parts=parts), mv_normal(mu=[0.8, 0.0], cov=np.diag([4.36, 1.0]))


def exact():
    line = family("NormalMixture")(w=[0.3, 0.7], mu=[-2.0, 2.0], sigma=[1.0, 1.0])
    return kl_divergence(line, family("Normal")(mu=0.8, sigma=np.sqrt(4.36))).value


def test_reaches_the_requested_precision():
    estimate = kl_divergence(*pair(), rtol=0.02, generator=np.random.default_rng(0))
    assert estimate.mcse <= 0.02 * estimate.value
    assert_within(estimate, exact(), mcse_below=0.004)


def test_stays_within_its_budget_and_repeats_with_its_seed():
    once = kl_divergence(*pair(), rtol=1e-9, budget=20_000, generator=np.random.default_rng(5))
    again = kl_divergence(*pair(), rtol=1e-9, budget=20_000, generator=np.random.default_rng(5))
    assert once.value == again.value
    assert once.mcse > 1e-4
    assert "rtol" in once.warnings[-1]


@pytest.mark.parametrize(("options", "message"), [({"rtol": 0.0}, "rtol"), ({"budget": 10}, "budget")])
def test_options_that_give_no_error_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        kl_divergence(*pair(), **options)


@pytest.mark.slow
def test_the_error_bar_covers():
    truth, hits = exact(), 0
    for seed in range(200):
        estimate = kl_divergence(*pair(), budget=40_000, generator=np.random.default_rng(seed))
        hits += abs(estimate.value - truth) < 1.96 * estimate.mcse
    assert 180 <= hits <= 199


def test_a_batch_of_q_is_sampled_elementwise():
    p, _ = pair()
    q = mv_normal(mu=[[0.4, 0.0], [3.0, 0.0]], cov=np.eye(2))
    value = kl_divergence(p, q, generator=np.random.default_rng(1)).value
    assert value.shape == (2,)
    assert value[1] > value[0]


def test_a_heavy_tail_gives_a_warning():
    p = family("MvStudentT")(nu=3.0, mu=[0.0, 0.0], scale=np.eye(2))
    q = mixture(w=[0.5, 0.5], parts=tuple(mv_normal(mu=[m, 0.0], cov=np.eye(2)) for m in (-1.0, 1.0)))
    estimate = kl_divergence(p, q, generator=np.random.default_rng(2))
    assert any("heavy tail" in warning for warning in estimate.warnings)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_shape_of_a_pareto_tail_is_found(shape):
    draws = np.random.default_rng(7).pareto(1 / shape, size=200_000)
    # The fit to the 1,341 largest values has the standard error (1 + shape) / sqrt(1341), at most 0.052.
    assert abs(tail_shape(draws) - shape) < 0.12


def test_a_tail_of_tied_values_has_no_shape():
    # 65 of 470 values are the tail, of which the quartile is the 16th.
    assert tail_shape(np.concatenate([np.zeros(421), np.arange(1.0, 50.0)])) == -np.inf
