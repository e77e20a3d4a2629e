"""Elements of variables: names, choice for plots, kinds of data."""

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.report.elements import MAX_PANELS, elements, in_one_row, kind_of, literal, most_dependent, shown_elements
from pp_mlekl.report.kernel_density import GRID, is_constant, kernel_density


def draws_of(**variables):
    dims = {name: ("chain", "draw", *(f"{name}{i}" for i in range(v.ndim - 2))) for name, v in variables.items()}
    return xr.Dataset({name: (dims[name], v) for name, v in variables.items()})


def test_elements_are_named_by_their_labels_or_places():
    values = np.arange(12.0).reshape(1, 2, 2, 3)
    draws = draws_of(a=values, b=values[..., 0, 0]).assign_coords(a0=["x/y", "z"])
    found = elements(draws)
    assert list(found) == [f"a[{label}, {i}]" for label in ("x∕y", "z") for i in range(3)] + ["b"]
    np.testing.assert_array_equal(found["a[z, 1]"], values[..., 1, 1])
    assert not found["a[z, 1]"].coords
    assert next(iter(elements(draws, for_tree=False))) == "a[x/y, 0]"
    assert list(elements(draws.rename(b="b/c")))[-1] == "b/c"
    assert literal("a$b") == r"a\$b"


def test_panels_are_taken_in_turns():
    draws = draws_of(a=np.zeros((1, 2, 20)), b=np.zeros((1, 2)), c=np.zeros((1, 2, 3)))
    # Three turns take 3, 2 and 2 elements, and a has the other five.
    assert list(shown_elements(draws)) == [*(f"a[{i}]" for i in range(8)), "b", "c[0]", "c[1]", "c[2]"]
    assert MAX_PANELS == 12
    assert list(shown_elements(draws_of(a=np.zeros((1, 2, 12))))) == [f"a[{i}]" for i in range(12)]


@pytest.fixture(scope="module")
def dependent():
    """Independent draws, two that depend on each other, and a funnel: log scale and what it scales."""
    generator = np.random.default_rng(1)
    free, a, b, c, log_scale, noise, other = generator.normal(size=(7, 2, 400))
    values = {
        "free": free,
        "a": a,
        "b": a + 0.1 * b,
        "c": c,
        "scale": log_scale,
        "funnel": np.exp(2 * log_scale) * noise,
    }
    return elements(draws_of(**values, other=other, constant=np.zeros((2, 400))))


def test_the_most_dependent_pairs(dependent):
    assert most_dependent(dependent) == ["a", "b", "scale", "funnel"]
    assert most_dependent(dependent, ["other"]) == ["a", "b", "scale", "other"]
    assert len(most_dependent(dependent, ["free", "c", "other", "scale"])) == 4
    assert set(most_dependent(dependent, ["free", "c", "other", "scale"])) >= {"free", "c", "other", "a"}
    few = {name: dependent[name] for name in ("c", "a", "b")}
    assert most_dependent(few) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([0.5, 1.0]), "real"),
        (np.array([2.0, 1.0]), "real"),
        (np.array([0.0, 1.0]), "binary"),
        (np.array([True, False]), "binary"),
        (np.array([1, 1]), "binary"),
        (np.array([0, 2]), "count"),
        (np.array([-1, 2]), "real"),
        (np.array([3, 203]), "count"),
        (np.array([3, 204]), "real"),
        (np.array([3, 5], dtype="uint8"), "count"),
    ],
)
def test_kinds_of_data(values, kind):
    assert kind_of(values) == kind


def test_observations_and_predictions_are_flattened_in_the_same_order():
    data = np.arange(6.0).reshape(2, 3)
    drawn = data + 10 * np.arange(8).reshape(2, 4)[..., None, None]
    groups = {
        "observed_data": xr.Dataset({"y": (("a", "b"), data), "x": 5.0}),
        "posterior_predictive": xr.Dataset(
            {
                "y": (("b", "draw", "a", "chain"), drawn.transpose(3, 1, 2, 0)),
                "x": (("chain", "draw"), drawn[..., 0, 0]),
            }
        ),
    }
    flat = in_one_row(xr.DataTree.from_dict(groups), ["y", "x"])
    assert flat["observed_data/y"].dims == ("y_number",)
    np.testing.assert_array_equal(flat["observed_data/y"], data.ravel())
    np.testing.assert_array_equal(flat["posterior_predictive/y"], drawn.reshape(2, 4, 6))
    assert flat["posterior_predictive/y"].dims == ("chain", "draw", "y_number")
    assert flat["posterior_predictive/x"].shape == (2, 4, 1)
    assert flat["observed_data/x"].shape == (1,)


def test_a_density_integrates_to_one_and_has_its_points():
    values = np.random.default_rng(1).normal(size=(2, 500))
    values[0, 0] = np.inf
    x, density = kernel_density(values)
    assert len(x) == len(density) == GRID == 256
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=0.01)
    assert kernel_density(np.array([[1.0, np.nan]]))[0].size == 0
    assert kernel_density(np.array([[1.0, 2.0]]))[0].size == 256
    assert kernel_density(np.ones((2, 50)))[0].size == 0


@pytest.mark.parametrize("largest", [1.0, 1e8])
def test_numbers_are_constant_where_a_grid_does_not_fit_between_them(largest):
    spacing = np.spacing(largest)
    assert is_constant(256 * spacing, largest)
    assert not is_constant(257 * spacing, largest)
