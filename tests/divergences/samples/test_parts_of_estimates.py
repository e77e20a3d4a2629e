"""Parts of the estimates from draws against closed forms: checks, neighbours, maps, bounds, biases, errors."""

import numpy as np
import pytest
from scipy import special, stats
from scipy.spatial import cKDTree

from pp_mlekl.divergences.samples.checks import FEWEST, MOST_REPEATED, checked_draws, share_repeated
from pp_mlekl.divergences.samples.correction import density_correction
from pp_mlekl.divergences.samples.density import (
    SHARED_NEIGHBOURS,
    Beyond,
    Correction,
    LogDensities,
    mean_beyond,
    neighbours_for,
)
from pp_mlekl.divergences.samples.discriminative import lower_bound
from pp_mlekl.divergences.samples.gaussianize import (
    best_starts,
    cholesky_of_correlation,
    fit_gaussianizer,
    fit_margins,
    identity_maps,
    mean_log_densities,
    standard_log_density,
    whitened,
)
from pp_mlekl.divergences.samples.neighbours import (
    distances_to,
    distances_within,
    log_density_by_neighbours,
    log_unit_ball,
)
from pp_mlekl.divergences.samples.one_sample import unseen, unseen_warnings
from pp_mlekl.divergences.samples.size_bias import MOST_SEEN, changes_with_size, evenly, halves, parts, remaining_bias
from pp_mlekl.divergences.samples.spacings import log_density_against, log_density_within, normal_scores
from pp_mlekl.divergences.samples.subspaces import check_full_rank
from pp_mlekl.divergences.samples.terms import Terms, effective_draws, estimate, independent_size


@pytest.fixture
def generator():
    return np.random.default_rng(1)


# Checks of draws.


@pytest.mark.parametrize(
    ("n", "d", "enough"), [(50, 1, True), (49, 1, False), (60, 6, True), (59, 6, False), (50, 5, True)]
)
def test_fifty_draws_or_ten_a_dimension(generator, n, d, enough):
    draws = generator.normal(size=(n, d))
    if enough:
        found = checked_draws(draws)
        assert (found.size, found.dimension, found.discrete, found.whole, found.chains) == (n, d, False, False, None)
    else:
        fewest = max(50, 10 * d)
        with pytest.raises(
            ValueError, match=rf"^x has {n} draws in {d} dimensions?, too few .*; give at least {fewest}\.$"
        ):
            checked_draws(draws, name="x")


@pytest.mark.parametrize("shape", [(60, 0), (5, 5, 5)])
def test_shapes_that_are_none(shape):
    with pytest.raises(ValueError, match=r"^draws must have shape \(n,\) or \(n, d\), got \("):
        checked_draws(np.zeros(shape))


@pytest.mark.parametrize(("chains", "right"), [(1, True), (4, True), (7, False), (0, False)])
def test_chains_are_of_one_length(generator, chains, right):
    draws = generator.normal(size=60)
    if right:
        assert checked_draws(draws, chains).chains == chains
    else:
        with pytest.raises(
            ValueError, match=rf"^draws: the number of draws, 60, must be a multiple of .*, {chains}\.$"
        ):
            checked_draws(draws, chains)
    with pytest.raises(ValueError, match="not finite"):
        checked_draws(np.append(draws, np.inf))


def repeated(share, n=1000, whole=False):
    values = np.random.default_rng(2).normal(size=n) if not whole else np.arange(n, dtype=float)
    many = round(share * n)
    values[:many] = values[-many:] if many else values[:0]
    return values


@pytest.mark.parametrize(("share", "fine"), [(0.019, True), (0.021, False)])
def test_more_than_two_per_cent_of_repeats_are_not_rounding(share, fine):
    values = repeated(share)
    assert share_repeated(values[:, None], None) == pytest.approx(share)
    if fine:
        assert not checked_draws(values).discrete
    else:
        with pytest.raises(ValueError, match=r"^2% of draws are repeated values, so they have no density; thin"):
            checked_draws(values)
        assert checked_draws(repeated(share, whole=True)).discrete
    assert (FEWEST, MOST_REPEATED) == (50, 0.02)


