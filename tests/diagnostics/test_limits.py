"""The limits of the sampling diagnostics, from either side."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pp_mlekl.diagnostics import diagnose as module


def levels(findings, topic):
    return [f.level for f in findings if f.topic == topic]


@pytest.mark.parametrize(
    ("r_hat", "level"), [(1.0, "ok"), (1.0099, "ok"), (1.011, "caution"), (1.049, "caution"), (1.051, "problem")]
)
def test_convergence(r_hat, level):
    found = module._convergence(pd.Series([1.0, r_hat], index=["a", "b"]), 4)
    assert (found.level, found.judged) == (level, True)


def test_convergence_needs_chains_and_draws():
    assert not module._convergence(pd.Series([1.0]), 1).judged
    assert not module._convergence(pd.Series([np.nan]), 4).judged


@pytest.mark.parametrize(("chains", "size", "level"), [(4, 401, "ok"), (4, 399, "caution"), (2, 201, "ok")])
@pytest.mark.parametrize("worse", ["ess_bulk", "ess_tail"])
def test_efficiency_needs_a_hundred_draws_a_chain_of_bulk_and_tails(chains, size, level, worse):
    table = pd.DataFrame({"ess_bulk": [4000.0, 4000.0], "ess_tail": [4000.0, 4000.0]}, index=["a", "b"])
    table.loc["b", worse] = size
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"a": (("chain", "draw"), np.zeros((chains, 5)))})})
    found = module._efficiency(tree, table)
    assert (found.level, found.judged) == (level, True)
    assert "(b)" in found.text


@pytest.mark.parametrize(("error", "level"), [(0.099, "ok"), (0.11, "caution")])
def test_precision_is_relative_to_the_standard_deviation(error, level):
    table = pd.DataFrame({"mcse_mean": [3 * error], "sd": [3.0]}, index=["a"])
    assert module._precision(table).level == level


@pytest.mark.parametrize(("count", "level"), [(0, "ok"), (1, "caution"), (4, "caution"), (5, "problem")])
def test_divergent_transitions_in_a_thousand(count, level):
    diverging = np.zeros(4000, dtype=bool)
    diverging[:count] = True
    stats = xr.Dataset({"diverging": (("chain", "draw"), diverging.reshape(4, 1000))})
    found = module._hamiltonian(xr.DataTree.from_dict({"sample_stats": stats}))
    assert levels(found, "divergences") == [level]


@pytest.mark.parametrize(("correlation", "level"), [(0.0, "ok"), (0.8, "ok"), (0.95, "caution")])
def test_energy_that_moves_slowly(correlation, level):
    # BFMI of an autoregressive series is 2 (1 - correlation): 2, 0.4 and 0.1.
    noise = np.random.default_rng(1).normal(size=(4, 4000))
    energy = np.empty_like(noise)
    energy[:, 0] = noise[:, 0]
    for i in range(1, noise.shape[1]):
        energy[:, i] = correlation * energy[:, i - 1] + np.sqrt(1 - correlation**2) * noise[:, i]
    stats = xr.Dataset({"energy": (("chain", "draw"), energy)})
    found = module._hamiltonian(xr.DataTree.from_dict({"sample_stats": stats}))
    assert levels(found, "energy") == [level]
