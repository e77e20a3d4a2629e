"""Results by batch: where they are kept, how they are averaged, and fits that fail; made by hand."""

import json

import numpy as np
import pytest
import xarray as xr

from pp_mlekl.estimation.replicates.replicate_fits import STATUSES
from pp_mlekl.simulation.batch_fits import fitted_or_failed
from pp_mlekl.simulation.batches import FEW, LARGEST_BATCH, MANY, Batch, batches_of
from pp_mlekl.simulation.result_arrays import STATUS, Column, Layout, MemoryArrays
from pp_mlekl.simulation.run_batches import run_batches
from pp_mlekl.simulation.summary import study_summary
from pp_mlekl.simulation.target import Target


class Information:
    trace = 3.0
    eigenvalues = np.array([1.0, 2.0])


def target(information=Information, circular=(False, True, False)):
    return Target(
        variables=("a", "b"), names=("a", "b[0]", "b[1]"), values=np.array([1.0, 3.0, -1.0]), circular=np.array(circular),
        dataset=xr.Dataset({"a": 1.0, "b": ("k", [3.0, -1.0])}), kl_min=0.25, information=information,
    )  # fmt: skip


def layout(**columns):
    own = {"a": Column(), "b": Column(dims=("k",), shape=(2,)), "exists": Column(dtype="bool"), "status": STATUS}
    return Layout(
        estimators=("mle", "map"), sizes=(10, 20), replicates=5, columns=own | columns, coords=xr.Dataset(coords={"k": ["x", "y"]})
    )  # fmt: skip


def batch(place=1, start=2, count=3):
    return Batch(index=4, size=20, place=place, start=start, count=count)


def test_numbers_of_batches():
    assert (LARGEST_BATCH, FEW, MANY) == (4096, 16, 256)
    assert len(batches_of([10], 4097)) == 2
    assert [b.count for b in batches_of([100_000], 5)] == [2, 2, 1]
    assert batch().where == (1, slice(None), slice(2, 5))


def test_what_was_not_computed():
    assert np.isnan(Column().fill)
    assert (Column(dtype="bool").fill, Column(dtype="int8").fill) == (False, 0)
    assert (Column().dims, Column().shape, Column().dtype, dict(Column().attrs)) == ((), (), "float64", {})
    assert (STATUS.dtype, STATUS.attrs["flag_values"]) == ("int8", list(range(len(STATUSES))))
    assert STATUS.attrs["flag_meanings"].split() == list(STATUSES)


def test_results_in_memory_stand_at_their_place():
    arrays = MemoryArrays(layout())
    values = {
        "a": np.arange(6.0).reshape(2, 3), "b": np.arange(12.0).reshape(2, 3, 2), "exists": np.ones((2, 3), dtype=bool),
        "status": np.full((2, 3), 2),
    }  # fmt: skip
    assert not arrays.finished(batch())
    arrays.write(batch(), values)
    assert arrays.finished(batch())
    for name, found in arrays.read(batch()).items():
        np.testing.assert_array_equal(found, values[name])
    whole = arrays.dataset()
    assert whole["b"].dims == ("size", "estimator", "replicate", "k")
    assert dict(whole.sizes) == {"size": 2, "estimator": 2, "replicate": 5, "k": 2}
    assert whole["size"].values.tolist() == [10, 20]
    assert whole["estimator"].values.tolist() == ["mle", "map"]
    assert whole["k"].values.tolist() == ["x", "y"]
    assert np.isnan(whole["a"].sel(size=10)).all()
    assert whole["status"].attrs == dict(STATUS.attrs)
    np.testing.assert_array_equal(whole["a"].sel(size=20).values[:, 2:], values["a"])


@pytest.fixture
def summary():
    """Two data sets of the first size and three of the second; one of them has no fit."""
    columns = {"excess": Column(), "covers_naive": Column(dims=("parameter",), shape=(3,))}
    made = layout(**columns)
    arrays = MemoryArrays(made)
    batches = [Batch(index=0, size=10, place=0, start=0, count=2), Batch(index=1, size=20, place=1, start=0, count=3)]
    generator = np.random.default_rng(1)
    kept = []
    for one in batches:
        count = one.count
        values = {
            "a": generator.normal(size=(2, count)), "b": generator.normal(size=(2, count, 2)),
            "exists": np.ones((2, count), dtype=bool), "status": np.zeros((2, count), dtype=int),
            "excess": generator.exponential(size=(2, count)), "covers_naive": generator.integers(0, 2, (2, count, 3)).astype(float),
        }  # fmt: skip
        values["exists"][1, 0], values["status"][1, 0] = False, 1
        arrays.write(one, values)
        kept.append(values)
    return study_summary(arrays, batches, made, target()), kept


def known(values, name):
    return values[name][1, 1:]


