"""Each sentence about draws that are not those of a density, and the limits from both sides, for normals without a model."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import special

from pp_mlekl.posterior.bridge.stein_test import dependence_test, has_jump, stein_test
from pp_mlekl.posterior.draws_check import check_draws
from pp_mlekl.pymc_model.derivatives import NoDerivative

CHAINS, DRAWS, D = 4, 300, 3
PLAIN = np.eye(D)


class Normal:
    """A normal of mean 0 with a given precision in place of a model's functions; ``b`` has two elements."""

    angles = np.zeros(D, dtype=bool)
    spoken_names = ("a", "b[x]", "b[y]")
    free = (SimpleNamespace(name="a", flat=slice(0, 1)), SimpleNamespace(name="b", flat=slice(1, 3)))
    observed = (
        SimpleNamespace(name="u", pointwise=slice(0, 2)),
        SimpleNamespace(name="v", pointwise=slice(2, 3)),
    )

    def __init__(self, precision=PLAIN):
        self.precision = precision

    def kept(self, key, made):
        return made()

    def value(self, z, a, b):
        assert (a, b) == (1.0, 1.0)
        return -np.sum(z @ self.precision * z, axis=-1) / 2

    def value_gradient(self, z, a, b):
        return self.value(z, a, b), -z @ self.precision

    def pointwise(self, z):
        return np.sin(z) + 2

    def natural(self, z):
        return {"a": z[..., :1], "b": z[..., 1:]}


def even(seed=0):
    """Draws whose mean is exactly 0 and whose sd is exactly 1 in each chain and coordinate."""
    z = np.random.default_rng(seed).normal(size=(CHAINS, DRAWS, D))
    z -= z.mean(axis=1, keepdims=True)
    return z / z.std(axis=1, keepdims=True)


def tree(z, **groups):
    values = {"a": (("chain", "draw"), z[..., 0]), "b": (("chain", "draw", "k"), z[..., 1:])}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(values), **groups})


def checked(z, functions=None, **groups):
    return check_draws(functions or Normal(), tree(z, **groups), z)


def limits(z, functions=None):
    functions = functions or Normal()
    test = stein_test(z, functions.value_gradient(z, 1.0, 1.0)[1], functions.angles)
    return test.caution, test.refusal, test.largest


def test_right_draws():
    check = checked(even())
    assert (check.problems, check.cautions) == ((), ())


def test_limits_are_two_sided_quantiles_of_all_scores():
    """Of 5 parts, 2 kinds and 3 coordinates; one angle has no spread."""
    caution, refusal, _ = limits(even())
    np.testing.assert_allclose(30 * special.erfc(np.array([caution, refusal]) / np.sqrt(2)), [1e-3, 1e-6], rtol=1e-9)
    angles = stein_test(even(), -even(), np.array([True, False, False]))
    assert angles.caution < caution
    assert np.isnan(angles.scores[:, 1, 0]).all()
    assert angles.scores.shape == (5, 2, 3)
    pairs = dependence_test(even(), -even())
    np.testing.assert_allclose(
        3 * special.erfc(np.array([pairs.caution, pairs.refusal]) / np.sqrt(2)), [1e-3, 1e-6], rtol=1e-9
    )
    assert pairs.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]


def score_of(shift, place, z):
    """That of a mean of -shift over all draws, which are as good as independent or better."""
    moved = z.copy()
    moved[..., place] += shift
    test = stein_test(moved, -moved, Normal.angles)
    assert np.nanargmax(np.abs(test.scores[-1, 0])) == place
    return moved, test


