"""Vector- and matrix-valued families: closed forms against sampling, sampling against densities."""

import numpy as np
import pytest
from scipy import stats

from pp_mlekl.divergences.closed_form import closed_form_kl
from pp_mlekl.divergences.families import family
from pp_mlekl.divergences.jensen_shannon import js_divergence
from pp_mlekl.divergences.kullback_leibler import cross_entropy, entropy, kl_divergence

V, W = np.array([[1.0, 0.3], [0.3, 0.5]]), np.array([[0.8, 0.0], [0.0, 0.8]])
PAIRS = {
    "MvNormal": ({"mu": [0.0, 0.0], "cov": V}, {"mu": [0.5, 0.0], "cov": W}),
    "Dirichlet": ({"a": [1.0, 2.0, 3.0]}, {"a": [2.0, 2.0, 2.0]}),
    "Multinomial": ({"n": 6, "p": [0.2, 0.3, 0.5]}, {"n": 6, "p": [0.4, 0.4, 0.2]}),
    "Wishart": ({"nu": 5.0, "V": V}, {"nu": 7.0, "V": W}),
    "InverseWishart": ({"nu": 5.0, "V": V}, {"nu": 7.0, "V": W}),
    "MatrixNormal": (
        {"mu": np.zeros((2, 2)), "rowcov": V, "colcov": W},
        {"mu": np.ones((2, 2)), "rowcov": W, "colcov": W},
    ),
    "LKJCorr": ({"n": 4, "eta": 1.7}, {"n": 4, "eta": 3.0}),
}


def made(name):
    return tuple(family(name)(**parameters) for parameters in PAIRS[name])


@pytest.mark.parametrize("name", PAIRS)
def test_the_closed_form_agrees_with_draws(name):
    p, q = made(name)
    x = p.sample((40_000,), np.random.default_rng(1))
    ratio = p.log_density(x) - q.log_density(x)
    error = ratio.std() / np.sqrt(ratio.size)
    assert abs(ratio.mean() - closed_form_kl(p, q)) < 4.5 * error
    assert closed_form_kl(p, p) == 0


@pytest.mark.parametrize("name", ["MvNormal", "Dirichlet", "Wishart", "InverseWishart", "MatrixNormal"])
def test_entropy_is_the_mean_of_minus_the_log_density(name):
    p = made(name)[0]
    terms = -p.log_density(p.sample((40_000,), np.random.default_rng(2)))
    assert abs(terms.mean() - p.entropy()) < 4.5 * terms.std() / 200


@pytest.mark.parametrize("nu", [1.5, 3.0, 40.0])
@pytest.mark.parametrize("scale", [V, np.diag([0.5, 1.0, 2.0]) + 0.2], ids=["2", "3"])
def test_entropy_of_a_multivariate_t_as_in_scipy(nu, scale):
    p = family("MvStudentT")(nu=nu, mu=np.zeros(len(scale)), scale=scale)
    assert p.entropy() == pytest.approx(stats.multivariate_t(np.zeros(len(scale)), scale, df=nu).entropy(), rel=1e-10)


@pytest.mark.parametrize("nu", [5.0, 30.0])
def test_kl_from_a_multivariate_t_to_a_normal_agrees_with_draws(nu):
    p, q = family("MvStudentT")(nu=nu, mu=[0.3, -0.2], scale=V), family("MvNormal")(mu=[0.0, 0.1], cov=0.4 * W)
    x = p.sample((40_000,), np.random.default_rng(3))
    ratio = p.log_density(x) - q.log_density(x)
    assert abs(ratio.mean() - kl_divergence(p, q).value) < 4.5 * ratio.std() / 200
    assert closed_form_kl(p, q) is not None


