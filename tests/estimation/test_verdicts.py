"""Whether an estimate exists: golden degenerate cases, cases from users' threads, and no false alarm."""

import pickle
from importlib import import_module

import degenerate_models as degenerate
import golden_models as golden
import numpy as np
import pymc as pm
import pytest
import regular_models as regular
from scipy import linalg, optimize, special, stats
from tiers import slow_if

from models import eight_schools
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.optimize.audit.verdict import decide

VERDICTS = golden.cases("degenerate/verdicts.json")
# Cases that take a second and more, for the slow tier.
_LONG = (
    "exgaussian_of_few_data",
    "two_variances_that_add_up",
    "hurdle_poisson_of_ones",
    "sum_of_means",
    "generalised_pareto_of_uniform_data",
    "extreme_values_with_a_tied_minimum",
    "knot",
    "separated_ordinal_response",
    "empty_middle_category",
    "uniform_between_two_limits",
    "truncated_normal_of_skewed_data",
    "ordered_mixture_far_from_its_collapse",
    "lognormal_that_becomes_normal",
    "lognormal_threshold",
    "weibull_that_becomes_gumbel",
    "proportional_columns_with_lkj",
    "underdispersed_dirichlet_multinomial",
    "skew_normal_without_a_left_tail",
    "centred_intercepts_unconstrained",
    "centred_slopes",
    "poisson_like_negative_binomial",
    "zero_inflation_that_is_not_there",
    "student_without_tails",
    "underdispersed_negative_binomial",
    "matrix_normal_of_one_observation",
    "skew_normal_of_symmetric_data",
    "exgaussian_of_left_skewed_data",
    "hurdle_negative_binomial_of_ones",
    "growth_without_a_plateau",
    "quantal_response_by_its_half_dose",
    "centred_intercepts",
    "dose_response_that_is_a_step",
    "probit_with_a_latent_scale",
    "quantal_response_without_slope",
    "saturated_regression",
    "negative_binomial_of_zeros",
    # Like another case that stays.
    "cauchy_of_two",
    "underdispersed_beta_binomial",
    "constant_data",
    "all_successes",
    "empty_category",
    "noncentred_ridge",
    "probit_separation",
    "unordered_mixture",
    # Tests of their own look at these.
    "switch_point",
    "none_in_one_group_and_all_in_another",
    "clayton_copula_that_overflows",
    "dose_response_that_is_none",
    "gaussian_process_of_white_noise",
    "least_absolute_deviations",
)
EIGHT = [f"x{j}" for j in range(8)]


def estimate_of(name):
    """The estimate that a degenerate case is about, which has the expected status."""
    asked, verdict, _, _ = degenerate.CASES[name]
    model = degenerate.build(name)
    if asked == "mle":
        estimate = find_mle(model, random_seed=1)
    else:
        estimate = find_map(model, space="natural" if asked == "map" else "unconstrained", random_seed=1)
    assert estimate.status == verdict == decide(estimate.findings)
    assert estimate.warnings
    return estimate


def test_separation_is_at_infinity():
    estimate = find_mle(golden.separated(), random_seed=1)
    assert estimate.status == "at_infinity"
    assert estimate.log_likelihood == pytest.approx(0.0, abs=1e-12)
    assert estimate.values["slope"] == np.inf
    assert np.isnan(estimate.standard_error["slope"])
    assert "slope" in estimate.warnings[0]
    expected = VERDICTS["separated-logistic"]["map"]["value"]
    mode = find_map(golden.separated(), random_seed=1)
    assert mode.status == "converged"
    assert float(mode.values["slope"]) == pytest.approx(expected["slope"], rel=1e-9)
    assert float(mode.values["intercept"]) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("build", "name", "case"),
    [(golden.zero_successes, "p", "zero-successes"), (golden.all_zero_poisson, "mu", "all-zero-poisson")],
)
def test_edge_is_given_without_standard_error(build, name, case):
    model = build()
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "boundary"
    assert float(estimate.values[name]) == 0.0
    assert np.isnan(estimate.standard_error[name])
    assert estimate.log_likelihood == pytest.approx(0.0, abs=1e-12)
    expected = VERDICTS[case]["map"]
    natural = find_map(model, random_seed=1)
    unconstrained = find_map(model, space="unconstrained", random_seed=1)
    assert float(natural.values[name]) == pytest.approx(expected["natural_scale"]["value"], rel=1e-9)
    other = expected.get("logit_scale", expected.get("log_scale"))
    assert float(unconstrained.values[name]) == pytest.approx(other[name], rel=1e-9)


