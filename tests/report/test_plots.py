"""Pictures of trees made by hand: every shape of data, one chain, chains whose draws depend on each other."""

import json

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.comparison.comparison_result import Comparison
from pp_mlekl.report import plots
from pp_mlekl.report.kernel_density import kernel_density
from pp_mlekl.report.page import _predictive_pictures, picture
from pp_mlekl.report.plots import about_chains, chains, thinning

COUNTS = np.random.default_rng(1).poisson(2, (4, 5))
SHAPES = {
    "counts in two dims": COUNTS,
    "yes or no in two dims": COUNTS % 2,
    "numbers in three dims": COUNTS.reshape(2, 2, 5) + 0.5,
    "one number": np.array(1.5),
    "one count": np.array(3),
    "one yes": np.array(1),
}


def of_data(data=None, **others):
    """A comparison whose observed variable is y, and further ones by name."""
    groups = {"observed_data": xr.Dataset(), "posterior_predictive": xr.Dataset()}
    named = others if data is None else {"y": data, **others}
    for name, values in named.items():
        dims = [f"{name}_dim_{i}" for i in range(values.ndim)]
        noise = np.random.default_rng(2).normal(size=(2, 50, *values.shape))
        draws = values + noise
        if values.dtype.kind == "i":
            draws = np.clip(np.round(draws), 0, 1 if values.max() == 1 else None).astype(int)
        groups["observed_data"][name] = (dims, values)
        groups["posterior_predictive"][name] = (("chain", "draw", *dims), draws)
    tree = xr.DataTree.from_dict(groups)
    tree.attrs["variables"] = json.dumps([{"name": n, "kind": "observed", "distribution": "unknown"} for n in named])
    return Comparison(tree=tree)


def of_draws(values):
    posterior = xr.Dataset({"mu": (("chain", "draw"), values)}, coords={"chain": np.arange(len(values))})
    tree = xr.DataTree.from_dict({"posterior": posterior})
    tree.attrs["variables"] = json.dumps([{"name": "mu", "kind": "free"}])
    return Comparison(tree=tree)


def autoregressive(generator, correlation=0.7, size=(4, 1000)):
    values = generator.normal(size=size)
    values[:, 0] /= np.sqrt(1 - correlation**2)
    for i in range(1, size[1]):
        values[:, i] += correlation * values[:, i - 1]
    return values


@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_of_every_shape_are_drawn(shape):
    figure = plots.predictive(of_data(SHAPES[shape]))
    assert len(figure.axes) == 1
    assert figure.axes[0].lines or figure.axes[0].collections