@pytest.mark.parametrize(
    ("p", "frozen"),
    [
        (family("Wishart")(nu=5.0, V=V), stats.wishart(5.0, V)),
        (family("InverseWishart")(nu=5.0, V=V), stats.invwishart(5.0, V)),
        (family("MvNormal")(mu=[0.1, 0.2], cov=V), stats.multivariate_normal([0.1, 0.2], V)),
        (family("MvStudentT")(nu=3.0, mu=[0.1, 0.2], scale=V), stats.multivariate_t([0.1, 0.2], V, df=3.0)),
        (
            family("MatrixNormal")(mu=np.zeros((2, 2)), rowcov=V, colcov=W),
            stats.matrix_normal(np.zeros((2, 2)), V, W),
        ),
    ],
)
def test_densities_agree_with_scipy(p, frozen):
    x = p.sample((4,), np.random.default_rng(3))
    np.testing.assert_allclose(p.log_density(x), [frozen.logpdf(value) for value in x], rtol=1e-10)


def test_the_lkj_density_integrates_to_one():
    # Against uniform draws of three correlations in the cube, of volume 8.
    p = family("LKJCorr")(n=3, eta=2.5)
    r = np.random.default_rng(4).uniform(-1, 1, size=(200_000, 3))
    x = np.ones((200_000, 3, 3))
    for k, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
        x[:, i, j] = x[:, j, i] = r[:, k]
    positive = np.linalg.eigvalsh(x)[:, 0] > 0
    density = np.zeros(len(x))
    density[positive] = np.exp(p.log_density(x[positive]))
    assert abs(8 * density.mean() - 1) < 4.5 * 8 * density.std() / np.sqrt(len(x))


def test_near_covariances_keep_their_digits():
    step = 1e-7
    p, q = family("MvNormal")(mu=[0.0, 0.0], cov=V), family("MvNormal")(mu=[0.0, 0.0], cov=V * (1 + step))
    np.testing.assert_allclose(kl_divergence(p, q).value, step**2 / 2, rtol=1e-6)


def test_a_t_vector_has_no_finite_divergence_from_a_normal_without_a_variance():
    p = family("MvStudentT")(nu=[1.5, 2.0, 5.0], mu=[0.0, 0.0], scale=V)
    value = kl_divergence(p, family("MvNormal")(mu=[0.5, 0.0], cov=W)).value
    assert np.array_equal(np.isinf(value), [True, True, False])


def test_count_vectors_are_summed_exactly():
    # Of two categories they are a beta-binomial and a binomial.
    p, q = family("DirichletMultinomial")(n=12, a=[2.1, 3.2]), family("Multinomial")(n=12, p=[0.35, 0.65])
    a, b = family("BetaBinomial")(n=12, alpha=2.1, beta=3.2), family("Binomial")(n=12, p=0.35)
    for vector, count in (
        (kl_divergence(p, q), kl_divergence(a, b)),
        (kl_divergence(q, p), kl_divergence(b, a)),
        (js_divergence(p, q), js_divergence(a, b)),
        (entropy(p), entropy(a)),
        (cross_entropy(p, q), cross_entropy(a, b)),
    ):
        assert vector.method == "summation"
        np.testing.assert_allclose(vector.value, count.value, rtol=1e-11)


def test_multinomials_of_different_totals_share_no_value():
    assert (
        kl_divergence(family("Multinomial")(n=3, p=[0.5, 0.5]), family("Multinomial")(n=4, p=[0.5, 0.5])).value
        == np.inf
    )