@pytest.mark.parametrize(
    ("case", "file", "names", "tau"),
    [
        ("duplicated-column", "duplicated_column", ["x1", "x2"], 1.0),
        ("more-parameters-than-data", "more_parameters_than_data", EIGHT, 1.0),
        ("constant-column", "constant_column", ["one", "c", "x"], 2.0),
    ],
)
def test_collinear_columns_are_not_identified(case, file, names, tau):
    model = golden.linear(file, names, tau)
    estimate = find_mle(model, random_seed=1)
    expected = VERDICTS[case]
    assert estimate.status == "not_identified"
    np.testing.assert_allclose(estimate.values["b"], expected["mle"]["minimum_norm_solution"], rtol=1e-6, atol=1e-9)
    null = np.array(expected["mle"]["null_space_basis"])
    moved = np.abs(null).max(axis=0) > 1e-9
    assert np.all(np.isnan(estimate.standard_error["b"].values) == moved)
    mode = find_map(model, random_seed=1)
    assert mode.status == "converged"
    np.testing.assert_allclose(mode.values["b"], expected["map"]["value"], rtol=1e-8)


def test_identified_combinations_are_named():
    estimate = find_mle(golden.linear("constant_column", ["one", "c", "x"], 2.0), random_seed=1)
    assert "b[one] + 3 b[c]" in estimate.warnings[0]
    estimate = find_mle(golden.linear("duplicated_column", ["x1", "x2"], 1.0), random_seed=1)
    assert "b[x1] + b[x2]" in estimate.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize("random_seed", [1, 2])
def test_mixture_collapses(random_seed):
    estimate = find_mle(golden.mixture(), random_seed=random_seed)
    assert estimate.status == "unbounded"
    assert "sigma" in estimate.warnings[0]
    assert np.all(np.isnan(estimate.values["sigma"]))
    assert find_map(golden.mixture(), random_seed=random_seed).status == "unbounded"
    bounded = golden.mixture(pm.LogNormal, mu=0, sigma=1)
    assert find_map(bounded, random_seed=random_seed).status in ("converged", "multimodal")


@pytest.mark.slow
@pytest.mark.parametrize("random_seed", [1, 2])
def test_local_maximum_of_a_mixture_comes_with_the_collapse(random_seed):
    estimate = find_mle(degenerate.build("ordered_mixture_far_from_its_collapse"), random_seed=random_seed)
    assert estimate.status == "converged"
    assert "also grows without limit as s[0] -> 0 (1 nat for each unit of log(s[0]))" in estimate.warnings[0]


@pytest.mark.slow
@pytest.mark.parametrize("space", ["natural", "unconstrained"])
def test_centred_hierarchy_has_no_joint_mode(space):
    estimate = find_map(golden.eight_schools(), space=space, random_seed=1)
    assert estimate.status == "unbounded"
    assert "tau -> 0" in estimate.warnings[0]
    assert np.all(np.isfinite(estimate.flat))


def test_hyperparameters_are_not_in_the_likelihood():
    estimate = find_mle(golden.eight_schools(), random_seed=1)
    assert estimate.status == "converged"
    assert np.isnan(estimate.values["mu"])
    assert np.isnan(estimate.values["tau"])
    data = golden.columns("degenerate/eight_schools.csv")
    np.testing.assert_allclose(estimate.values["theta"], data["y"], atol=1e-8)
    np.testing.assert_allclose(estimate.standard_error["theta"], data["sigma"], rtol=1e-9)
    assert "mu, tau" in estimate.warnings[0]