@pytest.mark.parametrize(("different", "discrete"), [(50, True), (51, False)])
def test_twenty_draws_a_value_are_discrete(different, discrete):
    values = 0.1 + 0.3 * np.resize(np.arange(different), 1000)
    if discrete:
        assert checked_draws(values).discrete
    else:
        with pytest.raises(ValueError, match="have no density"):
            checked_draws(values)


def test_consecutive_repeats_within_a_chain_are_rejected_proposals(generator):
    values = np.repeat(generator.normal(size=200), 3)
    assert share_repeated(values[:, None], None) == pytest.approx(2 / 3)
    assert share_repeated(values[:, None], 2) == 0.0
    # Between chains they are: the value at the border and the last one, which was moved to the front, occur in both.
    assert share_repeated(np.roll(values, 1)[:, None], 2) == pytest.approx(1 - 200 / 202)
    moved = checked_draws(values, 2).with_values(2 * values[:, None])
    assert (moved.chains, moved.discrete, moved.values[0, 0]) == (2, False, 2 * values[0])


# Neighbours.


@pytest.mark.parametrize(("d", "volume"), [(1, 2.0), (2, np.pi), (3, 4 * np.pi / 3), (4, np.pi**2 / 2)])
def test_unit_balls(d, volume):
    assert log_unit_ball(d) == pytest.approx(np.log(volume))
    found = log_density_by_neighbours(np.array([0.5, 0.0]), 3, 100, d)
    assert found[0] == pytest.approx(special.digamma(3) - special.digamma(101) - np.log(volume) - d * np.log(0.5))
    assert found[1] == np.inf


def test_a_point_is_not_its_own_neighbour():
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    tree = cKDTree(points)
    assert distances_within(tree, 1, points).tolist() == [1, 1, 2, 4]
    assert distances_within(tree, 2, points).tolist() == [3, 2, 3, 6]
    assert distances_to(tree, 1, np.array([[0.4]])).tolist() == [0.4]
    assert distances_to(tree, 2, np.array([[0.4]])).tolist() == [0.6]


@pytest.mark.parametrize(("n", "k"), [(100, 5), (2500, 5), (3600, 6), (9999, 9), (10_000, 10), (10**6, 10)])
def test_neighbours_are_from_five_to_ten(n, k):
    assert neighbours_for(n) == k


# Maps of the margins.


def test_identity_maps_change_nothing(generator):
    x = generator.normal(size=(20, 3))
    z, log_slope = identity_maps(3)(x)
    np.testing.assert_allclose(z, x, atol=1e-12)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda g: np.exp(3 * g.normal(size=400)), "log"),
        (lambda g: special.expit(4 * g.normal(size=400)), "logit"),
        (lambda g: g.normal(size=400), "identity"),
    ],
)
def test_the_first_map_is_that_which_makes_draws_normal(generator, draw, name):
    (found,) = best_starts(draw(generator)[:, None])
    assert found.name == name
    x = np.array([0.2, 0.7])
    forward = {"identity": x, "log": np.log(x), "logit": special.logit(x)}[name]
    slope = {"identity": [0, 0], "log": -np.log(x), "logit": -np.log(x * (1 - x))}[name]
    np.testing.assert_allclose(found.forward(x), forward)
    np.testing.assert_allclose(found.log_slope(x), slope)


def test_a_map_is_chosen_for_all_samples(generator):
    skewed = np.exp(3 * generator.normal(size=(300, 1)))
    assert best_starts(skewed, skewed)[0].name == "log"
    # One with a value below 0 forbids the logarithm, one above 1 the logit.
    assert best_starts(skewed, skewed - 1.0)[0].name == "identity"
    shares = special.expit(4 * generator.normal(size=(300, 1)))
    assert best_starts(shares, np.append(shares, [[1.5]], axis=0))[0].name != "logit"