def test_mixtures_of_vectors_by_monte_carlo_or_a_sum():
    near, far = family("MvNormal")(mu=[0.0, 0.0], cov=V), family("MvNormal")(mu=[40.0, 0.0], cov=V)
    # Far apart, the mixture's divergence from its own part is that of the weights.
    apart = family("Mixture")(w=[0.3, 0.7], parts=(near, far))
    assert kl_divergence(near, apart).value == pytest.approx(-np.log(0.3), abs=1e-9)
    both = family("Mixture")(w=[0.3, 0.7], parts=(near, family("MvNormal")(mu=[1.0, 0.0], cov=W)))
    found = kl_divergence(both, near, rtol=5e-3)
    assert 0 < found.mcse <= 5e-3 * found.value
    same = family("Mixture")(w=[0.5, 0.5], parts=(near, near))
    assert kl_divergence(same, near).value == pytest.approx(0, abs=1e-12)
    counts = [family("Multinomial")(n=n, p=[0.2, 0.8]) for n in (2, 3)]
    both = family("Mixture")(w=[0.25, 0.75], parts=tuple(counts))
    assert kl_divergence(counts[0], both).value == pytest.approx(-np.log(0.25))
    assert kl_divergence(both, counts[0]).value == np.inf


def test_heavy_tail_of_one_part_makes_a_mixture_infinite():
    normal, heavy = family("MvNormal")(mu=[0.0, 0.0], cov=V), family("MvStudentT")(nu=2.0, mu=[0.0, 0.0], scale=V)
    mixed = family("Mixture")(w=[0.9, 0.1], parts=(normal, heavy))
    assert kl_divergence(mixed, normal).value == np.inf
    assert kl_divergence(mixed, family("Mixture")(w=[0.5, 0.5], parts=(normal, normal))).value == np.inf
    assert np.isfinite(kl_divergence(mixed, heavy).value)
    assert np.isfinite(kl_divergence(family("Mixture")(w=[1.0, 0.0], parts=(normal, heavy)), normal).value)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (family("Dirichlet")(a=[1.0, 2.0]), family("MvNormal")(mu=[0.5, 0.5], cov=V)),
        (family("Wishart")(nu=5.0, V=V), family("MatrixNormal")(mu=np.zeros((2, 2)), rowcov=V, colcov=W)),
        (family("LKJCorr")(n=2, eta=1.0), family("Wishart")(nu=5.0, V=V)),
    ],
)
def test_values_with_other_numbers_of_free_coordinates_share_no_mass(p, q):
    for a, b in ((p, q), (q, p)):
        assert kl_divergence(a, b).value == np.inf
        assert cross_entropy(a, b).value == np.inf
        assert js_divergence(a, b).value == pytest.approx(np.log(2))
    with pytest.raises(ValueError, match="subspace"):
        family("Mixture")(w=[0.5, 0.5], parts=(p, q))


@pytest.mark.parametrize(
    "parameters", [("MvNormal", {"cov": np.eye(2)}), ("MvStudentT", {"nu": 5.0, "scale": np.eye(2)})]
)
def test_one_number_is_the_location_of_all_coordinates(parameters):
    name, shared = parameters
    one, two = (family(name)(mu=mu, **shared) for mu in (1.0, [1.0, 1.0]))
    assert one.event_shape == (2,)
    x = np.array([[0.3, -1.0]])
    assert one.log_density(x) == two.log_density(x)


@pytest.mark.parametrize("wrong", [[[1.0, 0.9], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]])
@pytest.mark.parametrize(
    ("name", "parameter", "others"),
    [
        ("MvNormal", "cov", {"mu": [0.0, 0.0]}),
        ("MvStudentT", "scale", {"nu": 5.0, "mu": [0.0, 0.0]}),
        ("MatrixNormal", "rowcov", {"mu": np.zeros((2, 2)), "colcov": np.eye(2)}),
        ("Wishart", "V", {"nu": 4.0}),
    ],
)
def test_matrices_that_are_no_covariance_are_refused(name, parameter, others, wrong):
    with pytest.raises(ValueError, match=f"{name}: {parameter}"):
        family(name)(**others, **{parameter: np.array(wrong)})