@pytest.mark.parametrize("random_seed", slow_if([1, 3], [3]))
def test_what_makes_the_density_of_a_hierarchy_grow_is_its_scale(random_seed):
    # With some seeds a school's effect, held on its way, drags the scale along.
    estimate = find_map(eight_schools.build(), space="unconstrained", random_seed=random_seed)
    assert estimate.status == "unbounded"
    assert "grows without limit as tau -> 0" in estimate.warnings[0]


def test_noncentred_hierarchy():
    model = golden.eight_schools(centred=False)
    assert find_mle(model, random_seed=1).status == "not_identified"
    natural = find_map(model, random_seed=1)
    assert natural.status == "boundary"
    assert float(natural.values["tau"]) == 0.0
    assert find_map(model, space="unconstrained", random_seed=1).status == "converged"


def test_saddle_is_left():
    model = golden.saddle()
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "not_identified"
    expected = VERDICTS["saddle-at-zero"]
    product = float(estimate.values["w"] * estimate.values["z"])
    assert product == pytest.approx(expected["mle"]["identified"]["wz"], rel=1e-8)
    mode = find_map(model, starts=1)
    assert abs(float(mode.values["w"])) == pytest.approx(expected["map"]["modes"][0]["w"], rel=1e-9)
    assert find_map(model, random_seed=1).status == "multimodal"


def test_label_switching_is_recognised():
    estimate = find_mle(golden.label_switching(), random_seed=1)
    assert estimate.status == "multimodal"
    assert "labels can be switched" in estimate.warnings[0]
    expected = VERDICTS["label-switching-2"]
    np.testing.assert_allclose(np.sort(estimate.values["mu"]), expected["mle"]["sorted_means"], rtol=1e-9)
    mode = find_map(golden.label_switching(), random_seed=1)
    np.testing.assert_allclose(np.sort(mode.values["mu"]), expected["map"]["sorted_means"], rtol=1e-9)


def test_two_equal_modes():
    estimate = find_mle(golden.cauchy(), random_seed=1)
    assert estimate.status == "multimodal"
    assert len(estimate.audit.modes) == 2
    modes = sorted(float(m.z[0]) for m in estimate.audit.modes)
    np.testing.assert_allclose(modes, VERDICTS["cauchy-two-modes"]["mle"]["modes"], rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("random_seed", [3, 4, 5])
def test_same_verdict_for_other_seeds(random_seed):
    assert find_mle(golden.separated(), random_seed=random_seed).status == "at_infinity"
    assert find_mle(golden.saddle(), random_seed=random_seed).status == "not_identified"
    assert find_map(golden.eight_schools(), random_seed=random_seed).status == "unbounded"
    assert find_mle(golden.label_switching(), random_seed=random_seed).status == "multimodal"


def test_equal_runs_are_equal():
    first, second = (find_map(golden.saddle(), random_seed=7) for _ in range(2))
    assert first.status == second.status
    np.testing.assert_array_equal(first.flat, second.flat)


def test_a_small_variance_keeps_the_standard_errors_of_all_and_is_told_of():
    groups, size = 8, 4
    generator = np.random.default_rng(1)
    y = 1 + generator.normal(0, 0.8, (groups, 1)) + generator.normal(0, 1, (groups, size))
    with pm.Model() as model:
        mu, tau, sigma = pm.Normal("mu", 0, 5), pm.HalfNormal("tau", 2), pm.HalfNormal("sigma", 2)
        pm.Normal("mean", mu, pm.math.sqrt(tau**2 + sigma**2 / size), observed=y.mean(axis=1))
        pm.Normal("contrasts", 0, sigma, observed=y @ linalg.helmert(size).T)
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "converged"
    assert "hardly falls as log(tau)" in estimate.warnings[0]
    # In s = sigma^2 and l = s + size tau^2 the likelihood of a balanced layout is a product (Searle et al. 1992).
    s = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2) / (groups * (size - 1))
    l = size * np.mean((y.mean(axis=1) - y.mean()) ** 2)
    tau, variances = np.sqrt((l - s) / size), np.array([2 * l**2 / groups, 2 * s**2 / (groups * (size - 1))])
    assert float(estimate.values["tau"]) == pytest.approx(tau, rel=1e-6)
    errors = [np.sqrt(l / (groups * size)), np.sqrt(variances.sum()) / (2 * tau * size), np.sqrt(variances[1] / s) / 2]
    np.testing.assert_allclose([float(estimate.standard_error[k]) for k in ("mu", "tau", "sigma")], errors, rtol=1e-6)