def test_log_slopes_are_those_of_the_map_and_images_are_standard(generator):
    x = np.stack([generator.gamma(2.0, size=500), generator.standard_t(3, size=500)], axis=1)
    maps = fit_margins(x)
    z, log_slope = maps(x)
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(z.std(axis=0), 1.0)
    h = 1e-6 * np.abs(x)
    np.testing.assert_allclose(np.exp(log_slope), (maps(x + h)[0] - maps(x - h)[0]) / (2 * h), rtol=1e-5)
    assert np.all(np.abs(stats.kurtosis(z)) < 0.5)
    near = fit_margins(x, near=maps)
    np.testing.assert_allclose(near(x)[0], z, atol=0.05)
    with pytest.raises(ValueError, match=r"^A coordinate of the draws is constant"):
        fit_margins(np.stack([x[:, 0], np.ones(500)], axis=1))


def test_densities_of_fitted_maps(generator):
    x = generator.multivariate_normal([1.0, -2.0], [[2.0, 0.8], [0.8, 1.0]], size=4000)
    found = fit_gaussianizer(x)
    at = np.array([[1.0, -2.0], [2.0, -1.0], [-1.0, -2.5]])
    exact = stats.multivariate_normal([1.0, -2.0], [[2.0, 0.8], [0.8, 1.0]]).logpdf(at)
    np.testing.assert_allclose(found.log_density(at), exact, atol=0.12)
    image, log_slope = found(at)
    np.testing.assert_allclose(log_slope + stats.norm.logpdf(image).sum(axis=1), found.log_density(at))
    np.testing.assert_allclose(np.cov(found(x)[0].T), np.eye(2), atol=0.02)
    np.testing.assert_allclose(
        standard_log_density(np.zeros((1, 2)), np.full((1, 2), 0.5), np.diag([2.0, 3.0])),
        1.0 - np.log(6) - np.log(2 * np.pi),
    )
    samples = np.stack([x[:2000], x[2000:]])
    each = mean_log_densities(samples, found.margins, at)
    one_by_one = [fit_gaussianizer(s).log_density(at).mean() for s in samples]
    np.testing.assert_allclose(each, one_by_one, atol=0.01)


def test_whitening_and_correlations(generator):
    z = generator.normal(size=(300, 2)) @ np.array([[1.0, 0.7], [0.0, 1.0]])
    chol = cholesky_of_correlation(z)
    np.testing.assert_allclose(chol @ chol.T, np.corrcoef(z.T))
    np.testing.assert_allclose(whitened(z, chol), np.linalg.solve(chol, z.T).T)
    assert cholesky_of_correlation(z[:, :1]).tolist() == [[1.0]]
    near = np.stack([z[:, 0], z[:, 0] + 1e-7 * z[:, 1]], axis=1)
    with pytest.raises(ValueError, match="lie in a subspace"):
        cholesky_of_correlation(near)
    with pytest.raises(ValueError, match=r"^The draws lie in a subspace \(a coordinate is a combination"):
        check_full_rank(near)
    with pytest.raises(ValueError, match=r"^X have a constant coordinate"):
        check_full_rank(np.stack([z[:, 0], np.ones(300)], axis=1), "X")
    check_full_rank(np.ones((300, 1)))


# Spacings.


