"""What every module of the gallery has: a docstring, data, builders, a truth, new data from it, and facts that are true."""

import importlib
import os
import subprocess
import sys
from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tiers import slow_if

import pp_mlekl as mk
from pp_mlekl.cli.gallery import entries, gallery_modules
from pp_mlekl.estimation.find_mle_map import find_map, find_mle
from pp_mlekl.pymc_model.model_functions import model_functions

ENTRIES = {entry.name: entry for entry in entries()}
MODULES = gallery_modules()
STATUSES = {"converged", "boundary", "at_infinity", "unbounded", "not_identified", "multimodal"}
LICENCES = ("public domain", "licence", "license", "CC BY", "BSD", "free of rights")
# Without latent variables the maximum likelihood estimate is consistent.
REGULAR = [
    e.module for e in ENTRIES.values() if e.name == e.module and e.mle == "converged" and "hierarchical" not in e.tags
]
# A maximum that is attained along a flat direction of an intercept and its group effects is reported as one at infinity.
builders = pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
modules = pytest.mark.parametrize("name", MODULES)


def module(name):
    return importlib.import_module(f"pp_mlekl.gallery.{name}")


@cache
def built(name):
    """The model of an entry; several tests look at it, and none changes it."""
    entry = ENTRIES[name]
    return getattr(module(entry.module), entry.function)()


@cache
def functions_of(name):
    return model_functions(built(name))


def test_every_module_lists_its_builders(root):
    files = {path.stem for path in (root / "models").glob("*.py")} - {"__init__", "tables"}
    assert files == set(MODULES)
    for name in MODULES:
        functions = {f for f in vars(module(name)) if f.startswith("build")}
        assert functions == set(module(name).BUILDERS) == {e.function for e in ENTRIES.values() if e.module == name}
        assert "build" in functions


@builders
def test_entries_are_whole(entry):
    assert entry.data
    assert entry.shows.endswith(".")
    assert entry.tags
    assert {entry.mle, entry.map} <= STATUSES


@modules
def test_docstring_says_what_it_shows_and_where_the_data_come_from(name):
    text = " ".join(module(name).__doc__.split())
    assert "Shows " in text or " shows " in text
    assert " Data: " in text
    assert any(word in text for word in LICENCES)


@pytest.mark.parametrize("name", slow_if(ENTRIES, set(ENTRIES) - set(MODULES)))
def test_sizes_are_those_of_the_model(name):
    functions, entry = functions_of(name), ENTRIES[name]
    assert (functions.n_observations, functions.natural_size) == (entry.observations, entry.parameters)
    assert all(np.isfinite(functions.pointwise(functions.initial_point())))


@builders
def test_every_axis_has_a_name(entry):
    model = built(entry.name)
    for rv in model.basic_RVs:
        dims = model.named_vars_to_dims.get(rv.name, ())
        assert len(dims) == rv.type.ndim
        assert set(dims) <= set(model.coords)


@modules
def test_data_are_labelled_and_loaded_anew(name):
    first, second = module(name).load_data(), module(name).load_data()
    assert isinstance(first, pd.DataFrame | xr.Dataset)
    assert first is not second
    assert first.equals(second)


@pytest.mark.slow
@modules
def test_simulated_data_are_reproducible_and_fit_the_model(name):
    gallery = module(name)
    data = gallery.simulate(6, random_seed=4)
    assert type(data) is type(gallery.load_data())
    assert data.equals(gallery.simulate(6, random_seed=4))
    assert not data.equals(gallery.simulate(6, random_seed=5))
    functions = model_functions(gallery.build(data))
    assert np.isfinite(functions.log_likelihood(functions.unconstrain(shortened(functions, gallery.TRUTH))))


@modules
def test_truth_is_a_point_of_the_model(name):
    functions = functions_of(name)
    truth = module(name).TRUTH
    assert set(truth) == {v.name for v in functions.free}
    z = functions.unconstrain(truth)
    assert np.isfinite(functions.log_likelihood(z))
    assert np.isfinite(functions.log_prior(z))


def shortened(functions, truth):
    """The truth's first elements, as many as a model of fewer rows has."""
    values = {name: np.asarray(value) for name, value in truth.items()}
    return {v.name: values[v.name][tuple(slice(0, n) for n in v.shape)] for v in functions.free}


@pytest.mark.slow
@builders
def test_estimates_have_the_expected_status(entry):
    model = built(entry.name)
    assert find_mle(model, random_seed=1).status == entry.mle
    assert find_map(model, random_seed=1).status == entry.map


@pytest.mark.slow
@pytest.mark.parametrize("name", REGULAR)
def test_truth_is_found_again_in_many_simulated_data(name):
    gallery = module(name)
    rows = max(200, ENTRIES[name].observations)
    estimate = find_mle(gallery.build(gallery.simulate(rows, random_seed=1)), random_seed=2)
    assert estimate.status == "converged"
    for parameter, value in gallery.TRUTH.items():
        error = estimate.standard_error[parameter].values
        assert np.all(np.abs(estimate.values[parameter].values - value) < 4.5 * error), parameter


def test_every_table_has_its_source(root):
    folder = root / "models" / "data"
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    told = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert told == sorted(path.name for path in folder.glob("*.csv"))


def test_page_of_the_gallery_is_made_of_the_modules(root):
    made = subprocess.run(
        [sys.executable, "-c", "import gallery_page as g; print(g.page(g.entries()), end='')"],
        cwd=root / "tools",
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    page = (root / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert page == made.stdout, "run python tools/gallery_page.py"


@pytest.mark.slow
@builders
def test_every_builder_compares(entry):
    result = mk.compare(built(entry.name), draws=300, chains=2, random_seed=1, progress=False)
    statuses = {e: str(result.tree["audit"]["status"].sel(estimator=e).item()) for e in ("mle", "map")}
    assert statuses == {"mle": entry.mle, "map": entry.map}