@pytest.mark.parametrize("name", slow_if(degenerate.CASES, _LONG))
def test_cases_from_the_literature_and_users_threads(name):
    estimate_of(name)


def test_findings_say_what_was_measured():
    boundary = find_mle(golden.zero_successes(), random_seed=1).findings
    (found,) = [finding for finding in boundary if finding.test == "boundary"]
    assert found.parameters == ("logit(p)",)
    assert found.measured <= found.threshold == 0.01
    assert found.unit == "nats lost along the direction"
    collinear = find_mle(golden.linear("duplicated_column", ["x1", "x2"], 1.0), random_seed=1)
    (flat,) = collinear.findings
    assert (flat.test, flat.kind, flat.parameters) == ("identifiability", "flat", ("b[x1]", "b[x2]"))
    assert "identifiability: flat" in str(collinear._display().details["Findings"])
    assert pickle.loads(pickle.dumps(collinear)).findings[0].parameters == flat.parameters


@pytest.mark.parametrize("seed", slow_if([1, 2], [2]))
def test_least_absolute_deviations_are_those_of_the_linear_programme(seed):
    n = len(degenerate.X)
    design = np.column_stack([np.ones(n), degenerate.X])
    program = optimize.linprog(
        np.r_[0, 0, np.ones(2 * n)],
        A_eq=np.hstack([design, np.eye(n), -np.eye(n)]),
        b_eq=degenerate.Y,
        bounds=[(None, None)] * 2 + [(0, None)] * (2 * n),
    )
    estimate = find_mle(degenerate.build("least_absolute_deviations"), random_seed=seed)
    assert estimate.status == degenerate.CASES["least_absolute_deviations"][1]
    np.testing.assert_allclose(estimate.values["b"], program.x[:2], rtol=1e-6)
    assert float(estimate.values["s"]) == pytest.approx(program.fun / n, rel=1e-7)
    assert np.isnan(estimate.standard_error["s"])


@pytest.mark.parametrize("seed", slow_if([1, 2], [2]))
def test_limits_of_a_uniform_distribution_are_the_extremes(seed):
    estimate = find_mle(degenerate.build("uniform_between_two_limits"), random_seed=seed)
    assert float(estimate.values["low"]) == pytest.approx(degenerate.Y.min(), rel=1e-8)
    assert float(estimate.values["width"]) == pytest.approx(np.ptp(degenerate.Y), rel=1e-8)


def test_less_dispersed_than_multinomial_has_the_multinomial_as_its_supremum():
    model = degenerate.build("underdispersed_dirichlet_multinomial")
    estimate = find_mle(model, random_seed=2)
    counts = model.rvs_to_values[model["y"]].data
    share = counts.sum(axis=0) / counts.sum()
    assert estimate.log_likelihood == pytest.approx(stats.multinomial.logpmf(counts, 25, share).sum(), abs=1e-3)
    np.testing.assert_allclose(estimate.values["share"], share, rtol=1e-5)
    assert float(estimate.values["concentration"]) == np.inf


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "beta_binomial_of_zeros",
        "hurdle_poisson_of_ones",
        "hurdle_negative_binomial_of_ones",
        "exgaussian_of_left_skewed_data",
        "conway_maxwell_poisson_of_equal_counts",
        "clayton_copula_that_overflows",
        "frank_copula_of_negative_dependence",
        "growth_without_a_plateau",
        "quantal_response_by_its_half_dose",
        "dose_response_that_is_a_step",
    ],
)
def test_where_numbers_give_out_the_verdict_does_not_depend_on_the_starts(name):
    model = degenerate.build(name)
    assert {find_mle(model, random_seed=seed).status for seed in range(2, 12)} == {degenerate.CASES[name][1]}