def test_spacings_of_evenly_spaced_draws():
    """Of n draws on [0, 1] a window of w steps is w / (n + 1) wide: the density differs from 1 by digammas alone."""
    n = 400
    x = np.arange(1, n + 1) / (n + 1)
    # Windows of half the root of n steps at the most, three at the least, a quarter of what is beyond.
    rank = np.arange(n)
    half = np.clip((0.25 * np.minimum(rank, n - 1 - rank)).astype(int), 3, 10)
    steps = np.minimum(rank + half, n - 1) - np.maximum(rank - half, 0)
    expected = special.digamma(steps) - special.digamma(n + 1) - np.log(steps / (n + 1))
    np.testing.assert_allclose(log_density_within(x), expected, rtol=1e-9)
    # Repeats of every draw are no denser.
    np.testing.assert_allclose(log_density_within(np.repeat(x, 2)), np.repeat(expected, 2), rtol=1e-9)


def test_spacings_against_a_normal(generator):
    n = 400
    ordered = special.ndtri(np.arange(1, n + 1) / (n + 1))
    found = log_density_against(np.array([0.0, 1.0, -1.0, 5.0, -5.0]), ordered)
    assert np.abs(found[:3]).max() < 0.06
    np.testing.assert_allclose(found[1], found[2], atol=0.02)
    # Beyond the draws the window reaches inwards: three steps of 1 / (n + 1) and hardly more.
    np.testing.assert_allclose(found[3:], special.digamma(3) - special.digamma(n + 1) - np.log(3 / (n + 1)), atol=1e-3)


def test_normal_scores_within_and_beyond():
    ordered = np.array([-1.0, 0.0, 2.0, 3.0])
    scores = special.ndtri((np.arange(4) + 0.5) / 4)
    np.testing.assert_allclose(normal_scores(ordered, ordered), scores)
    assert normal_scores(np.array([1.0]), ordered)[0] == pytest.approx((scores[1] + scores[2]) / 2)
    beyond = normal_scores(np.array([-2.0, 4.0]), ordered)
    expected = special.ndtri(0.125 * stats.norm.cdf(-2.0) / stats.norm.cdf(-1.0))
    assert beyond[0] == pytest.approx(expected)
    assert beyond[1] == pytest.approx(-special.ndtri(0.125 * stats.norm.sf(4.0) / stats.norm.sf(3.0)))


# Parts, biases and noise.


