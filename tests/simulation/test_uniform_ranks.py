"""The test of uniformity: its level, its scores, what kind of departure it names; Wilson's interval against statsmodels."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from pp_mlekl.simulation.uniform_ranks import _null, _points, _smallest_tail, joint_p_value, uniformity, wilson


def test_scores_of_mean_and_spread():
    ranks = np.random.default_rng(1).uniform(size=80)
    found = uniformity(ranks)
    assert found.mean == pytest.approx((ranks.mean() - 0.5) / np.sqrt(1 / (12 * 80)))
    assert found.spread == pytest.approx((np.mean((ranks - 0.5) ** 2) - 1 / 12) / np.sqrt(1 / (180 * 80)))
    assert found.count == 80


def test_scores_of_uniform_ranks_have_variance_one():
    generator = np.random.default_rng(2)
    found = [uniformity(generator.uniform(size=50)) for _ in range(400)]
    for scores in ([f.mean for f in found], [f.spread for f in found]):
        assert np.var(scores) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 400))


def test_p_values_of_uniform_ranks_are_uniform():
    generator = np.random.default_rng(3)
    p = np.array([uniformity(generator.uniform(size=50)).p_value for _ in range(400)])
    for level in (0.05, 0.2, 0.5):
        assert abs(np.mean(p <= level) - level) < 4 * np.sqrt(level * (1 - level) / 400) + 0.02


@pytest.mark.parametrize(
    ("a", "b", "kind"),
    [(1.6, 1.0, "biased low"), (1.0, 1.6, "biased high"), (0.6, 0.6, "over-confident"), (1.8, 1.8, "under-confident")],
)
def test_departures_are_named(a, b, kind):
    found = uniformity(np.random.default_rng(4).beta(a, b, size=400))
    assert found.p_value < 0.01
    assert found.kind(0.01) == kind
    assert found.kind(found.p_value) == "calibrated"


def test_the_order_of_the_ranks_and_unknown_ones_do_not_matter():
    ranks = np.random.default_rng(5).uniform(size=60) ** 1.3
    other = np.append(np.random.default_rng(6).permutation(ranks), [np.nan, np.nan])
    assert uniformity(ranks).p_value == uniformity(other).p_value
    # Mirrored ranks are as far from uniform.
    assert uniformity(1 - ranks).p_value == pytest.approx(uniformity(ranks).p_value, rel=0.15, abs=0.01)


@pytest.mark.parametrize(("count", "tested"), [(1, False), (2, True)])
def test_one_rank_is_not_tested(count, tested):
    found = uniformity(np.linspace(0.3, 0.6, count))
    assert (found.kind(0.01) != "not tested") == np.isfinite(found.p_value) == tested


def test_several_p_values_are_joined_by_bonferroni():
    assert joint_p_value(np.array([0.02, np.nan, 0.5])) == pytest.approx(0.04)
    assert joint_p_value(np.array([0.6, 0.7])) == 1.0
    assert np.isnan(joint_p_value(np.array([np.nan])))


@pytest.mark.parametrize(("successes", "count"), [(95, 100), (0, 20), (20, 20), (3, 7)])
@pytest.mark.parametrize("prob", [0.8, 0.95])
def test_wilsons_interval(successes, count, prob):
    expected = proportion_confint(successes, count, alpha=1 - prob, method="wilson")
    np.testing.assert_allclose(wilson(np.array(successes), np.array(count), prob), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("count", [2, 7, 50, 300])
def test_the_null_distribution_is_that_of_uniform_ranks(count):
    """From multinomial counts, against ranks that are drawn and counted one by one."""
    generator = np.random.default_rng(7)
    points = _points(count)
    drawn = [np.searchsorted(np.sort(generator.uniform(size=count)), points, side="right") for _ in range(2000)]
    assert stats.ks_2samp(_null(count), _smallest_tail(np.array(drawn), count)).pvalue > 1e-3


def test_many_ranks_need_little_memory():
    tracemalloc.start()
    try:
        _null.__wrapped__(100_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6