def test_each_number_of_a_summary(summary):
    found, kept = summary
    row, values = found.sel(estimator="map", size=20), kept[1]
    estimates = np.concatenate([known(values, "a")[:, None], known(values, "b")], axis=1)
    error = estimates - [1.0, 3.0, -1.0]
    error[:, 1] = np.angle(np.exp(1j * error[:, 1]))
    np.testing.assert_allclose(row["bias"], error.mean(axis=0))
    np.testing.assert_allclose(row["bias_mcse"], error.std(axis=0, ddof=1) / np.sqrt(2))
    np.testing.assert_allclose(row["rmse"], np.sqrt((error**2).mean(axis=0)))
    np.testing.assert_allclose(row["rmse_mcse"], (error**2).std(axis=0, ddof=1) / np.sqrt(2) / (2 * row["rmse"]))
    excess = known(values, "excess")
    assert row["excess"].item() == pytest.approx(excess.mean())
    assert row["kl"].item() == pytest.approx(0.25 + excess.mean())
    assert row["kl_mcse"].item() == pytest.approx(excess.std(ddof=1) / np.sqrt(2))
    np.testing.assert_allclose(found["kl_theory"], 0.25 + 3.0 / np.array([20, 40]))
    assert row["exists"].item() == pytest.approx(2 / 3)
    assert row["status_count"].values.tolist() == [2, 1, *[0] * (len(STATUSES) - 2)]
    np.testing.assert_allclose(row["coverage_naive"], known(values, "covers_naive").mean(axis=0))
    assert found["parameter"].values.tolist() == ["a", "b[0]", "b[1]"]
    assert found["status"].values.tolist() == list(STATUSES)
    # One data set has no error.
    assert np.isnan(found["kl_mcse"].sel(estimator="map", size=10))


def test_targets_take_the_shorter_arc_of_angles_and_say_which_they_are():
    errors = target().errors(np.array([[2.0, -3.0, -1.5]]))
    np.testing.assert_allclose(errors, [[1.0, 2 * np.pi - 6.0, -0.5]])
    group = target().group()
    assert (group["kl_min"].item(), group["trace"].item(), group["eigenvalues"].values.tolist()) == (
        0.25,
        3.0,
        [1.0, 2.0],
    )
    assert json.loads(group.attrs["circular"]) == []
    angles = target(circular=(False, True, True)).group()
    assert json.loads(angles.attrs["circular"]) == ["b"]
    assert json.loads(target(circular=(True, False, False)).group().attrs["circular"]) == ["a"]
    assert set(target(information=None).group().data_vars) == {"a", "b"}


class Drawn:
    """Data sets that are numbers; a fit fails on those in ``bad``."""

    def __init__(self, numbers):
        self.numbers, self.count = np.asarray(numbers), len(numbers)

    def part(self, rows):
        return Drawn(self.numbers[rows])


def test_data_sets_on_which_linear_algebra_fails_are_isolated():
    made, asked = layout(excess=Column()), []

    def fits(drawn, generator):
        asked.append(drawn.numbers.tolist())
        if 3 in drawn.numbers:
            raise np.linalg.LinAlgError
        whole = np.broadcast_to(drawn.numbers.astype(float), (2, drawn.count))
        return {name: (whole[..., None] if c.shape else whole) + np.zeros(c.shape) for name, c in made.columns.items()}

    found = fitted_or_failed(fits, Drawn([1, 2, 3, 4, 5]), None, made)
    assert asked == [[1, 2, 3, 4, 5], [1, 2], [3, 4, 5], [3], [4, 5]]
    np.testing.assert_array_equal(found["a"], [[1, 2, np.nan, 4, 5]] * 2)
    np.testing.assert_array_equal(found["excess"], [[1, 2, np.inf, 4, 5]] * 2)
    assert found["b"].shape == (2, 5, 2)
    assert found["status"][:, 2].tolist() == [STATUSES.index("failed")] * 2
    assert found["exists"][:, 2].tolist() == [False] * 2
    with pytest.raises(TypeError):
        fitted_or_failed(lambda *_: len(3), Drawn([1, 2]), None, made)


def test_batches_are_run_in_order_and_progress_is_told():
    class Job:
        def run(self, batch):
            return {"index": batch.index}

    kept, said = [], []
    batches = [Batch(index=i, size=20, place=0, start=0, count=c) for i, c in ((0, 1), (1, 30))]
    run_batches(Job(), batches, lambda b, values: kept.append((b.index, values["index"])), progress=said.append)
    assert kept == [(0, 0), (1, 1)]
    starts = [line.partition(", ")[0] for line in said if "/" in line.partition(":")[0]]
    assert starts == ["1/2: 1 data set of 20 observations", "2/2: 30 data sets of 20 observations"]
    assert said[-1].endswith("data sets/s, 0 s left")
    run_batches(Job(), [], None)