@pytest.mark.parametrize(("place", "name"), [(0, "a"), (1, "b[x]")])
def test_a_shift_is_doubted_and_refused(place, name):
    z = even()
    unit = score_of(0.1, place, z)[1].largest / 0.1
    caution, refusal, _ = limits(z)
    none, doubt, wrong = (
        score_of(level / unit, place, z)[0] for level in (0.9 * caution, (caution + refusal) / 2, 1.1 * refusal)
    )
    assert checked(none).cautions == checked(none).problems == ()
    check = checked(doubt)
    (text,) = check.cautions
    assert check.problems == ()
    assert text.startswith(f"These draws may not come from this model: the location of {name} is ")
    assert f"{limits(doubt)[2]:.3g} standard errors off" in text
    assert f"(draws from the posterior exceed {caution:.2g} once in 1,000 cases)" in text
    check = checked(wrong)
    (text,) = check.problems
    assert check.cautions == ()
    assert text.startswith(f"These draws do not come from this model: the location of {name} is ")
    assert f"exceed {refusal:.2g} once in 1,000,000 cases" in text
    assert text.endswith(
        "The prior, the data or the scale of the variable may differ, or the sampler missed a part of the posterior."
    )


def test_reasons_that_are_guessed():
    wide = 1.5 * even()
    (text,) = checked(wide).problems
    assert "the spread of " in text
    assert text.endswith("or the tails have too few draws.")
    both = even()
    both[..., 1:] += 0.5
    (text,) = checked(both).problems
    assert "the location of b[" in text
    assert text.endswith("The elements of b may be in another order, or the prior, the data or the scale may differ.")
    one = even()
    one[2] += 0.5
    (text,) = checked(one).problems
    assert text.endswith("Only chain 2 (counted from 0) differs.")
    # A single chain does not differ from others.
    (text,) = checked(both[:1]).problems
    assert "Only chain" not in text


def test_a_dependence_that_is_missing():
    """Draws of unit sd without correlation, for a normal with the same marginals and correlation 0.8 of the last two."""
    covariance = np.eye(D)
    covariance[1, 2] = covariance[2, 1] = 0.8
    # Elliptical slopes have the expectation of the independent ones only in the direction of each coordinate itself.
    functions = Normal(np.linalg.inv(covariance))
    z = even()
    test = dependence_test(z, functions.value_gradient(z, 1.0, 1.0)[1])
    assert np.nanargmax(np.abs(test.scores)) == 2
    (text,) = checked(z, functions).problems
    assert text.startswith("These draws do not come from this model: ")
    one = Normal(np.linalg.inv(np.where(np.eye(D), 1.0, np.where(covariance > 0.5, 0.12, 0.0))))
    check = checked(z, one)
    (text,) = check.problems + check.cautions
    assert ": the dependence of b[x] and b[y] is " in text
    assert text.endswith("Draws of an approximation without correlations are not the posterior's.")


def test_gradients_that_say_nothing():
    shifted = even() + 1.0

    class Without(Normal):
        def value_gradient(self, z, a, b):
            raise NoDerivative("This", 1, ["Sort"])

    class Undefined(Normal):
        def value_gradient(self, z, a, b):
            value, gradient = super().value_gradient(z, a, b)
            gradient[0, 0, 0] = np.nan
            return value, gradient

    class Jumping(Normal):
        def value(self, z, a, b):
            return super().value(z, a, b) + 3.0 * (z[..., 0] > 0.3)

    assert len(checked(shifted).problems) == 1
    for kind in (Without, Undefined, Jumping):
        assert checked(shifted, kind()).problems == checked(shifted, kind()).cautions == ()


@pytest.mark.parametrize(("height", "jumps"), [(2e-5, True), (0.5e-5, False)])
def test_the_smallest_jump(height, jumps):
    def value_gradient(z):
        return height * (z[:, 0] > 0.0), np.zeros_like(z)

    assert has_jump(value_gradient, even(), np.random.default_rng(0)) == jumps


def test_draws_that_are_all_equal():
    z = even()
    z[..., 2] = 1.5
    problems = checked(z).problems
    assert (
        problems[0]
        == "All draws of b[y] are equal, as of a parameter that was fixed: they are not draws of this posterior."
    )
    assert checked(z[:, :1]).problems == ()


def test_chains_that_are_the_same():
    z = even()
    z[3] = z[1]
    assert checked(z).cautions == ("Chains 1 and 3 (counted from 0) hold the same draws: errors are too small.",)