NOT_POSITIVE = [[1.0, 2.0], [2.0, 1.0]]
NEGATIVE = [[-1.0, 0.0], [0.0, -1.0]]
ASYMMETRIC = [[1.0, 0.5], [0.2, 1.0]]
OFF_SUPPORT = {
    "Wishart": [NOT_POSITIVE, NEGATIVE, ASYMMETRIC, np.zeros((2, 2)), np.full((2, 2), np.inf), np.full((2, 2), np.nan)],
    "InverseWishart": [NOT_POSITIVE, NEGATIVE, ASYMMETRIC, np.zeros((2, 2))],
    "LKJCorr": [NOT_POSITIVE, ASYMMETRIC, 2 * np.eye(2)],
    "MatrixNormal": [np.full((2, 2), np.inf), [[0.0, -np.inf], [1.0, 1.0]]],
    "MvNormal": [[np.inf, 0.0], [-np.inf, np.inf]],
    "MvStudentT": [[np.inf, 0.0]],
    "Multinomial": [[2.5, 3.5], [-1.0, 7.0], [2.0, 3.0], [np.inf, 6.0], [np.nan, 6.0]],
    "DirichletMultinomial": [[2.5, 3.5], [-1.0, 7.0], [2.0, 3.0], [np.inf, 6.0]],
    "Dirichlet": [[0.5, 0.4], [1.5, -0.5], [np.nan, 0.5]],
}
SUPPORTED = {
    "Wishart": (family("Wishart")(nu=5.0, V=V), V),
    "InverseWishart": (family("InverseWishart")(nu=5.0, V=V), V),
    "LKJCorr": (family("LKJCorr")(n=2, eta=2.0), [[1.0, 0.3], [0.3, 1.0]]),
    "MatrixNormal": (family("MatrixNormal")(mu=np.zeros((2, 2)), rowcov=V, colcov=W), V),
    "MvNormal": (family("MvNormal")(mu=[0.1, 0.2], cov=V), [0.0, 0.5]),
    "MvStudentT": (family("MvStudentT")(nu=3.0, mu=[0.1, 0.2], scale=V), [0.0, 0.5]),
    "Multinomial": (family("Multinomial")(n=6, p=[0.4, 0.6]), [2.0, 4.0]),
    "DirichletMultinomial": (family("DirichletMultinomial")(n=6, a=[0.4, 0.6]), [2.0, 4.0]),
    "Dirichlet": (family("Dirichlet")(a=[2.0, 3.0]), [0.4, 0.6]),
}


@pytest.mark.parametrize("name", OFF_SUPPORT)
def test_values_outside_the_support_have_no_density(name):
    p, inside = SUPPORTED[name]
    values = np.array([inside, *OFF_SUPPORT[name]], dtype=float)
    density = p.log_density(values)
    assert np.isfinite(density[0])
    assert density[0] == p.log_density(np.asarray(inside, dtype=float))
    assert np.all(np.isneginf(density[1:]))


@pytest.mark.parametrize("name", ["Wishart", "InverseWishart"])
def test_coordinates_of_very_different_scales_are_inside_the_support(name):
    scales = np.array([1e12, 1e-12])
    p = family(name)(nu=5.0, V=V * np.outer(scales, scales))
    assert np.all(np.isfinite(p.log_density(p.sample((50,), np.random.default_rng(1)))))


@pytest.mark.parametrize(("n", "eta"), [(3, 0.0), (3, -1.0), (2.5, 1.0), (0, 1.0), (3, np.nan)])
def test_correlation_matrices_of_no_size_or_shape_are_refused(n, eta):
    with pytest.raises(ValueError, match=r"^LKJCorr: "):
        family("LKJCorr")(n=n, eta=eta)


@pytest.mark.parametrize("name", [*PAIRS, "MvStudentT"])
def test_draws_of_a_batch_with_two_axes(name):
    parameters = {"nu": 5.0, "mu": [0.3, -0.2], "scale": V} if name == "MvStudentT" else PAIRS[name][0]
    p = family(name)(**parameters)
    draws = p.expand((3, 4)).sample((2,), np.random.default_rng(1))
    assert draws.shape == (2, 3, 4, *p.event_shape)
    assert np.isfinite(p.log_density(draws)).all()