WRONG = [
    {"var_names": 3.5}, {"var_names": []}, {"var_names": "z"}, {"coords": 5}, {"coords": {"nowhere": 1}},
    {"coords": {"row": "c"}}, {"backend": "x"}, {"backend": 3},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("plot", [plots.predictive, plots.prior_posterior, plots.pairs, plots.chains])
def test_wrong_arguments_are_refused_in_one_line(plot, wrong):
    comparison = of_draws(np.zeros((2, 10)))
    values = xr.Dataset({"y": ("row", np.arange(2))}, coords={"row": ["a", "b"]})
    for group in ("observed_data", "posterior_predictive"):
        comparison.tree[group] = xr.DataTree(values)
    about = [{"name": n, "kind": kind, "distribution": "unknown"} for n, kind in (("mu", "free"), ("y", "observed"))]
    comparison.tree.attrs["variables"] = json.dumps(about)
    (name,) = wrong
    with pytest.raises((TypeError, ValueError), match=rf"^{name}") as caught:
        plot(comparison, **wrong)
    assert "\n" not in str(caught.value)


def test_predictions_are_those_at_the_coordinates():
    comparison = of_data(np.arange(12).reshape(3, 4))
    for group in ("observed_data", "posterior_predictive"):
        labelled = comparison.tree[group].to_dataset().assign_coords(y_dim_0=["a", "b", "c"])
        comparison.tree[group] = xr.DataTree(labelled)

    def highest(coords):
        return max(p.get_offsets()[:, 0].max() for p in plots.predictive(comparison, coords=coords).axes[0].collections)

    assert highest({"y_dim_0": ["a"]}) < highest(None)


def test_categories_have_a_calibration_curve_each():
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet([1, 1, 1], size=60)
    draws = np.array([[generator.choice(3, p=p) for p in probabilities] for _ in range(80)]).reshape(2, 40, 60)
    observed = xr.Dataset({"y": ("row", draws[0, 0])})
    drawn = xr.Dataset({"y": (("chain", "draw", "row"), draws)})
    tree = xr.DataTree.from_dict({"observed_data": observed, "posterior_predictive": drawn})
    tree.attrs["variables"] = json.dumps([{"name": "y", "kind": "observed", "distribution": "Categorical(p=p)"}])
    figure = plots.predictive(Comparison(tree=tree))
    assert len([axis for axis in figure.axes if axis.axison]) == 3


@pytest.fixture
def mixed():
    return of_data(real=SHAPES["numbers in three dims"], count=COUNTS, binary=COUNTS % 2)


def test_each_kind_of_data_has_a_picture(mixed):
    pictures = _predictive_pictures(mixed)
    assert [p.title for p in pictures] == [
        f"Posterior predictive check ({k} data)" for k in ("real", "count", "binary")
    ]
    assert [p.caption for p in pictures] == [plots.ABOUT_PREDICTIVE[k] for k in ("real", "count", "binary")]
    assert all(len(p.panels) == 1 for p in pictures)


def test_one_plot_is_of_one_kind_of_data(mixed):
    with pytest.raises(ValueError, match="real: real; count: count"):
        plots.predictive(mixed, var_names=["real", "count"])
    assert "count" in plots.predictive(mixed, var_names="count", backend="none").viz["plot"]


def test_a_rootogram_counts_all_observations():
    """The observed frequencies of a table are those of its numbers."""
    (axis,) = plots.predictive(of_data(COUNTS)).axes
    np.testing.assert_array_equal(
        axis.collections[1].get_offsets(), np.column_stack(np.unique(COUNTS, return_counts=True))
    )


def test_a_picture_that_fails_says_why_and_loses_nothing():
    def fails(_):
        raise IndexError("no such\nthing")

    found = picture(fails, None, "Energy", "about it")
    assert "IndexError: no such thing" in found.missing
    assert not found.panels
    assert picture(lambda _: None, None, "Energy", "about it") is None


def farthest(values):
    """The largest distance of a chain's line from 0, and half the width of the band."""
    (axis,) = chains(of_draws(values)).axes
    lines = [np.abs(line.get_ydata()).max() for line in axis.lines]
    (band,) = axis.patches
    return max(lines), band.get_y() + band.get_height()


def test_chains_of_dependent_draws_stay_within_the_band():
    """If the draws counted as independent, six in ten such sets would leave the band."""
    found = [farthest(autoregressive(np.random.default_rng(s))) for s in range(8)]
    assert sum(line > band for line, band in found) <= 1
    one = of_draws(autoregressive(np.random.default_rng(0)))
    assert not chains(one).axes[0].texts
    assert "One draw in" in about_chains(one)


def test_chains_in_different_places_leave_the_band_after_thinning():
    apart = autoregressive(np.random.default_rng(1)) + 3 * np.arange(4)[:, None]
    line, band = farthest(apart)
    assert line > 2 * band
    assert thinning(of_draws(apart).tree["posterior"].to_dataset()) < 12


def test_the_band_holds_simultaneously():
    generator = np.random.default_rng(1)
    outside = 0
    for _ in range(300):
        ranks = generator.permutation(4 * 100).reshape(4, 100) / 400
        steps = (np.arange(100) + 1) / 100 - np.sort(ranks, axis=1)
        outside += np.abs(steps).max() > plots.rank_band(100, 4)
    assert outside <= 9  # at most 1% each: more than 9 of 300 has probability .001


def test_one_chain_is_drawn_in_its_order():
    values = np.random.default_rng(1).normal(size=(1, 100))
    one = of_draws(values)
    (line,) = chains(one).axes[0].lines
    np.testing.assert_array_equal(line.get_ydata(), values[0])
    assert about_chains(one) != about_chains(of_draws(np.random.default_rng(1).normal(size=(4, 100))))


def test_draws_that_are_constant_up_to_rounding_have_no_density():
    """As the diagonal of a correlation matrix that is computed from its Cholesky factor."""
    generator = np.random.default_rng(1)
    rounded = 1 + generator.choice([-1.0, 0.0, 1.0], size=(2, 100)) * np.finfo(float).eps
    assert [part.size for part in kernel_density(rounded)] == [0, 0]
    assert [part.size for part in kernel_density(1 + 1e-9 * generator.normal(size=(2, 100)))] == [256, 256]


def test_a_derived_quantity_has_the_mark_of_its_mle(comparison):
    figure = plots.prior_posterior(comparison, var_names=["ratio", "mu"])
    marks = [
        {float(line.get_xdata()[0]) for line in axis.lines if line.get_linestyle() == "--"} for axis in figure.axes
    ]
    mle = comparison.tree["point_estimate"].to_dataset().sel(estimator="mle")
    expected = [float(comparison.tree["derived_estimate/ratio"]), float(mle["mu"])]
    assert [sum(value in found for found in marks) for value in expected] == [1, 1]


@pytest.mark.parametrize("plot", [plots.predictive, plots.loo_pit])
def test_an_unknown_observed_variable_is_named(comparison, plot):
    with pytest.raises(ValueError, match="var_names must be among y, got 'x'"):
        plot(comparison, var_names=["x"])


def test_every_axis_of_a_page_says_what_it_shows(comparison, mixed):
    figures = [plots.predictive(mixed, var_names=name) for name in ("real", "count", "binary")]
    figures += [plot(comparison) for plot in (plots.predictive, plots.loo_pit, plots.chains, plots.energy)]
    for figure in figures:
        for axis in figure.get_axes():
            if axis.axison:
                assert axis.get_xlabel()
                assert axis.get_ylabel() or axis.get_title() == "Marginal and transitions"
    assert plots.predictive(mixed, var_names="real").axes[0].get_ylabel() == "cumulative share"
    assert plots.predictive(comparison).axes[0].get_ylabel() == "density"


def test_the_panels_of_the_energy_hold_all_their_points(comparison):
    bfmi, marginal = plots.energy(comparison).get_axes()
    low, high = bfmi.get_xlim()
    values = np.concatenate([c.get_offsets()[:, 0] for c in bfmi.collections])
    assert low + 0.04 * (high - low) < values.min() <= values.max() < high - 0.04 * (high - low)
    assert bfmi.get_position().width == pytest.approx(marginal.get_position().width, rel=0.2)