def likelihood(z, off=0.0, **kinds):
    terms = np.sin(z) + 2
    u, v = terms[..., :2], terms[..., 2] + off
    return xr.Dataset({"u": (("chain", "draw", "o"), u), "v": (("chain", "draw"), v), **kinds})


# Draws that are doubles differ by 1e-6 of one more than a value between 1 and 3; those in single precision by 1e-3.
@pytest.mark.parametrize(("off", "single", "problem"), [
    (1.9e-6, False, False), (4.1e-6, False, True), (1.9e-3, True, False), (4.1e-3, True, True),
])  # fmt: skip
def test_a_likelihood_of_other_data(off, single, problem):
    z = even()
    z = z.astype(np.float32).astype(float) if single else z
    found = checked(z, log_likelihood=likelihood(z, off)).problems
    assert len(found) == problem
    for text in found:
        assert text == (
            f"log_likelihood['v'] in idata is not the model's (largest difference {off:.3g} nats): these draws come from "
            "another model, or from other data."
        )


def test_a_likelihood_in_single_precision_is_compared_as_such():
    z = even()
    stored = likelihood(z, 1e-4)
    assert len(checked(z, log_likelihood=stored).problems) == 1
    assert checked(z, log_likelihood=stored.astype(np.float32)).problems == ()
    # What is not finite is not compared, and what the model does not observe neither.
    stored["v"] = stored["v"] * np.nan
    assert checked(z, log_likelihood=stored).problems == ()
    assert checked(z, log_likelihood=likelihood(z)[["u"]].assign(w=stored["u"])).problems == ()


def test_a_likelihood_of_another_shape():
    z = even()
    wrong = likelihood(z).drop_vars("u").assign(u=(("chain", "draw", "p"), np.zeros((CHAINS, DRAWS, 5))))
    (text,) = checked(z, log_likelihood=wrong).problems
    assert text == (
        "log_likelihood['u'] in idata has shape (4, 300, 5), for 4 x 300 draws of 2 observations in the model: it belongs to "
        "other draws or other data."
    )


def density(z, off=0.0, name="lp", **attrs):
    value = Normal().value(z, 1.0, 1.0) + 7.5
    value[0, 0] += off
    return xr.Dataset({name: (("chain", "draw"), value)}, attrs=attrs)


@pytest.mark.parametrize("name", ["lp", "logp"])
@pytest.mark.parametrize("library", ["pymc", "nutpie"])
def test_a_density_of_another_model(name, library):
    z = even()
    assert checked(z, sample_stats=density(z, name=name, inference_library=library)).problems == ()
    (text,) = checked(z, sample_stats=density(z, 0.25, name, inference_library=library)).problems
    assert text == (
        f"{name} in idata is not the model's log density (differences vary by 0.25 nats): these draws come from another "
        "model, or from other data."
    )


def test_densities_that_are_not_compared():
    z = even()
    for stats in (
        density(z, 0.25, inference_library="stan"),
        density(z, 0.25),
        density(z, 0.25, name="energy", inference_library="pymc"),
        density(z[:, :-1], 0.25, inference_library="pymc"),
    ):
        assert checked(z, sample_stats=stats).problems == ()
    # The posterior's own library comes first.
    for own, count in (("pymc", 1), ("stan", 0)):
        other = {"pymc": "stan", "stan": "pymc"}[own]
        idata = tree(z, sample_stats=density(z, 0.25, inference_library=other))
        idata["posterior"].attrs["inference_library"] = own
        assert len(check_draws(Normal(), idata, z).problems) == count


def test_problems_come_before_those_of_gradients():
    z = even() + 1.0
    stats, terms = density(z, 0.25, inference_library="pymc"), likelihood(z, 1.0)
    problems = checked(z, sample_stats=stats, log_likelihood=terms).problems
    assert [p.split(" ")[0] for p in problems] == ["log_likelihood['v']", "lp", "These"]