def test_parts_and_halves(generator):
    found = parts(10, generator)
    assert [len(p) for p in found] == [3, 3, 2, 2]
    assert sorted(np.concatenate(found)) == list(range(10))
    assert all((np.diff(p) > 0).all() for p in found)
    assert [len(p) for p in parts(20_000, generator)] == [1500] * 4
    first, second = halves(11, generator)
    assert (len(first), len(second)) == (5, 6)
    assert sorted([*first, *second]) == list(range(11))
    assert evenly(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert evenly(6, 3).tolist() == [0, 2, 5]


@pytest.mark.parametrize(("dimension", "power"), [(1, 0.5), (4, 0.5), (8, 0.25), (15, 2 / 15), (30, 2 / 15)])
@pytest.mark.parametrize(("n", "fewer"), [(1000, 4.0), (6000, 4.0), (15_000, 10.0)])
def test_the_bias_that_is_left_of_a_change(dimension, power, n, fewer):
    """Without noise the change from n / fewer draws is the bias times fewer^power - 1."""
    changes = [np.full(50, 0.3)] * 4
    assert remaining_bias(changes, n, dimension) == pytest.approx(0.3 / (fewer**power - 1))
    assert MOST_SEEN == 15


def test_noise_of_a_change_is_no_bias(generator):
    changes = [0.3 + 0.5 * generator.normal(size=50) for _ in range(4)]
    whole = np.concatenate(changes)
    by_terms = 1.3 * whole.std(ddof=1) / np.sqrt(200)
    by_parts = np.std([c.mean() for c in changes], ddof=1) / 2
    noise = max(by_terms, by_parts)
    expected = np.sqrt(whole.mean() ** 2 - noise**2) / (2 - 1)
    assert remaining_bias(changes, 1000, 2) == pytest.approx(expected)
    corrected = np.sqrt(whole.mean() ** 2 - noise**2 - 0.1**2)
    assert remaining_bias(changes, 1000, 2, 0.1) == pytest.approx(corrected)
    assert remaining_bias(changes, 1000, 2, 1.0) == 0.0


def test_changes_are_those_at_the_queries_of_each_part():
    queries, full = np.array([1, 3, 4, 8]), np.array([10.0, 30.0, 40.0, 80.0])
    asked = []

    def part(r, draws, inside):
        asked.append((r, draws[inside].tolist()))
        return 100.0 * draws[inside]

    found = changes_with_size(full, part, queries, [np.array([0, 1, 4]), np.array([2, 3, 9])])
    assert asked == [(0, [1, 4]), (1, [3])]
    assert [c.tolist() for c in found] == [[90.0, 360.0], [270.0]]


def test_log_densities_in_two_parts():
    c = Correction(smooth=0.0, beyond=0.0, error=0.3, hidden_variance=0.2)
    smooth = np.array([1.0, 2.0, 3.0])
    some = LogDensities(smooth=smooth, beyond=np.array([0.5, 1.5]), queries=np.array([0, 2]), correction=c)
    assert some.at_queries.tolist() == [1.5, 4.5]
    assert some.terms.tolist() == [2.0, 3.0, 4.0]
    assert (some.correction_error, some.extra_variance) == (0.3, pytest.approx(0.2 + 0.09))
    every = LogDensities(smooth=smooth, beyond=np.array([0.5, 1.5, 0.0]), queries=np.arange(3))
    assert every.terms.tolist() == [1.5, 3.5, 3.0]
    assert (every.correction_error, every.extra_variance) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("mean", "d", "expected"),
    [(0.2, 2, 0.06), (-0.2, 2, 0.06), (0.19, 2, 0.0), (-0.19, 2, 0.0), (0.4, 15, 0.9), (0.4, 16, 0.9), (0.4, 150, 0.9)],
)
def test_what_neighbours_may_miss_grows_with_what_they_see_and_the_dimension(mean, d, expected):
    """By .15 for each of at most fifteen dimensions, if it is beyond two standard errors."""
    seen = Beyond(mean=mean, noise=0.0975, shrunken=mean, added_variance=0.0)
    assert unseen(seen, d) == pytest.approx(expected)
    assert bool(unseen_warnings(d)) == (d > 15)


@pytest.mark.parametrize("n", [4, 9])
def test_the_mean_beyond_a_copula_is_shrunk(n):
    values = np.array([1.0, 2.0, 3.0, 2.0])
    noise = 1.3 * np.sqrt(np.var(values, ddof=1) / 4)
    found = mean_beyond(values, n)
    assert (found.mean, found.noise) == (2.0, pytest.approx(noise))
    assert found.shrunken == pytest.approx((1 - (noise / 2) ** 2) * 2)
    assert found.added_variance == pytest.approx(np.var(values, ddof=1) / 4 if n == 9 else 0.0)
    assert mean_beyond(np.array([-0.1, 0.1, 0.1, -0.05]), 4).shrunken == 0.0
    assert SHARED_NEIGHBOURS == 1.3


def test_a_bound_by_classification_is_below_the_divergence_and_near_it(generator):
    x, y = generator.normal(0.6, 1.0, (1500, 2)), generator.normal(0.0, 1.0, (1500, 2))
    value, error = lower_bound(x, y, identity_maps(2), generator)
    assert value == pytest.approx(0.36, abs=4 * error)
    assert 0.01 < error < 0.1
    # A covariance is seen by the products of the coordinates.
    z = generator.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=1500)
    assert lower_bound(z, y, identity_maps(2), generator)[0] == pytest.approx(-0.5 * np.log(1 - 0.64), abs=0.12)