@pytest.mark.parametrize("random_seed", slow_if([1, 2, 3], [2, 3]))
def test_of_a_simplex_the_empty_category_alone_is_named(random_seed):
    with pm.Model() as model:
        p = pm.Dirichlet("p", [0.5, 0.5, 0.5])
        pm.Multinomial("y", 10, p, observed=[7, 3, 0])
    estimate = find_map(model, random_seed=random_seed)
    assert estimate.status == "unbounded"
    assert "grows without limit as p[2] -> 0:" in estimate.warnings[0]


@pytest.mark.slow
def test_a_weibull_distribution_becomes_gumbels():
    estimate = estimate_of("weibull_that_becomes_gumbel")
    assert {name: float(v) for name, v in estimate.values.items()} == {"a": np.inf, "b": np.inf, "threshold": -np.inf}
    y = -np.random.default_rng(3).gumbel(size=60)
    limit = stats.gumbel_l(*stats.gumbel_l.fit(y)).logpdf(y).sum()
    assert limit - 0.01 < estimate.log_likelihood < limit


@pytest.mark.slow
def test_what_the_limit_leaves_to_be_known_has_its_error():
    """A step is three means, the one between free for the slope's place; of white noise the sum of both variances is known."""
    step = estimate_of("dose_response_that_is_a_step")
    s = float(step.values["s"])
    assert np.isinf(step.values["exponent"])
    assert np.isnan(step.values["half"])
    # The errors are those where the search came to rest, which is not wholly at the limit.
    assert float(step.standard_error["low"]) == pytest.approx(s * np.sqrt(1 / 6), rel=1e-4)
    assert float(step.standard_error["rise"]) == pytest.approx(s * np.sqrt(1 / 6 + 1 / 9), rel=1e-4)
    assert float(step.standard_error["s"]) == pytest.approx(s / 6, rel=1e-6)
    none = estimate_of("dose_response_that_is_none")
    assert float(none.standard_error["s"]) == pytest.approx(float(none.values["s"]) / 6, rel=1e-6)
    noise = estimate_of("gaussian_process_of_white_noise")
    assert float(noise.values["length"]) == 0.0
    assert float(noise.values["scale"] ** 2 + noise.values["noise"] ** 2) == pytest.approx(1.0, rel=1e-8)
    assert np.isnan(noise.standard_error["scale"])
    assert np.isnan(noise.standard_error["noise"])
    assert "does not change along: log(scale) - " in noise.warnings[1]


def test_where_an_overflow_is_in_the_way_it_is_said_so():
    estimate = estimate_of("clayton_copula_that_overflows")
    assert "not numbers" in estimate.warnings[0]
    assert "theta = 223" in estimate.warnings[0]


@pytest.mark.slow
def test_a_truncated_normal_may_become_exponential():
    """Far beyond the data, where the normal distribution function is next to nothing, to an exponential one's supremum."""
    model = degenerate.build("truncated_normal_of_skewed_data")
    y = model.rvs_to_values[model["y"]].data
    estimate = find_mle(model, random_seed=1)
    assert estimate.log_likelihood == pytest.approx(-len(y) * (np.log(y.mean()) + 1), abs=1e-4)
    assert estimate.status == "at_infinity"
    assert "mu -> -inf" in estimate.warnings[0]
    assert not any("by gradients" in text for text in estimate.warnings)


@pytest.mark.slow
def test_a_knot_is_where_the_profile_over_a_fine_grid_has_its_maximum():
    model = degenerate.build("knot")
    y = model.rvs_to_values[model["y"]].data
    generator = np.random.default_rng(1046)
    x = np.sort(generator.uniform(0, 10, 80))

    def residual(knot):
        design = np.column_stack([np.ones(80), x, np.maximum(x - knot, 0)])
        return np.linalg.lstsq(design, y)[1][0]

    grid = np.sort(np.r_[x[1:-1], np.linspace(x[1], x[-2], 2001)])
    best = grid[np.argmin([residual(k) for k in grid])]
    estimate = find_mle(model, random_seed=1)
    assert float(estimate.values["knot"]) == pytest.approx(best, abs=1e-6)


@pytest.mark.slow
def test_an_empty_category_makes_its_limits_equal():
    estimate = find_mle(degenerate.build("empty_middle_category"), random_seed=1)
    assert "cut[1] = cut[2]" in estimate.warnings[0]
    np.testing.assert_allclose(estimate.values["cut"], special.logit([0.4, 0.75, 0.75]), rtol=1e-6)


@pytest.mark.slow
def test_parameters_of_equal_components_have_no_errors_of_their_own():
    """How well the two means are known depends on a weight that is not identified."""
    with pm.Model() as model:
        w, mu = pm.Beta("w", 1, 1), pm.Gamma("mu", 2, 0.5, shape=2)
        components = [pm.Poisson.dist(mu[0]), pm.Poisson.dist(mu[1])]
        pm.Mixture("y", w=pm.math.stack([w, 1 - w]), comp_dists=components, observed=[3, 4, 3, 4, 4, 3, 5, 4, 3, 4])
    estimate = find_mle(model, random_seed=1)
    assert estimate.status == "not_identified"
    np.testing.assert_allclose(estimate.values["mu"], 3.7, rtol=1e-6)
    assert np.all(np.isnan(estimate.standard_error["mu"]))


def test_a_step_function_is_called_one():
    estimate = find_mle(degenerate.build("switch_point"), random_seed=2)
    assert "step function of logit(c / 29)" in estimate.warnings[0]
    assert np.isnan(estimate.standard_error["c"])


def test_all_edges_are_named_and_have_no_standard_error():
    estimate = find_mle(degenerate.build("none_in_one_group_and_all_in_another"), random_seed=1)
    np.testing.assert_allclose(estimate.values["p"], [0, 1, 0.4, 0.7], atol=1e-12)
    assert np.isnan(estimate.standard_error["p"].values).tolist() == [True, True, False, False]
    assert "p[0] = 0, p[1] = 1" in " ".join(estimate.warnings)


GALLERY = ["linear_diabetes", "logistic_spector", "naive_bayes_iris", "normal_newcomb", "poisson_randhie"]


@pytest.mark.slow
@pytest.mark.parametrize("name", slow_if([*regular.MODELS, *GALLERY], ("nearly singular covariance",)))
def test_no_false_alarm_on_regular_models(name):
    model = import_module(f"models.{name}").build() if name in GALLERY else regular.build(name)
    likelihood = find_mle(model, random_seed=1)
    assert likelihood.status == "converged"
    assert likelihood.warnings == ()
    assert all(np.all(np.isfinite(v)) for v in likelihood.standard_error.data_vars.values())
    posterior = find_map(model, space="unconstrained", random_seed=1)
    assert posterior.status == "converged"
    assert posterior.warnings == ()


@pytest.mark.slow
def test_a_group_without_counts_leaves_the_dispersion_as_it_is():
    """At the limit the rest is the model without that group, whose dispersion is badly known but known."""
    counts = np.random.default_rng(1).negative_binomial(1.5, 0.3, 16)

    def fitted(group, y):
        with pm.Model() as model:
            b, alpha = pm.Normal("b", 0, 3, shape=int(group.max()) + 1), pm.Gamma("alpha", 2, 0.1)
            pm.NegativeBinomial("y", mu=pm.math.exp(b[group]), alpha=alpha, observed=y)
        return find_mle(model, random_seed=1)

    rest = fitted(np.repeat([0, 1], 8), counts)
    whole = fitted(np.repeat([0, 1, 2], 8), np.concatenate([counts, np.zeros(8, dtype=int)]))
    assert whole.status == "at_infinity"
    assert float(whole.values["b"][2]) == -np.inf
    assert float(whole.values["alpha"]) == pytest.approx(float(rest.values["alpha"]), rel=1e-6)
    assert float(whole.standard_error["alpha"]) == pytest.approx(float(rest.standard_error["alpha"]), rel=1e-5)