@pytest.mark.parametrize(("d", "n", "known"), [(2, 60, True), (2, 59, False), (16, 5000, False), (15, 1360, True)])
def test_a_bound_needs_ten_draws_a_feature_and_few_dimensions(generator, d, n, known):
    x = generator.normal(size=(n, d))
    assert (lower_bound(x, x + 1.0, identity_maps(d), generator) is not None) == known


# Errors of means.


def made(values, **fields):
    return Terms(values=np.asarray(values), method="m", **fields)


def test_the_error_of_a_mean_holds_all_its_parts(generator):
    values = generator.uniform(size=400)
    plain = estimate(made(values), sign=1.0, direction="D", chains=None, ess=None)
    variance = np.var(values, ddof=1) / 400
    assert plain.value == pytest.approx(values.mean())
    assert plain.mcse == pytest.approx(np.sqrt(variance))
    assert (plain.method, plain.direction, plain.warnings) == ("m", "D", ())
    negative = estimate(made(values), sign=-1.0, direction="D", chains=None, ess=100.0)
    assert (negative.value, negative.mcse) == (pytest.approx(-values.mean()), pytest.approx(2 * np.sqrt(variance)))
    more = estimate(
        made(values, extra_variance=3 * variance, bias=np.sqrt(5 * variance), warnings=("w",)),
        sign=1.0, direction="D", chains=None, ess=None,
    )  # fmt: skip
    assert more.mcse == pytest.approx(3 * np.sqrt(variance))
    assert more.warnings == ("w",)


@pytest.mark.parametrize(("times", "warned"), [(1.45, False), (1.55, True), (-1.55, True)])
def test_a_bias_of_more_than_one_and_a_half_errors_is_reported(generator, times, warned):
    values = generator.uniform(size=400)
    bias = times * np.std(values, ddof=1) / 20
    found = estimate(made(values, bias=bias), sign=1.0, direction="", chains=None, ess=None)
    assert (len(found.warnings) > 0) == warned
    if warned:
        assert found.warnings[0].startswith(f"The error contains a bias of about {abs(bias):.2g}, estimated from parts")


def test_terms_that_are_not_finite_are_counted():
    with pytest.raises(ValueError, match="infinite or not defined at 2 of the 60 draws"):
        estimate(made([*[0.0] * 58, np.inf, np.nan]), sign=1.0, direction="", chains=None, ess=None)


def test_heavy_tails_are_reported_where_they_matter(generator):
    values = generator.pareto(1.2, size=3000)
    found = estimate(made(values), sign=1.0, direction="", chains=None, ess=None)
    assert any("heavy tail (Pareto k = " in w for w in found.warnings)
    assert found.mcse > np.std(values, ddof=1) / np.sqrt(3000) * 0.999
    hidden = estimate(
        made(values + 1000 * generator.normal(size=3000), smooth=values), sign=1.0, direction="", chains=None, ess=None
    )
    assert not any("heavy tail" in w for w in hidden.warnings)
    light = estimate(made(generator.normal(size=3000)), sign=1.0, direction="", chains=None, ess=None)
    assert light.warnings == ()


def test_effective_sizes(generator):
    values = generator.normal(size=400)
    assert independent_size(values, None, None) == 400.0
    assert independent_size(values, 4, 33) == 33.0
    slow = np.repeat(generator.normal(size=100), 4)
    assert independent_size(slow, 4, None) < 200
    draws = checked_draws(np.stack([values, slow + 1e-9 * values], axis=1), 4)
    assert effective_draws(draws) == pytest.approx(independent_size(draws.values[:, 1], 4, None))
    assert effective_draws(checked_draws(values)) == 400.0


def test_corrections_of_more_draws_fall_as_they_should():
    own, other = density_correction(1000, 1)
    more_own, more_other = density_correction(4000, 1)
    for before, after in ((own, more_own), (other, more_other)):
        assert after.error == pytest.approx(before.error / 2)
        assert after.hidden_variance == pytest.approx(before.hidden_variance / 4)
        assert after.smooth == pytest.approx(before.smooth / 2)
